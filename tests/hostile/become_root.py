# Tries to become root, and to mount, trace and make namespaces.
import ctypes
import os

libc = ctypes.CDLL(None)
CLONE_NEWUSER, CLONE_NEWNS = 0x10000000, 0x00020000
for attempt in (lambda: os.setuid(0), lambda: os.setgroups([0]), lambda: os.chroot("/")):
    try:
        attempt()
    except OSError:
        continue
    raise ValueError("leaked a way to root")
libc.mount(b"none", b"/usr", b"tmpfs", 0, None)
libc.ptrace(16, 1, 0, 0)
if os.listdir("/usr") == []:
    raise ValueError("leaked a way to mount")


def f(x):
    return 0
