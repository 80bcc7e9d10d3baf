"""Where a benchmark's questions lie, and of which source each is."""

from pathlib import Path

from branchmerge.core.files import check_columns
from branchmerge.core.records import PROMPT


def file_of(benchmark: str) -> Path:
    """The file of a benchmark's questions."""
    return Path(f"data/benchmarks/{benchmark}.parquet")


def by_source(benchmark: str) -> dict[str, set[str]]:
    """The prompt_ids of each source's questions, without their texts and tests, which may be large.

    Raises:
        InputError: There is no such benchmark.
    """
    import pyarrow.parquet as pq

    file = file_of(benchmark)
    check_columns(file, PROMPT)
    found: dict[str, set[str]] = {}
    for row in pq.read_table(file, columns=["source", "prompt_id"]).to_pylist():
        found.setdefault(row["source"], set()).add(row["prompt_id"])
    return found
