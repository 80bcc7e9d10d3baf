"""Lists and objects of JSON as lists and structs of DuckDB, and parts of them as they stand in the file.

DuckDB itself would write 1.10 as 1.1, and a text that has numbers beside it with quotes and doubled backslashes.
"""

import json
import re
from collections.abc import Iterator
from functools import reduce
from json.decoder import scanstring  # type: ignore[attr-defined]  # which the types leave out
from typing import Any, TypeAlias

from branchmerge.core.text import clean
from branchmerge.sources.texts import NOTHING, Number, as_it_stands, scan, skip

# what all values of a place have in common: a type of DuckDB, [what the items of lists have], or {field: what it has}
Shape: TypeAlias = "str | list[Shape] | dict[str, Shape]"

_NULL: Shape = "NULL"
_NUMBER = "JSON"  # keeps its digits, and is compared as a number
_MIXED = "MIXED"  # of several kinds, each as its text
_BIGINT = re.compile(r"0|-?[1-9][0-9]{0,17}")


def shape_of(text: str) -> Shape:
    """The shape of a text of JSON."""
    return _shape(scan(text, 0)[0])


def _shape(value: Any) -> Shape:
    if value is None or (isinstance(value, Number) and value in NOTHING):
        return _NULL
    if isinstance(value, dict):
        return {clean(name): _shape(part) for name, part in value.items()} or _MIXED
    if isinstance(value, list):
        return [reduce(merged, map(_shape, value), _NULL)]
    if isinstance(value, Number):
        return _MIXED if value.endswith("Infinity") else "BIGINT" if _BIGINT.fullmatch(value) else _NUMBER
    return "BOOLEAN" if isinstance(value, bool) else "VARCHAR"


def merged(one: Shape, other: Shape) -> Shape:
    """The shape of a place that has values of two shapes."""
    if one == other or other == _NULL:
        return one
    if one == _NULL:
        return other
    if isinstance(one, dict) and isinstance(other, dict):
        return {name: merged(one.get(name, _NULL), other.get(name, _NULL)) for name in one | other}
    if isinstance(one, list) and isinstance(other, list):
        return [merged(one[0], other[0])]
    return _NUMBER if {str(one), str(other)} == {"BIGINT", _NUMBER} else _MIXED


def is_mixed(shape: Shape) -> bool:
    """Whether a place of it has values of several kinds."""
    parts = shape.values() if isinstance(shape, dict) else shape if isinstance(shape, list) else ()
    return shape == _MIXED or any(map(is_mixed, parts))


def field_names(shape: Shape) -> set[str]:
    """Names of all fields, at any depth."""
    parts = shape.values() if isinstance(shape, dict) else shape if isinstance(shape, list) else ()
    return set(shape if isinstance(shape, dict) else ()).union(*map(field_names, parts))


def has_path(shape: Shape, path: tuple[str, ...]) -> bool:
    """Whether fields, from the outside in, are all there."""
    return not path or (isinstance(shape, dict) and path[0] in shape and has_path(shape[path[0]], path[1:]))


def sql_type(shape: Shape) -> str:
    """The type of DuckDB for a shape."""
    if isinstance(shape, dict):
        fields = ('"' + name.replace('"', '""') + f'" {sql_type(part)}' for name, part in shape.items())
        return f"struct({', '.join(fields)})"
    if isinstance(shape, list):
        return f"{sql_type(shape[0])}[]"
    return "VARCHAR" if shape in (_NULL, _MIXED) else shape


def structure(shape: Shape) -> Any:
    """A shape as DuckDB's from_json wants it, with texts throughout."""
    if isinstance(shape, dict):
        return {name: structure(part) for name, part in shape.items()}
    return [structure(shape[0])] if isinstance(shape, list) else "VARCHAR"


def with_texts(text: str, shape: Shape) -> str:
    """A text of JSON in which all that is neither list nor object by its shape is a string, as it stands."""
    return json.dumps(_with_texts(text, 0, shape), ensure_ascii=False)


def _with_texts(text: str, at: int, shape: Shape) -> Any:
    if text[at] == "{" and isinstance(shape, dict):
        found: dict[str, Any] = {}
        for name, place in _parts(text, at):
            if name in found:
                raise ValueError(f"{name!r} twice in {text[:200]}")
            found[name] = _with_texts(text, place, shape[name])
        return found
    if text[at] == "[" and isinstance(shape, list):
        return [_with_texts(text, place, shape[0]) for _, place in _parts(text, at)]
    value, end = scan(text, at)
    return as_it_stands(text[at:end], value)


def part_of(text: str | None, path: str) -> str | None:
    """A part of a text of JSON, as it stands; null where there is none, or no text.

    Args:
        path: Names of fields, from the outside in, as a JSON list.
    """
    if text is None:
        return None
    at = 0
    for name in json.loads(path):
        at = dict(_parts(text, at) if text[at] == "{" else ()).get(name, -1)
        if at < 0:
            return None
    value, end = scan(text, at)
    return as_it_stands(text[at:end], value)


def _parts(text: str, at: int) -> Iterator[tuple[str, int]]:
    """Names (in a list, none) and places of what the list or object holds that stands at a place."""
    is_object = text[at] == "{"
    at = skip(text, at + 1)
    while text[at] not in "]}":
        name = ""
        if is_object:
            name, at = scanstring(text, at + 1)
            at = skip(text, skip(text, at) + 1)  # behind the colon
        yield clean(name), at
        at = skip(text, scan(text, at)[1])
        if text[at] == ",":
            at = skip(text, at + 1)
