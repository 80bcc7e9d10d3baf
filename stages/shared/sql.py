"""DuckDB: statements that live in .sql files, and rows from files of others."""

from pathlib import Path
from typing import Any

from stages.shared.errors import InputError


def connect(threads: int) -> Any:
    """A DuckDB in memory."""
    import duckdb

    return duckdb.connect(config={"threads": threads})


def query(connection: Any, file: Path, parameters: dict[str, Any]) -> Any:
    """The relation one .sql file selects; each `$name` in it takes the parameter of that name."""
    import duckdb

    statement = file.read_text()
    names = duckdb.extract_statements(statement)[0].named_parameters
    missing = sorted(set(names) - parameters.keys())
    if missing:
        raise InputError(
            where=str(file),
            expected=f"parameters among {', '.join(sorted(parameters))}",
            got=", ".join(missing),
            do="add the parameter to its params class, or correct the name in the file",
        )
    return connection.execute(statement, {name: parameters[name] for name in names})


def source_rows(source: Path, columns: dict[str, str], where: str | None) -> list[dict[str, Any]]:
    """Rows of a Parquet, JSON Lines or CSV file (gzip allowed), their columns renamed.

    Args:
        columns: Our name for a column -> an SQL expression over the file's columns.
        where: An SQL condition over the file's columns; None for all rows.

    Raises:
        InputError: No such file, no such format, a damaged file, or an expression it has no column for.
    """
    import duckdb

    name = source.name.removesuffix(".gz")
    readers = {
        ".parquet": "read_parquet",
        ".jsonl": "read_json_auto",
        ".json": "read_json_auto",
        ".csv": "read_csv_auto",
    }
    reader = readers.get(Path(name).suffix)
    if reader is None or not source.is_file():
        raise InputError(
            where=str(source),
            expected=f"a file that ends in {', '.join(readers)} (.gz allowed)",
            got="no such file" if reader else f"the ending {source.suffix or '(none)'}",
            do="correct the path in params.yaml",
        )
    selected = ", ".join(f"({expression}) as {ours}" for ours, expression in columns.items())
    try:
        relation = duckdb.connect().execute(
            f"select {selected} from {reader}($source) where {where or 'true'}", {"source": str(source)}
        )
        return [dict(zip(columns, row, strict=True)) for row in relation.fetchall()]
    except duckdb.Error as error:
        raise InputError(
            where=str(source),
            expected=f"columns for {', '.join(columns)}" + (f", and rows where {where}" if where else ""),
            got=str(error).splitlines()[0],
            do="correct columns and where in params.yaml, or the file",
        ) from None
