# Tries to hold a core for ever.
def f(x):
    while True:
        pass
