# Tries to keep whoever reads its value busy for ever.
def f(x):
    value = []
    value.append(value)
    return value
