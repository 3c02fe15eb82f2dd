"""A process with threads made to order. It stands in for a VMM where a real one cannot do what a test needs.

Commands on stdin, each with one line of answer on stdout:
  start N     N threads that wait            -> their tids
  end TID     ends one of them               -> ok
  churn N     N threads that keep making threads which end at once; 0 stops it -> ok
It ends with its stdin.
"""

import sys
import threading
import time

waiting = {}
churners = []
churning = threading.Event()


def wait_for_end(end):
    end.wait()


def start():
    end = threading.Event()
    thread = threading.Thread(target=wait_for_end, args=(end,), daemon=True)
    thread.start()
    waiting[thread.native_id] = end
    return thread.native_id


def make_threads_that_end():
    while churning.is_set():
        short_lived = threading.Thread(target=time.sleep, args=(0.0005,), daemon=True)
        short_lived.start()
        short_lived.join()


def churn(count):
    churning.clear()
    while churners:
        churners.pop().join()
    if count > 0:
        churning.set()
    for _ in range(count):
        churners.append(threading.Thread(target=make_threads_that_end, daemon=True))
        churners[-1].start()


def answer(command, number):
    if command == "start":
        return " ".join(str(start()) for _ in range(number))
    if command == "end":
        waiting.pop(number).set()
    elif command == "churn":
        churn(number)
    return "ok"


for line in sys.stdin:
    command, number = line.split()
    print(answer(command, int(number)), flush=True)
