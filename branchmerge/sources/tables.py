"""The files of a source as one table of DuckDB, whose columns are named as the files name them."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from branchmerge.core.errors import InputError
from branchmerge.core.files import Row
from branchmerge.sources.locate import kind_of
from branchmerge.sources.texts import TextRow, text_rows

_PART_CHARACTERS, _PART_ROWS = 1 << 25, 10_000
_RAW = " (as it stands)"  # the text of a column whose values are lists or objects


@dataclass(frozen=True)
class Columns:
    """What an expression of params.yaml reads.

    Args:
        names: Columns and names of its own, as of a list comprehension.
        own: The latter.
        is_bare: Whether it is the name of one column and nothing else.
    """

    names: frozenset[str]
    own: frozenset[str]
    is_bare: bool


def columns_of(connection: Any, expression: str) -> Columns:
    """What an SQL expression reads; nothing where it is no SQL, which DuckDB tells when it is used."""
    tree = json.loads(connection.execute("select json_serialize_sql($1)", [f"select {expression}"]).fetchone()[0])
    if tree["error"]:
        return Columns(frozenset(), frozenset(), False)
    found = list(_references(tree["statements"], is_own=False))
    selected = tree["statements"][0]["node"]["select_list"]
    return Columns(
        frozenset(name for name, _ in found),
        frozenset(name for name, is_own in found if is_own),
        len(selected) == 1 and selected[0].get("class") == "COLUMN_REF" and len(selected[0]["column_names"]) == 1,
    )


def _references(node: Any, is_own: bool) -> Iterator[tuple[str, bool]]:
    if isinstance(node, list):
        yield from chain.from_iterable(_references(part, is_own) for part in node)
    elif isinstance(node, dict) and node.get("class") == "COLUMN_REF":
        table, *fields = node["column_names"]
        yield (fields[0] if fields and table == "file" else table), is_own
    elif isinstance(node, dict):
        for key, part in node.items():
            yield from _references(part, is_own or (key == "lhs" and node.get("class") == "LAMBDA"))


def view_file(connection: Any, files: list[Path], read: dict[str, Columns], folder: Path, where: str) -> dict[str, str]:
    """Make the view file, and say which expressions are to be read as another one.

    Args:
        files: All Parquet, or all JSON and CSV.
        read: Expression -> what it reads.
        folder: For texts on their way into DuckDB.
        where: Of these files, for errors.

    Raises:
        InputError: No rows, or names that differ from those of the files by their case alone.
    """
    used = {name for columns in read.values() for name in columns.names}
    if kind_of(files[0]) == ".parquet":
        names, nested, table = _parquet(files, used)
    else:
        names, nested, table = _texts(files, folder)
    _refuse_another_case(read.values(), names, where)
    taken = {name.lower() for name in used & set(names)}
    columns = []
    for index, name in enumerate(names):
        if not name or (name not in used and name.lower() in taken):  # as one that is used, but for its case
            continue
        taken.add(name.lower())
        column = f"c{index}"
        if name in nested:
            columns.append(f"{column} as {quoted(name + _RAW)}")
            is_in_an_expression = any(name in columns.names and not columns.is_bare for columns in read.values())
            column = _structured(connection, column, table) if is_in_an_expression else column
        columns.append(f"{column} as {quoted(name)}")
    connection.execute(f"create view file as select {', '.join(columns)} from {table}")
    return {
        expression: quoted(name + _RAW)
        for expression, columns in read.items()
        for name in columns.names & nested
        if columns.is_bare
    }


def quoted(name: str) -> str:
    """A name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def _refuse_another_case(read: Any, names: list[str], where: str) -> None:
    """DuckDB takes Answer for answer; a file may have both."""
    by_lower = {name.lower(): name for name in names}
    used = {name for columns in read for name in columns.names - columns.own}
    for name in sorted(used - set(names)):
        if name.lower() in by_lower:
            raise InputError(
                where=where,
                expected=f"the column {name}",
                got=f"the column {by_lower[name.lower()]}, which is another one",
                do='write its name in columns and where as the file does, in " where it has other signs',
            )
    found = [name.lower() for name in used & set(names)]
    if both := sorted(name for name in used & set(names) if found.count(name.lower()) > 1):
        raise InputError(
            where=where,
            expected="columns whose names differ by more than their case",
            got=" and ".join(both),
            do="rename one of them in the file, or use one of them only",
        )


def _parquet(files: list[Path], used: set[str]) -> tuple[list[str], set[str], str]:
    """Names of the columns, those of JSON text (none), and SQL whose columns are c0, c1 and so on."""
    import pyarrow.parquet as pq

    schema = pq.read_schema(files[0])
    kinds = {name: _kind(schema.field(index).type) for index, name in enumerate(schema.names)}
    for file in files[1:]:
        for field in pq.read_schema(file):
            if field.name in used and field.name in kinds and _kind(field.type) != kinds[field.name]:
                raise InputError(
                    where=str(file),
                    expected=f"{field.name} of the type {kinds[field.name]}, as in {files[0]}",
                    got=str(field.type),
                    do="make a source of each, or write the files with one type: DuckDB would round one of them",
                )
    aliases = ", ".join(f"c{index}" for index in range(len(schema.names)))
    return schema.names, set(), f"{_reader(files)} as file_({aliases})"


def _kind(type_: Any) -> str:
    """A type of Arrow, but one word for all that are read without a loss as the first of them."""
    import pyarrow as pa

    if pa.types.is_dictionary(type_):
        return _kind(type_.value_type)
    text = re.sub(r"\blarge_", "", str(type_))
    return re.sub(r"\bu?int\d+\b", "integer", re.sub(r"\b(string|binary)(_view)?\b", "text", text))


def _reader(files: list[Path], by_name: bool = False) -> str:
    names = ", ".join(
        "'" + re.sub(r"([*?\[])", r"[\1]", str(file.absolute())).replace("'", "''") + "'" for file in files
    )
    return (
        f"read_parquet([{names}], binary_as_string = true, hive_partitioning = false,"
        f" union_by_name = {'true' if by_name else 'false'})"
    )


def _texts(files: list[Path], folder: Path) -> tuple[list[str], set[str], str]:
    """As of Parquet, from files of texts; a column counts as JSON text where all its values are lists or objects."""
    names: dict[str, int] = {}
    nested: set[str] = set()
    flat: set[str] = set()
    parts: list[Path] = []
    (folder / "texts").mkdir()
    for rows in _portions(chain.from_iterable(map(text_rows, files))):
        for row in rows:
            for name, value in row.values.items():
                names.setdefault(name, len(names))
                if value is not None and name not in row.nested:
                    flat.add(name)
            nested |= row.nested
        parts.append(folder / f"texts/{len(parts)}.parquet")
        _write([row.values for row in rows], names, parts[-1])
    if not names:
        raise InputError(
            where=", ".join(map(str, files[:3])), expected="rows", got="none", do="correct the path in params.yaml"
        )
    columns = ", ".join(f"c{index}" for index in names.values())
    return list(names), nested - flat, f"(select {columns} from {_reader(parts, by_name=True)})"


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


def _structured(connection: Any, column: str, table: str) -> str:
    """SQL of a column of JSON text as lists and structs, for expressions; its numbers stay JSON."""
    (found,) = connection.execute(f"select json_group_structure({column}::json) from {table}").fetchone()
    structure = json.dumps(_without_doubles(json.loads(found)), ensure_ascii=False).replace("'", "''")
    return column if structure == '"JSON"' else f"from_json({column}, '{structure}')"


def _without_doubles(structure: Any) -> Any:
    """A structure of DuckDB, in which large integers are no doubles, which would round them."""
    if isinstance(structure, dict):
        return {name: _without_doubles(part) for name, part in structure.items()}
    if isinstance(structure, list):
        return [_without_doubles(part) for part in structure]
    return "JSON" if structure in ("DOUBLE", "NULL") else structure
