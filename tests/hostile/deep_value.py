# Tries to overflow the stack of whoever reads its value.
import sys

sys.setrecursionlimit(10**5)


def f(x):
    value = 0
    for _ in range(20_000):
        value = [value]
    return value
