"""Python values as JSON, so that what a program returns arrives as plain data and never as an object that lies.

None, bool, str, float, int and list are JSON's own; any other value is {tag: payload}. Of a subclass
(namedtuple, Counter, a str with a lying __eq__) only the value of its base class crosses. Whatever
has no value crosses as a handle: see `Refer`. Stdlib only, and nothing slow to import.
"""

from __future__ import annotations

import sys
from collections import deque
from itertools import islice

TYPE_CHECKING = False  # that of typing takes 4 ms of every start
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Refer = Callable[[Any], Any]  # gives the payload of a handle for an object without a value
    Resolve = Callable[[Any], Any]  # what a handle's payload stands for on this side

MAX_ITEMS = 10_000  # of an iterator, which may be endless
_MAX_JSON_BITS = 4096  # Python refuses to write longer integers as decimals


def encode(value: Any, refer: Refer) -> Any:
    """A value as JSON's types; may raise whatever iterating the value raises."""
    kind = type(value)
    if value is None or kind in (bool, str, float):
        return value
    for base, form in _FORMS:
        if issubclass(kind, base):  # isinstance would believe a lying __class__
            return form(value, refer)
    return _rare(value, kind, refer)


def decode(value: Any, resolve: Resolve) -> Any:
    """The value that `encode` took apart.

    Raises:
        ValueError, TypeError, KeyError, RecursionError: It is not what `encode` makes.
    """
    if isinstance(value, list):
        return [decode(item, resolve) for item in value]
    if not isinstance(value, dict):
        return value
    ((tag, payload),) = value.items()
    if tag == "object":
        return resolve(payload)
    return _READERS[tag](payload if tag in _ATOMS else decode(payload, resolve))


def _items(value: Any, refer: Refer) -> list[Any]:
    return [encode(item, refer) for item in value]


def _int(value: int, _: Refer) -> Any:
    plain = int.__pos__(value)
    return plain if plain.bit_length() <= _MAX_JSON_BITS else {"int": hex(plain)}


# base class, and its form; int after bool, which never comes here
_FORMS: tuple[tuple[type, Callable[[Any, Refer], Any]], ...] = (
    (int, _int),
    (str, lambda value, _: str.__str__(value)),
    (float, lambda value, _: float.__pos__(value)),
    (list, lambda value, refer: _items(list.__iter__(value), refer)),
    (tuple, lambda value, refer: {"tuple": _items(tuple.__iter__(value), refer)}),
    (dict, lambda value, refer: {"dict": [_items(pair, refer) for pair in dict.items(value)]}),
    (set, lambda value, refer: {"set": _items(set.__iter__(value), refer)}),
    (frozenset, lambda value, refer: {"frozenset": _items(frozenset.__iter__(value), refer)}),
    (bytes, lambda value, _: {"bytes": bytes.hex(value)}),
    (bytearray, lambda value, _: {"bytearray": bytearray.hex(value)}),
    (complex, lambda value, _: {"complex": [complex.__pos__(value).real, complex.__pos__(value).imag]}),
    (range, lambda value, refer: {"range": _items((value.start, value.stop, value.step), refer)}),
    (deque, lambda value, refer: {"deque": [_items(deque.__iter__(value), refer), value.maxlen]}),
    (type({}.keys()), lambda value, refer: {"keys": _items(value, refer)}),
    (type({}.items()), lambda value, refer: {"items": _items(value, refer)}),
    (type({}.values()), lambda value, refer: {"values": _items(value, refer)}),
)


def _rare(value: Any, kind: type, refer: Refer) -> Any:
    """Decimals, fractions and numpy's numbers, whose modules are loaded only if they are used; iterators; handles."""
    for module, name in (("decimal", "Decimal"), ("fractions", "Fraction")):
        base = getattr(sys.modules.get(module), name, None)
        if isinstance(base, type) and issubclass(kind, base):
            return {name: str(base(value))}
    scalar = getattr(sys.modules.get("numpy"), "generic", None)
    if isinstance(scalar, type) and issubclass(kind, scalar):
        plain = value.item()
        if type(plain) in (bool, int, float, complex):  # longdouble's is no plain one
            return encode(plain, refer)
    if hasattr(kind, "__next__"):
        first = _items(islice(value, MAX_ITEMS + 1), refer)
        return {"iterator": [first[:MAX_ITEMS], len(first) > MAX_ITEMS]}
    return {"object": refer(value)}


def _iterator(payload: list[Any]) -> Iterator[Any]:
    items, is_cut = payload
    yield from items
    if is_cut:
        raise ValueError(f"only the first {MAX_ITEMS} items of an iterator are known")


def _decimal(text: str) -> Any:
    from decimal import Decimal

    return Decimal(text)


def _fraction(text: str) -> Any:
    from fractions import Fraction

    return Fraction(text)


_ATOMS = {"int", "bytes", "bytearray", "complex", "Decimal", "Fraction"}
_READERS: dict[str, Callable[[Any], Any]] = {
    "int": lambda text: int(text, 16),
    "tuple": tuple,
    "dict": dict,
    "set": set,
    "frozenset": frozenset,
    "bytes": bytes.fromhex,
    "bytearray": bytearray.fromhex,
    "complex": lambda parts: complex(*parts),
    "range": lambda parts: range(*parts),
    "deque": lambda parts: deque(*parts),
    "keys": lambda items: dict.fromkeys(items).keys(),
    "items": lambda pairs: dict(pairs).items(),
    "values": lambda items: dict(enumerate(items)).values(),
    "iterator": _iterator,
    "Decimal": _decimal,
    "Fraction": _fraction,
}
