"""A file is written whole or not at all, and read only when it is what it should be."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from branchmerge.core.errors import InputError
from branchmerge.core.files import (
    ROWS_IN_GROUP,
    ahead,
    folder_hash,
    read_rows,
    whole_file,
    whole_folder,
    write_rows,
    write_sorted_tables,
)
from branchmerge.core.records import REJECTED, VERDICT

ROWS = [{"trace_id": "b", "reason": "wrong"}, {"trace_id": "a", "reason": "wrong"}, {"trace_id": "a", "reason": "late"}]


def test_rows_are_sorted_by_their_key_and_their_order_does_not_show(tmp_path: Path):
    write_rows(tmp_path / "one.parquet", REJECTED, ROWS)
    write_rows(tmp_path / "two.parquet", REJECTED, ROWS[::-1])

    assert read_rows(tmp_path / "one.parquet", REJECTED) == sorted(
        ROWS, key=lambda row: (row["trace_id"], row["reason"])
    )
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


def test_the_bytes_do_not_tell_in_which_pieces_the_rows_came(tmp_path: Path):
    count = ROWS_IN_GROUP + 100
    rows = pa.table(
        {"trace_id": [f"{number:05d}" for number in range(count)], "reason": ["wrong" * 200] * count}
    )  # several pages
    for name, size in (("one", count), ("two", 700), ("three", 3)):
        pieces = (rows[start : start + size] for start in range(0, count, size))
        write_sorted_tables(tmp_path / name, REJECTED, ahead(pieces))

    assert read_rows(tmp_path / "one", REJECTED) == rows.to_pylist()
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes() == (tmp_path / "three").read_bytes()


def test_what_fails_while_rows_are_made_ahead_is_not_lost(tmp_path: Path):
    def tables():
        yield pa.table({"trace_id": ["a"], "reason": ["wrong"]})
        raise RuntimeError("no second table")

    with pytest.raises(RuntimeError, match="no second table"):
        write_sorted_tables(tmp_path / "file", REJECTED, ahead(tables()))
    assert not list(tmp_path.iterdir())


def test_an_error_while_writing_leaves_the_old_file_and_no_other(tmp_path: Path):
    target = tmp_path / "file"
    target.write_text("old")
    with pytest.raises(RuntimeError), whole_file(target) as partial:
        partial.write_text("half")
        raise RuntimeError

    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_an_error_while_writing_a_folder_leaves_the_old_one_and_no_other(tmp_path: Path):
    target = tmp_path / "folder"
    target.mkdir()
    with pytest.raises(RuntimeError), whole_folder(target) as partial:
        (partial / "file").write_text("half")
        raise RuntimeError

    assert list(tmp_path.iterdir()) == [target]
    assert not list(target.iterdir())


def test_writing_over_a_hard_link_leaves_the_other_end_alone(tmp_path: Path):
    """DVC links outputs into its cache; a write in place would corrupt it."""
    (tmp_path / "cache").write_text("cached")
    (tmp_path / "out").hardlink_to(tmp_path / "cache")
    with whole_file(tmp_path / "out") as partial:
        partial.write_text("new")

    assert (tmp_path / "cache").read_text() == "cached"


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(InputError, match=r"no\.parquet: expected verdict rows, got no such file"):
        read_rows(tmp_path / "no.parquet", VERDICT)


def test_a_corrupt_file_is_named(tmp_path: Path):
    (tmp_path / "bad.parquet").write_bytes(b"nonsense")
    with pytest.raises(InputError, match=r"bad\.parquet: expected a Parquet file"):
        read_rows(tmp_path / "bad.parquet", VERDICT)


def test_other_columns_are_named(tmp_path: Path):
    pq.write_table(pa.table({"trace_id": ["a"]}), tmp_path / "few.parquet")
    with pytest.raises(InputError, match=r"expected verdict columns trace_id string, verdict string"):
        read_rows(tmp_path / "few.parquet", VERDICT)


def test_a_folder_hash_sees_names_and_bytes(tmp_path: Path):
    hashes = set()
    for name, text in (("a", "x"), ("a", "y"), ("b", "x")):
        folder = tmp_path / f"{name}{text}"
        folder.mkdir()
        (folder / name).write_text(text)
        hashes.add(folder_hash(folder))

    assert len(hashes) == 3
