# Tries to hang the grader by stopping itself.
import os
import signal


def f(x):
    os.kill(os.getpid(), signal.SIGSTOP)
