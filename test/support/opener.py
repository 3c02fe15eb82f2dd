"""Opens a device for reading, again and again. Answers each line of its input with how many opens there were since the
answer before, and how many of them were refused. Ends with its input.
"""

import os
import select
import sys

path = sys.argv[1]
opens = refusals = 0
print("ready", flush=True)
while True:
    for _ in range(500):
        opens += 1
        try:
            os.close(os.open(path, os.O_RDONLY))
        except PermissionError:
            refusals += 1
    if select.select([sys.stdin], [], [], 0)[0]:
        if not sys.stdin.readline():
            break
        print(opens, refusals, flush=True)
        opens = refusals = 0
