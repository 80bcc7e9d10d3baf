# Tries to hold the grader without using any time of a core.
import time


def f(x):
    time.sleep(10**6)
