"""Texts that differ only in what a reader cannot see are compared as one, and stored as they are."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from branchmerge.core.errors import StageError
from branchmerge.core.sql import connect, query
from branchmerge.core.text import clean, folded
from branchmerge.curation.near_duplicates import SHINGLES
from branchmerge.curation.params import CurateParams
from branchmerge.curation.selection import HITS, audit
from tests.conftest import ROOT

QUESTION = "How many sheep has the farmer after he sold seven of them to a neighbour?"
DISGUISES = {
    "no width": QUESTION.replace("sheep", "sh\u200bee\u200dp\u2060"),
    "a soft hyphen in each word": " ".join(f"{word[:1]}\u00ad{word[1:]}" for word in QUESTION.split()),
    "a mark of the order of bytes": "\ufeff" + QUESTION.replace(" s", " \ufeffs"),
    "a mark of direction": QUESTION.replace("farmer", "\u202dfarmer\u202c"),
    "Cyrillic letters": QUESTION.translate(str.maketrans("aceopHy", "асеорНу")),
    "Greek letters": QUESTION.translate(str.maketrans("Hoav", "Ηοαν")),
    "wide letters": "".join(chr(ord(sign) + 0xFEE0) if sign.isalpha() else sign for sign in QUESTION),
    "letters of mathematics": "".join(
        chr(0x1D41A + ord(sign) - 97) if "a" <= sign <= "z" else sign for sign in QUESTION
    ),
    "marks above": QUESTION.replace("e", "e\u0301").replace("a", "á"),
    "a join of letters": QUESTION.replace("f", "\u034ff\ufe0f"),
}


@pytest.mark.parametrize("disguise", DISGUISES)
class TestDisguises:
    def test_it_is_the_same_text(self, disguise: str):
        assert DISGUISES[disguise] != QUESTION
        assert folded(DISGUISES[disguise]) == folded(QUESTION) == QUESTION.lower()

    def test_the_question_of_a_benchmark_is_found_beneath_it(self, disguise: str):
        connection = asked(DISGUISES[disguise])
        query(connection, HITS, {"contamination_words": 8, "min_contamination_ratio": 0.8})

        assert connection.sql("select question, benchmark_question from hits").fetchall() == [
            (DISGUISES[disguise], QUESTION)
        ]

    def test_a_short_question_is_found_beneath_it(self, disguise: str):
        connection = asked(DISGUISES[disguise])
        query(connection, HITS, {"contamination_words": 99, "min_contamination_ratio": 0.8})

        assert len(connection.sql("from hits").fetchall()) == 1

    def test_it_is_a_near_duplicate(self, disguise: str):
        connection = asked(DISGUISES[disguise], QUESTION)
        one, other = query(connection, SHINGLES, {}).fetchall()

        assert one[1] == other[1]

    def test_the_audit_finds_it(self, disguise: str):
        with pytest.raises(StageError, match="test_overlap"):
            audit(asked(DISGUISES[disguise]), CurateParams(max_tokens=None, max_traces_per_prompt=None), audits())


def audits() -> Path:
    """A folder of the one audit."""
    folder = Path("audits")
    folder.mkdir()
    (folder / "test_overlap.sql").write_text((ROOT / "stages/audits/test_overlap.sql").read_text())
    return folder


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def asked(*prompts: str) -> Any:
    """A connection with prompts, a trace of each, and a benchmark of one question."""
    connection = connect(threads=1)
    rows = [
        {"prompt_id": f"{n}", "trace_id": f"{n}", "source": "s", "question": text} for n, text in enumerate(prompts)
    ]
    connection.register("prompts", pa.Table.from_pylist(rows))
    connection.register("candidates", pa.Table.from_pylist(rows).select(["trace_id", "prompt_id"]))
    connection.execute("create table kept as select trace_id from candidates")
    connection.execute("create table rejected (trace_id varchar, reason varchar)")
    items = [{"benchmark": "b", "prompt_id": "q", "question": QUESTION}]
    connection.register("benchmarks", pa.Table.from_pylist(items))
    return connection


@pytest.mark.parametrize(("one", "other"), [("x", "y"), ("пол", "пил"), ("한국", "한글"), ("數學", "科學"), ("α", "β")])
def test_what_looks_different_is_different(one: str, other: str):
    assert folded(one) != folded(other)


@pytest.mark.parametrize("text", ["СКОЛЬКО ОВЕЦ", "ΠΟΣΑ ΠΡΟΒΑΤΑ", "STRASSE ÄÖ", "İSTANBUL"])
def test_case_does_not_count_in_other_scripts(text: str):
    assert folded(text) == folded(text.lower())


def test_a_text_that_can_be_carried_stays_as_it_is():
    text = "sh\u200beep \u00ad 😀 e\u0301 Ηοw\r\n\t"

    assert clean(text) == text
    assert clean("a\ud83d\0b") == "a?b"


def test_nothing_folds_to_nothing_in_sql():
    selected = connect(threads=1).sql("select folded(null), folded(''), folded('É'), folded('E')").fetchall()

    assert selected == [(None, "", "e", "e")]
