# Tries to fill the disk with one file.
with open("huge", "wb") as file:
    for _ in range(100_000):
        file.write(bytes(2**20))


def f(x):
    return 0
