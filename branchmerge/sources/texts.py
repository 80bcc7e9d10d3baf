"""Rows of JSON and CSV files, each value as it stands there: a string as it is, all else as its JSON text.

Nothing is inferred: a number keeps its digits, a date its form, and a list or object the text that it has in the file.
"""

import csv
import gzip
import json
import re
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from json.decoder import scanstring  # type: ignore[attr-defined]  # which the types leave out
from pathlib import Path
from typing import IO, Any

from branchmerge.core.errors import InputError
from branchmerge.core.text import clean
from branchmerge.sources.locate import kind_of


class Number(str):
    """A number of JSON by its digits: it is not computed with, and Python refuses one of more than 4,300 digits."""

    __slots__ = ()


_SPACE = re.compile(r"[ \t\n\r]*")
# text, place -> the value of JSON there, and where it ends
scan = json.JSONDecoder(parse_int=Number, parse_float=Number, parse_constant=Number).scan_once  # type: ignore[attr-defined]
NOTHING = ("null", "NaN")  # the second is how pandas and Python's json write a missing value
_DELIMITERS = ",;\t|"
# an escape of JSON; the group is one of half a sign, which is no text
_ESCAPE = re.compile(r"\\(?:u[dD][89abAB]\w\w\\u[dD][c-fC-F]\w\w|(u[dD][89a-fA-F]\w\w)|.)", re.DOTALL)


@dataclass
class TextRow:
    """One row: the text of each column, null where it has none.

    Args:
        nested: Columns whose text is that of a list or an object.
    """

    values: dict[str, str | None] = field(default_factory=dict)
    nested: set[str] = field(default_factory=set)


def text_rows(file: Path) -> Iterator[TextRow]:
    """Rows of a .jsonl, .json or .csv file, perhaps .gz.

    Raises:
        InputError: With the file and the line.
    """
    try:
        yield from {".jsonl": _of_lines, ".json": _of_json, ".csv": _of_csv}[kind_of(file)](file)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:  # of gzip, and of what is no UTF-8
        raise InputError(
            where=str(file),
            expected="text in UTF-8, packed whole where it is .gz",
            got=str(error) or type(error).__name__,
            do="correct the file, or fetch it again",
        ) from None


@contextmanager
def _opened(file: Path) -> Iterator[IO[str]]:
    """A text whose line ends stay as they are; a line of JSON ends with a line feed, whatever else is in it."""
    opened = gzip.open if file.suffix == ".gz" else open
    with opened(file, "rt", encoding="utf-8-sig", newline="" if kind_of(file) == ".csv" else "\n") as stream:
        yield stream


def _of_lines(file: Path) -> Iterator[TextRow]:
    with _opened(file) as lines:
        for number, line in enumerate(lines, 1):
            start = skip(line, 0)
            if start == len(line):
                continue
            try:
                row, end = _object(line, start)
                if skip(line, end) != len(line):
                    raise ValueError(f"more behind the object: {line[end:][:80]!r}")
            except (ValueError, RecursionError) as error:
                raise _no_json(file, number, error, line) from None
            yield row


def _of_json(file: Path) -> Iterator[TextRow]:
    """Objects in a list, or one behind the other."""
    with _opened(file) as stream:
        text = stream.read()
    at = skip(text, 0)
    is_list = text[at : at + 1] == "["
    at = skip(text, at + 1) if is_list else at
    try:
        while at < len(text) and not (is_list and text[at] == "]"):
            row, end = _object(text, at)
            yield row
            at = skip(text, end)
            if is_list and text[at : at + 1] == ",":
                at = skip(text, at + 1)
            elif is_list and text[at : at + 1] != "]":
                raise ValueError(f"neither , nor ] behind an object but {text[at : at + 80]!r}")
    except (ValueError, RecursionError) as error:
        at = getattr(error, "pos", at)
        raise _no_json(file, text.count("\n", 0, at) + 1, error, text[at:]) from None
    if is_list and (at >= len(text) or skip(text, at + 1) != len(text)):
        raise _no_json(file, text.count("\n") + 1, ValueError("a list that does not end, or more behind it"), text[at:])


def _object(text: str, at: int) -> tuple[TextRow, int]:
    """The members of an object that stands at a place, and where it ends.

    Raises:
        ValueError: It is none.
    """
    if text[at] != "{":
        raise ValueError("something else")
    row = TextRow()
    at = skip(text, at + 1)
    while text[at : at + 1] != "}" or row.values:
        if text[at : at + 1] != '"':
            raise json.JSONDecodeError("no name in quotes", text, at)
        name, at = scanstring(text, at + 1)
        name = clean(name)
        at = skip(text, at)
        if text[at : at + 1] != ":":
            raise json.JSONDecodeError(f"no : behind {name!r}", text, at)
        start = skip(text, at + 1)
        try:
            value, end = scan(text, start)
        except StopIteration:
            raise json.JSONDecodeError(f"no value of {name!r}", text, start) from None
        if name in row.values:
            raise json.JSONDecodeError(f"{name!r} twice", text, start)
        row.values[name] = as_it_stands(text[start:end], value)
        if text[start] in "[{":
            row.nested.add(name)
        at = skip(text, end)
        if text[at : at + 1] != ",":
            break
        at = skip(text, at + 1)
    if text[at : at + 1] != "}":
        raise json.JSONDecodeError("an object that does not end", text, at)
    return row, at + 1


def as_it_stands(raw: str, value: Any) -> str | None:
    """The text of a value of JSON: a string as it is, all else as it is written; null where it is nothing."""
    if raw[0] == '"':
        return clean(value)
    if raw in NOTHING:
        return None
    return _ESCAPE.sub(lambda escape: "?" if escape[1] else escape[0], raw) if "\\u" in raw else raw


def skip(text: str, at: int) -> int:
    """The next place that is no space."""
    found = _SPACE.match(text, at)
    assert found is not None  # it may be empty
    return found.end()


def _no_json(file: Path, line: int, error: Exception, text: str) -> InputError:
    said = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
    return InputError(
        where=f"{file}:{line}",
        expected="a JSON object, each name in it once",
        got=f"{said} in {text[:200].strip()!r}",
        do="correct the line, or the ending of the file's name",
    )


def _of_csv(file: Path) -> Iterator[TextRow]:
    """Rows below a line of names; an empty field is null.

    Their separator is the one of `_DELIMITERS` that the names have most often: what a field holds cannot change it.
    """
    csv.field_size_limit(sys.maxsize)
    with _opened(file) as lines:
        first = lines.readline()
        bare = re.sub(r'"[^"]*"', "", first)
        rows = csv.reader(chain([first], lines), delimiter=max(_DELIMITERS, key=bare.count), strict=True)
        try:
            names = next(rows, [])
            if len({name for name in names if name}) != len([name for name in names if name]):
                raise csv.Error("a name twice among " + ", ".join(names))
            for fields in rows:
                if fields and len(fields) != len(names):
                    raise csv.Error(f"{len(fields)} fields below {len(names)} names ({', '.join(names)[:200]})")
                if fields:
                    found = zip(names, fields, strict=True)
                    yield TextRow({name: clean(value) or None for name, value in found if name})
        except csv.Error as error:
            raise InputError(
                where=f"{file}:{rows.line_num}",
                expected="CSV: as many fields in each row as names in the first line, texts with separators, quotes or"
                ' line ends in " and a quote in them doubled',
                got=str(error),
                do="correct the line, or write the file as JSON Lines",
            ) from None
