# Tries to kill the process that started it.
import os
import signal

for _ in range(3):
    os.kill(os.getppid(), signal.SIGKILL)


def f(x):
    return 0
