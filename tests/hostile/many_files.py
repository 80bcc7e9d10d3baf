# Tries to fill the disk with many files that are each small enough.
for number in range(200):
    with open(f"file-{number}", "wb") as file:
        file.write(bytes(2**19))


def f(x):
    return x * x
