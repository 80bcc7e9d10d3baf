# Tries to leave a process behind that outlives its parent, its session and the grader.
import os
import time

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(10**6)  # named @MARK@
    os._exit(0)


def f(x):
    return 0
