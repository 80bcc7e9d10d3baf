"""DuckDB, and statements that live in .sql files."""

import os
import tempfile
from pathlib import Path
from typing import Any

from branchmerge.core.errors import InputError
from branchmerge.core.text import folded

_MEMORY = "2GiB"  # beyond it, DuckDB goes on in temporary files


# most texts have ASCII alone, for which DuckDB needs no Python
_FOLDED = "create macro folded(t) as case when strlen(t) = length(t) then lower(t) else folded_signs(t) end"


def connect(threads: int) -> Any:
    """A DuckDB in memory, which keeps the order of what it reads, and has the function folded of `core.text`."""
    import duckdb

    overflow = f"{tempfile.gettempdir()}/duckdb-{os.getpid()}"
    connection = duckdb.connect(config={"threads": threads, "memory_limit": _MEMORY, "temp_directory": overflow})
    connection.create_function("folded_signs", folded, ["VARCHAR"], "VARCHAR")
    connection.execute(_FOLDED)
    return connection


def query(connection: Any, file: Path, parameters: dict[str, Any], into: str | None = None) -> Any:
    """The relation one .sql file selects; each `$name` in it takes the parameter of that name.

    Args:
        into: Name of a temporary table that takes the rows.
    """
    import duckdb

    statement = file.read_text()
    if into is not None:
        statement = f"create or replace temp table {into} as\n{statement}"
    names = duckdb.extract_statements(statement)[0].named_parameters
    missing = sorted(set(names) - parameters.keys())
    if missing:
        raise InputError(
            where=str(file),
            expected=f"parameters among {', '.join(sorted(parameters))}",
            got=", ".join(missing),
            do="add the parameter to its params class, or correct the name in the file",
        )
    return connection.sql(statement, params={name: parameters[name] for name in names})
