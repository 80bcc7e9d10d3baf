"""The files of a source as one table of DuckDB, whose columns are named as the files name them."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import reduce
from itertools import chain
from pathlib import Path
from typing import Any

from branchmerge.core.errors import InputError
from branchmerge.core.files import Row
from branchmerge.sources import nested
from branchmerge.sources.expressions import FILE, Columns
from branchmerge.sources.locate import kind_of
from branchmerge.sources.parquet import parquet_reader, parquet_table
from branchmerge.sources.texts import TextRow, text_rows

_PART_CHARACTERS, _PART_ROWS = 1 << 25, 10_000
_RAW = " (as it stands)"  # the text of a column whose values are lists or objects


@dataclass(frozen=True)
class Table:
    """Files as a table of DuckDB.

    Args:
        names: Of its columns.
        sql: Its columns are c0, c1 and so on.
        fields: Names of the fields of its structs, as far as they are known.
        nested: Columns that are the text of a list or an object of JSON.
        sometimes_nested: Columns that are so in some rows only.
    """

    names: list[str]
    sql: str
    fields: set[str] = field(default_factory=set)
    nested: set[str] = field(default_factory=set)
    sometimes_nested: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class View:
    """What is to be known of the view file.

    Args:
        as_text: Expression -> SQL of the text that stands in the file for it.
        mixed: Columns that have values of several kinds in one place within their lists and objects.
    """

    as_text: dict[str, str]
    mixed: set[str]


def view_file(connection: Any, files: list[Path], read: dict[str, Columns], folder: Path, where: str) -> View:
    """Make the view file.

    Args:
        files: All Parquet, or all JSON and CSV.
        read: Expression -> what it reads.
        folder: For texts on their way into DuckDB.
        where: Of these files, for errors.

    Raises:
        InputError: No rows, or names that differ from those of the files by their case alone.
    """
    used = {name for columns in read.values() for name in columns.names}
    table = Table(*parquet_table(files, used)) if kind_of(files[0]) == ".parquet" else _texts(files, folder)
    own = {name for columns in read.values() for name in columns.own}
    _refuse_another_case("column", used - own, set(table.names), where)
    _refuse_two_cases(used & set(table.names), where)
    in_expressions = {name for columns in read.values() if len(columns.path) != 1 for name in columns.names}
    _refuse_sometimes_nested(table.sometimes_nested & in_expressions, where)
    shapes = {name: _shape(connection, table, name) for name in table.names if name in table.nested & in_expressions}
    fields = table.fields.union(*map(nested.field_names, shapes.values()))
    _refuse_another_case("field", {name for columns in read.values() for name in columns.fields}, fields, where)
    connection.create_function("part_of", nested.part_of, ["VARCHAR", "VARCHAR"], "VARCHAR", null_handling="special")
    columns = list(_columns(connection, table, used, shapes))
    connection.execute(f"create view {FILE} as select {', '.join(columns)} from {table.sql}")
    paths = {expression: columns.path for expression, columns in read.items() if columns.path}
    return View(
        {
            expression: _part(path[0], path[1:])
            for expression, path in paths.items()
            if path[0] in table.nested and (len(path) == 1 or nested.has_path(shapes[path[0]], path[1:]))
        },
        {name for name, shape in shapes.items() if nested.is_mixed(shape)},
    )


def quoted(name: str) -> str:
    """A name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def _columns(connection: Any, table: Table, used: set[str], shapes: dict[str, nested.Shape]) -> Iterator[str]:
    """SQL of each column, but of those that are named as one that is used, except for their case."""
    taken = {name.lower() for name in used & set(table.names)}
    for index, name in enumerate(table.names):
        if not name or (name not in used and name.lower() in taken):
            continue
        taken.add(name.lower())
        column = f"c{index}"
        if name in table.nested:
            yield f"{column} as {quoted(name + _RAW)}"
        if name in shapes:
            column = _structured(connection, column, shapes[name])
        yield f"{column} as {quoted(name)}"


def _part(column: str, path: tuple[str, ...]) -> str:
    """SQL of a part of a column of JSON text."""
    names = json.dumps(path, ensure_ascii=False).replace("'", "''")
    return f"part_of({quoted(column + _RAW)}, '{names}')" if path else quoted(column + _RAW)


def _shape(connection: Any, table: Table, name: str) -> nested.Shape:
    found = connection.execute(f"select distinct c{table.names.index(name)} as text from {table.sql} where text <> ''")
    shape: nested.Shape = "NULL"
    while batch := found.fetchmany(_PART_ROWS):
        shape = reduce(nested.merged, (nested.shape_of(text) for (text,) in batch), shape)
    return shape


def _structured(connection: Any, column: str, shape: nested.Shape) -> str:
    """SQL of a column of JSON text as lists and structs."""
    if isinstance(shape, str):  # a list here, an object there
        return column
    connection.create_function(
        f"with_texts_{column}", lambda text: nested.with_texts(text, shape), ["VARCHAR"], "VARCHAR"
    )
    structure = json.dumps(nested.structure(shape), ensure_ascii=False).replace("'", "''")
    return f"from_json(with_texts_{column}({column}), '{structure}')::{nested.sql_type(shape)}"


def _refuse_another_case(what: str, asked: Iterable[str], names: set[str], where: str) -> None:
    """DuckDB takes Answer for answer; a file may have both."""
    by_lower = {name.lower(): name for name in names}
    for name in sorted(set(asked) - names):
        if name.lower() in by_lower:
            raise InputError(
                where=where,
                expected=f"the {what} {name}",
                got=f"the {what} {by_lower[name.lower()]}, which is another one",
                do='write its name in columns and where as the file does, in " where it has other signs',
            )


def _refuse_two_cases(found: set[str], where: str) -> None:
    lowered = [name.lower() for name in found]
    if both := sorted(name for name in found if lowered.count(name.lower()) > 1):
        raise InputError(
            where=where,
            expected="columns whose names differ by more than their case",
            got=" and ".join(both),
            do="rename one of them in the file, or use one of them only",
        )


def _refuse_sometimes_nested(names: set[str], where: str) -> None:
    """An index would take a sign of the text where there is no list."""
    if names:
        raise InputError(
            where=where,
            expected=f"{min(names)} to be a list or an object in all rows, or in none, as an expression reads it",
            got="some of either kind",
            do="name the column alone, or make a source of each kind of row",
        )


def _texts(files: list[Path], folder: Path) -> Table:
    """A column counts as nested where all its values are lists or objects."""
    names: dict[str, int] = {}
    nested_: set[str] = set()
    flat: set[str] = set()
    parts: list[Path] = []
    (folder / "texts").mkdir()
    for rows in _portions(chain.from_iterable(map(text_rows, files))):
        for row in rows:
            for name, value in row.values.items():
                names.setdefault(name, len(names))
                if value is not None and name not in row.nested:
                    flat.add(name)
            nested_ |= row.nested
        parts.append(folder / f"texts/{len(parts)}.parquet")
        _write([row.values for row in rows], names, parts[-1])
    if not names:
        raise InputError(
            where=", ".join(map(str, files[:3])), expected="rows", got="none", do="correct the path in params.yaml"
        )
    columns = ", ".join(f"c{index}" for index in names.values())
    sql = f"(select {columns} from {parquet_reader(parts, by_name=True)})"
    return Table(list(names), sql, nested=nested_ - flat, sometimes_nested=nested_ & flat)


def _write(rows: list[Row], names: dict[str, int], file: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {f"c{index}": pa.array([row.get(name) for row in rows], pa.string()) for name, index in names.items()}
    pq.write_table(pa.table(columns), file)


def _portions(rows: Iterator[TextRow]) -> Iterator[list[TextRow]]:
    portion: list[TextRow] = []
    n_characters = 0
    for row in rows:
        portion.append(row)
        n_characters += sum(len(value or "") for value in row.values.values())
        if len(portion) >= _PART_ROWS or n_characters >= _PART_CHARACTERS:
            yield portion
            portion, n_characters = [], 0
    if portion:
        yield portion
