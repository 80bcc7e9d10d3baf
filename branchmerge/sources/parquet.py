"""Parquet files as one table of DuckDB, whose columns are matched from file to file by their exact names."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from branchmerge.core.errors import InputError


def parquet_table(files: list[Path], used: set[str]) -> tuple[list[str], str, set[str]]:
    """Names of the columns, SQL whose columns are c0, c1 and so on, and names of the fields of used ones.

    Raises:
        InputError: No Parquet; or a used column that not all files have, once and with one type.
    """
    import pyarrow as pa

    groups: dict[Any, list[Path]] = {}  # schema -> files
    for file in files:
        groups.setdefault(_schema(file), []).append(file)
    types: dict[str, Any] = {}
    for schema, (file, *_) in groups.items():
        _refuse_twice(file, schema.names, used)
        for column in schema:
            types[column.name] = (
                column.type if pa.types.is_null(types.get(column.name, pa.null())) else types[column.name]
            )
    for schema, (file, *_) in groups.items():
        for name in sorted(used & types.keys()):
            _refuse_another(file, schema, name, types[name])
    kept = [name for name in types if name in used or all(types[name] in _types(schema, name) for schema in groups)]
    parts = [
        f"select {', '.join(f's{schema.names.index(name)} as c{index}' for index, name in enumerate(kept))}"
        f" from {parquet_reader(group)} as file_({', '.join(f's{index}' for index in range(len(schema.names)))})"
        for schema, group in groups.items()
    ]
    fields = {name for column in kept if column in used for name in _field_names(types[column])}
    return kept, f"({' union all '.join(parts)})", fields


def parquet_reader(files: list[Path], by_name: bool = False) -> str:
    """SQL that reads these files and no others; bytes are text, folders no columns."""
    names = ", ".join(
        "'" + re.sub(r"([*?\[])", r"[\1]", str(file.absolute())).replace("'", "''") + "'" for file in files
    )
    return (
        f"read_parquet([{names}], binary_as_string = true, hive_partitioning = false,"
        f" union_by_name = {'true' if by_name else 'false'})"
    )


def _schema(file: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_schema(file).remove_metadata()
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            where=str(file),
            expected="a Parquet file",
            got=" ".join(str(error).split()).rstrip("."),
            do="fetch it again (a text of a few lines is a pointer of git LFS), or correct its name",
        ) from None


def _types(schema: Any, name: str) -> list[Any]:
    return [column.type for column in schema if column.name == name]


def _refuse_twice(file: Path, names: list[str], used: set[str]) -> None:
    if twice := sorted(name for name, count in Counter(names).items() if count > 1 and name in used):
        raise InputError(
            where=str(file), expected="columns of different names", got=f"{twice[0]} twice", do="rename one of them"
        )


def _refuse_another(file: Path, schema: Any, name: str, type_: Any) -> None:
    found = _types(schema, name)
    if not found:
        raise InputError(
            where=str(file),
            expected=f"the column {name}, which other files of the source have",
            got=", ".join(schema.names),
            do="make a source of each, or write the files with the same columns",
        )
    if not _agrees(type_, found[0]):
        raise InputError(
            where=str(file),
            expected=f"{name} of the type {type_}, as in other files of the source",
            got=str(found[0]),
            do="make a source of each, or write the files with one type: DuckDB would round one of them",
        )


def _agrees(one: Any, other: Any) -> bool:
    """Whether values of two types of Arrow can stand in one column without a loss."""
    import pyarrow as pa

    if pa.types.is_null(one) or pa.types.is_null(other):
        return True
    if pa.types.is_dictionary(one) or pa.types.is_dictionary(other):
        return _agrees(getattr(one, "value_type", one), getattr(other, "value_type", other))
    if pa.types.is_struct(one) and pa.types.is_struct(other):
        fields = {field.name: field.type for field in other}
        return {field.name for field in one} == fields.keys() and all(_agrees(f.type, fields[f.name]) for f in one)
    if _is_list(one) and _is_list(other):
        return _agrees(one.value_type, other.value_type)
    return _word(one) == _word(other)


def _is_list(type_: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_))


def _word(type_: Any) -> str:
    """One word for types that are read alike."""
    text = re.sub(r"\b(large_)?(string|binary)(_view)?\b", "text", str(type_))
    return re.sub(r"\bu?int\d+\b", "integer", text)


def _field_names(type_: Any) -> Iterator[str]:
    for index in range(type_.num_fields):
        field = type_.field(index)
        yield field.name
        yield from _field_names(field.type)
