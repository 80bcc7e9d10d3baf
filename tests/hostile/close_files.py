# Tries to hang or fool the grader by closing every file it was given.
import os

os.closerange(0, 64)


def f(x):
    return 0
