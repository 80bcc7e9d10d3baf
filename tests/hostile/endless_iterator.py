# Tries to keep whoever reads its value busy for ever, a little at a time.
import itertools


def f(x):
    return itertools.cycle([4])
