"""A process that is hard to freeze or to kill. Says `ready` when it is what was asked for; ends after a minute.

  vfork FIFO    waits in vfork(2) for a child that opens the FIFO for reading
  fault         runs in the kernel, in a page fault that nobody serves; no signal but SIGKILL gets it out
  heavy         holds a quarter of a GB, so that it is still there for a while after it was killed
  fork COUNT    COUNT processes at a time, each of which makes its successor and ends
"""

import ctypes
import fcntl
import mmap
import os
import struct
import sys
import time

LIFETIME = 60


def ready():
    print("ready", flush=True)


def state_of(pid):
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(") ")[2][0]


def wait_channel_of(pid):
    with open(f"/proc/{pid}/wchan") as wchan:
        return wchan.read()


def ready_once(holds):
    """A child of ours says it in our place, when it holds for our pid."""
    waiting = os.getpid()
    if os.fork() == 0:
        while not holds(waiting):
            time.sleep(0.005)
        ready()
        os._exit(0)


def wait_in_vfork(fifo):
    ready_once(lambda pid: state_of(pid) == "D")
    # The child of posix_spawn(3) shares our memory until its execve(2), and opens files before that.
    os.posix_spawn("/bin/true", ["true"], {}, file_actions=[(os.POSIX_SPAWN_OPEN, 3, fifo, os.O_RDONLY, 0)])


# include/uapi/linux/userfaultfd.h
SYS_USERFAULTFD = {"x86_64": 323, "aarch64": 282}
UFFDIO_API = 0xC018AA3F
UFFDIO_REGISTER = 0xC020AA00
MODE_MISSING = 1


def fault():
    ready_once(lambda pid: wait_channel_of(pid) == "handle_userfault")
    libc = ctypes.CDLL(None, use_errno=True)
    faults = libc.syscall(SYS_USERFAULTFD[os.uname().machine], os.O_CLOEXEC)
    fcntl.ioctl(faults, UFFDIO_API, struct.pack("QQQ", 0xAA, 0, 0))
    pages = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    address = ctypes.addressof(ctypes.c_char.from_buffer(pages))
    fcntl.ioctl(faults, UFFDIO_REGISTER, struct.pack("QQQQ", address, mmap.PAGESIZE, MODE_MISSING, 0))
    libc.write(os.pipe()[1], ctypes.c_void_p(address), 1)


def fork(count):
    end = time.monotonic() + LIFETIME
    for _ in range(count):
        if os.fork() == 0:
            while time.monotonic() < end:
                if os.fork() != 0:
                    os._exit(0)
            os._exit(0)
    ready()
    time.sleep(LIFETIME)


def be_heavy():
    held = bytearray(2**28)
    ready()
    time.sleep(LIFETIME)
    del held


what, *rest = sys.argv[1:]
if what == "vfork":
    wait_in_vfork(rest[0])
elif what == "fault":
    fault()
elif what == "heavy":
    be_heavy()
elif what == "fork":
    fork(int(rest[0]))
