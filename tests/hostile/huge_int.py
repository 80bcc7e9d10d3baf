# Tries to stall whoever reads or prints its value: ten million digits.
def f(x):
    return 1 << 40_000_000
