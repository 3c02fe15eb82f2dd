"""Attaches a device program to a v2 cgroup and ends; the cgroup keeps it.

usage: foreign-program.py <cgroup directory> <name> <allow|deny> <attach flags: 0, 1 (override), 2 (multi)>

Prints the errno of the attachment, 0 when it went well.
"""
import ctypes
import os
import platform
import struct
import sys

directory, name, verdict, flags = sys.argv[1:5]
BPF = {"x86_64": 321, "aarch64": 280}[platform.machine()]
PROG_LOAD, PROG_ATTACH, CGROUP_DEVICE_PROGRAM, CGROUP_DEVICE = 5, 8, 15, 6
libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attributes):
    return libc.syscall(BPF, command, ctypes.create_string_buffer(attributes.ljust(128, b"\0")), 128)


def instruction(code, number):
    return struct.pack("<BBhi", code, 0, 0, number)


code = instruction(0xB7, 1 if verdict == "allow" else 0) + instruction(0x95, 0)
instructions = ctypes.create_string_buffer(code)
licence = ctypes.create_string_buffer(b"GPL")
program = bpf(
    PROG_LOAD,
    struct.pack(
        "<IIQQIIQII16s",
        CGROUP_DEVICE_PROGRAM,
        len(code) // 8,
        ctypes.addressof(instructions),
        ctypes.addressof(licence),
        0,
        0,
        0,
        0,
        0,
        name.encode(),
    ),
)
if program < 0:
    sys.exit("cannot load: " + os.strerror(ctypes.get_errno()))
cgroup = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
done = bpf(PROG_ATTACH, struct.pack("<IIII", cgroup, program, CGROUP_DEVICE, int(flags)))
print(ctypes.get_errno() if done < 0 else 0)
