"""DuckDB, and statements that live in .sql files."""

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
