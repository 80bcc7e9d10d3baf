"""The row store keeps answers whole, shares them between processes, and gives them out and in."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from branchmerge.core.errors import InputError, StageError
from branchmerge.core.files import read_rows
from branchmerge.engines.engine import Completion
from branchmerge.rowstore.asking import Allowance, LimitsParams
from branchmerge.rowstore.database import connect
from branchmerge.rowstore.store import Store, Wanted
from branchmerge.rowstore.upkeep import ANSWER, export, holdings, prune, take_in
from tests.conftest import ROOT
from tests.test_cli import branchmerge


def wanted(count: int) -> list[Wanted]:
    return [Wanted(f"{number:020x}", f"p{number}", 0, f"question {number}") for number in range(count)]


UNLIMITED = Allowance(LimitsParams(), max_tokens=10, overhead_bytes=0)


def filled(teacher: str, *completions: Completion) -> None:
    with Store(teacher) as store:
        for completion in completions:
            store.record(completion, "test")


def right(number: int) -> Completion:
    return Completion(f"{number:020x}", f"answer {number}", "stop", 5, 7)


def failed(number: int) -> Completion:
    return Completion(f"{number:020x}", None, "error", error="500")


def test_claimed_rows_are_not_given_out_again():
    with Store("t") as one, Store("t") as other:
        one.want(wanted(10))
        other.want(wanted(10))
        claimed = {ask.trace_id for ask in one.claims(UNLIMITED, block=100)}

        assert len(claimed) == 10
        assert list(other.claims(UNLIMITED)) == []
        one.release()
        assert {ask.trace_id for ask in other.claims(UNLIMITED)} == claimed


DIES = """
import os
from branchmerge.rowstore.store import Store
from tests.test_store import UNLIMITED, wanted
store = Store("t").__enter__()
store.want(wanted(10))
print(len(list(store.claims(UNLIMITED))), flush=True)
os.kill(os.getpid(), 9)
"""


def test_claims_of_a_process_that_died_are_void():
    died = subprocess.run(
        [sys.executable, "-c", DIES], cwd=ROOT, env=os.environ.copy(), capture_output=True, text=True, check=False
    )
    assert (died.stdout, died.returncode) == ("10\n", -9)

    with Store("t") as store:
        store.want(wanted(10))
        assert len(list(store.claims(UNLIMITED))) == 10


LEAVES_A_CHILD = """
import os, time
from branchmerge.rowstore.store import Store
from tests.test_store import UNLIMITED, wanted
store = Store("t").__enter__()
store.want(wanted(10))
print(len(list(store.claims(UNLIMITED))), flush=True)
if os.fork() == 0:
    os.close(1)
    os.close(2)
    time.sleep(5)
    os._exit(0)
os.kill(os.getpid(), 9)
"""


def test_a_child_that_outlives_a_process_does_not_hold_its_claims():
    died = subprocess.run([sys.executable, "-c", LEAVES_A_CHILD], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (died.stdout, died.returncode) == ("10\n", -9)

    with Store("t") as store:
        store.want(wanted(10))
        assert len(list(store.claims(UNLIMITED))) == 10


def test_the_budget_counts_what_others_spend_and_have_under_way():
    allowance = Allowance(LimitsParams(max_tokens_total=1000), max_tokens=10, overhead_bytes=0)
    worst = sum(allowance.worst("question 0"))
    with Store("t") as one, Store("t") as other:
        one.want(wanted(10))
        other.want(wanted(10))
        claimed = list(one.claims(allowance, block=2))
        assert one.is_refused
        assert len(claimed) == 1000 // worst
        assert list(other.claims(allowance)) == []
        assert other.is_refused

        one.record(Completion(claimed[0].trace_id, "x", "stop", 500, 400), "test")
        one.release()
        assert list(other.claims(allowance)) == []
        assert other.tally() == (1, 0, 500, 400)


def test_an_error_while_the_wanted_rows_are_read_reaches_the_person():
    def broken():
        yield wanted(1)[0]
        raise InputError(where="prompts", expected="a", got="b", do="c")

    with pytest.raises(InputError, match="prompts"), Store("t") as store:
        store.want(broken())


def test_rows_are_given_out_by_length_of_their_question():
    with Store("t") as store:
        store.want(
            [Wanted("b", "p", 0, "long question"), Wanted("a", "p", 0, "longer question"), Wanted("c", "p", 0, "short")]
        )

        assert [ask.trace_id for ask in store.claims(UNLIMITED, block=1)] == ["c", "b", "a"]


def test_a_refill_keeps_what_is_known():
    filled("t", right(1))
    with Store("t") as store:
        known = dict.fromkeys(ANSWER.schema.names) | {"teacher": "t", "finish_reason": "stop", "prompt_tokens": 1}
        known |= {"completion_tokens": 1}
        store.refill([known | {"trace_id": f"{number:020x}", "response": "other"} for number in (1, 2)])
        store.want(wanted(3))

        assert [row["response"] for row in store.answered()] == ["answer 1", "other"]
        assert store.missing() == 1


def test_a_refill_leaves_failed_rows_to_be_asked_again():
    with Store("t") as store:
        row = {"trace_id": f"{0:020x}", "teacher": "t", "response": None, "finish_reason": "error", "error": "500"}
        store.refill([row | {"prompt_tokens": 0, "completion_tokens": 0}])
        store.want(wanted(1))

        assert store.missing() == 1


def test_a_damaged_store_is_refused_and_left_as_it_is(store: Path):
    store.mkdir()
    (store / "rows.sqlite").write_text("no database, but long enough to be read as one" * 9)

    with pytest.raises(StageError, match="move it away"):
        filled("t", right(1))
    assert (store / "rows.sqlite").read_text().startswith("no database")


def test_a_store_of_a_newer_version_is_refused():
    filled("t", right(1))
    with connect(Path(os.environ["BRANCHMERGE_CACHE"]) / "rows.sqlite") as db:
        db.execute("pragma user_version = 99")

    with pytest.raises(StageError, match="got version 99"):
        filled("t", right(2))


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BRANCHMERGE_CACHE", str(tmp_path / "file"))

    with pytest.raises(StageError, match="BRANCHMERGE_CACHE"):
        filled("t", right(1))


def test_it_tells_what_it_holds_of_each_teacher():
    filled("a", right(1), failed(2))
    filled("b", right(3))

    assert [
        (held.teacher, held.rows, held.failed, held.prompt_tokens, held.completion_tokens) for held in holdings()
    ] == [
        ("a", 2, 1, 5, 7),
        ("b", 1, 0, 5, 7),
    ]


def test_an_export_taken_in_elsewhere_gives_the_same_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    filled("a", right(1), failed(2))
    filled("b", right(3))
    assert export(tmp_path / "all.parquet", None) == 3
    assert export(tmp_path / "a.parquet", "a") == 2

    monkeypatch.setenv("BRANCHMERGE_CACHE", str(tmp_path / "elsewhere"))
    assert take_in(tmp_path / "all.parquet") == 2  # not the one that failed
    assert take_in(tmp_path / "a.parquet") == 0
    assert [held[:5] for held in holdings()] == [("a", 1, 0, 5, 7), ("b", 1, 0, 5, 7)]
    assert [row["response"] for row in read_rows(tmp_path / "a.parquet", ANSWER)] == ["answer 1", None]


@pytest.mark.parametrize(
    ("conditions", "left"),
    [
        ({"teacher": "a"}, 1),
        ({"is_failed": True}, 2),
        ({"teacher": "b", "is_failed": True}, 3),
        ({"older_than_days": 1}, 3),
        ({"older_than_days": 0}, 0),
    ],
)
def test_pruning_deletes_what_meets_every_condition(conditions: dict, left: int):
    filled("a", right(1), failed(2))
    filled("b", right(3))
    prune(**{"teacher": None, "older_than_days": None, "is_failed": False} | conditions)

    assert sum(held.rows for held in holdings()) == left


def test_an_export_into_a_folder_is_refused(tmp_path: Path):
    filled("a", right(1))

    with pytest.raises(InputError, match="got a folder"):
        export(tmp_path, None)


def test_pruning_without_a_condition_is_refused():
    filled("a", right(1))

    with pytest.raises(InputError, match="no condition"):
        prune(None, None, False)


def test_the_command_prints_what_the_store_holds(tmp_path: Path):
    assert "expected a row store" in branchmerge(ROOT, "store", "stats").stderr
    filled("toy-teacher@1", right(1))

    assert "toy-teacher@1" in branchmerge(ROOT, "store", "stats").stdout
    assert branchmerge(ROOT, "store", "export", str(tmp_path / "x.parquet")).stdout.startswith("1 answers in")
    assert branchmerge(ROOT, "store", "import", str(tmp_path / "x.parquet")).stdout == "0 new answers\n"
    assert branchmerge(ROOT, "store", "prune", "--failed").stdout == "0 answers deleted\n"


def test_a_process_that_reads_does_not_wait_for_one_that_writes():
    with Store("t") as store, store._transaction():
        store._db.execute("delete from claims")
        assert isinstance(holdings(), list)
        with pytest.raises(sqlite3.OperationalError):
            sqlite3.connect(store.path, timeout=0, isolation_level=None).execute("begin immediate")
