# Tries to fill the memory of whoever reads its value.
def f(x):
    return "4" * 10**8
