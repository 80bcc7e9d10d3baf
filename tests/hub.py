"""A machine's cache of the hub, in which a data set lies that was downloaded before: the real client finds it."""

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from branchmerge.core.files import Row, read_rows
from branchmerge.core.records import SOURCE
from branchmerge.sources.pins import Pin, read_pin
from stages import source
from tests.conftest import ROOT

TEXTS = pa.list_(pa.string())
TYPES = {"choices": TEXTS, "options": TEXTS, "answer_index": pa.int64(), "test_list": TEXTS, "test_imports": TEXTS}


def use_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the hub's client look into a folder, and nowhere else."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


def use_pins(folder: Path) -> None:
    """Copies of the project's pins, without the numbers of rows: tests have few."""
    folder.mkdir()
    for file in (ROOT / "sources").glob("*.yaml"):
        lines = file.read_text().splitlines(keepends=True)
        (folder / file.name).write_text("".join(line for line in lines if not line.startswith("n_rows:")))


def place(cache: Path, pin: Pin, rows: list[dict[str, Any]], types: dict[str, pa.DataType] | None = None) -> Path:
    """Put rows where the file of a pin lies.

    Args:
        types: Of columns that are no texts, in Parquet.
    """
    snapshot = cache / f"datasets--{pin.dataset.replace('/', '--')}/snapshots/{pin.revision}"
    file = snapshot / pin.files.replace("*", "0")
    file.parent.mkdir(parents=True, exist_ok=True)
    write(file, rows, types or {})
    return file


def write(file: Path, rows: list[dict[str, Any]], types: dict[str, pa.DataType]) -> None:
    """Rows as Parquet, CSV or JSON Lines, by the name of the file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".parquet":
        schema = pa.schema([(column, types.get(column, pa.string())) for column in rows[0]])
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), file)
    elif file.suffix == ".csv":
        with file.open("w", newline="") as lines:
            writer = csv.DictWriter(lines, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def read_benchmark(
    name: str, rows: list[dict[str, Any]], types: dict[str, pa.DataType] | None = None, **params: Any
) -> list[Row]:
    """The rows of a benchmark that comes of a pin, whose file holds some rows.

    Args:
        params: Over those of its section.
    """
    place(Path("hub"), read_pin(Path(f"sources/{name}.yaml")), rows, TYPES | (types or {}))
    section = {"path": f"sources/{name}.yaml", "max_train_rows": 0, "max_test_rows": 5000} | params
    domain = {"prompts": {"sources": [name]}}
    Path("params.yaml").write_text(
        json.dumps({"run": {"seed": 0}, "source": {name: section}, "domains": {"it": domain}})
    )
    source.main(name)
    return read_rows(Path(f"data/sources/{name}.parquet"), SOURCE)
