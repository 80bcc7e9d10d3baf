"""The build's rows in DuckDB: one view for each kind, over all domains or models."""

from pathlib import Path
from typing import Any

from branchmerge.core.errors import InputError

# view -> where its files lie, and the column that says which file a row is from, where rows do not say so
VIEWS = {
    "sources": ("data/sources", None),
    "prompts": ("data/prompts", None),
    "benchmarks": ("data/benchmarks", None),
    "dev": ("data/dev", None),
    "traces": ("data/traces", "domain"),
    "verdicts": ("data/verdicts", "domain"),
    "counts": ("data/counts", "domain"),
    "hits": ("data/hits", "domain"),
    "sft": ("data/sft", None),
    "rejected": ("data/rejected", "domain"),
    "scores": ("reports/eval", None),
}


def run(statement: str) -> Any:
    """The relation that a statement selects from the views of what has been built.

    Raises:
        InputError: DuckDB refuses the statement; the views at hand are named.
    """
    import duckdb

    connection = duckdb.connect()
    found = [name for name, (folder, _) in VIEWS.items() if any(Path(folder).glob("*.parquet"))]
    for name in found:
        folder, column = VIEWS[name]
        extra = f", parse_filename(filename, true) as {column}" if column else ""
        connection.execute(
            f"create view {name} as select * exclude (filename){extra}"
            f" from read_parquet('{folder}/*.parquet', filename = true)"
        )
    try:
        relation = connection.sql(statement)
    except duckdb.Error as error:
        raise InputError(
            where="query",
            expected=f"SQL over {', '.join(found) or 'a build (there is none yet)'}",
            got=str(error),
            do="correct the statement; branchmerge query 'describe traces' shows columns",
        ) from None
    return relation
