"""Ready-made answers become traces of the prompts they answer."""

import json
from pathlib import Path

import pytest

from branchmerge.core.errors import StageError
from branchmerge.core.files import read_rows, write_rows, write_sorted_rows
from branchmerge.core.records import PROMPT, SOURCE, TRACE
from stages import traces

PARAMS = """
run: {seed: 0}
traces: {samples_per_prompt: 1, temperature: 1, top_p: 1, max_tokens: 9}
domains:
  sums:
    prompts: {sources: [answers]}
    traces: {teacher: data/sources}
"""
ANSWERS = [
    ("What is 1+1?", "<think>1+1=2</think>2", "r1"),
    ("What is 1+1?", "It is 3.", "small"),
    ("What is 9+9?", "18", "r1"),
    ("What is 5+5?", None, None),
]


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(PARAMS)
    blank = dict.fromkeys(SOURCE.schema.names, "x")
    rows = [blank | {"question": q, "response": r, "teacher": t, "finish_reason": "stop"} for q, r, t in ANSWERS]
    write_sorted_rows(Path("data/sources/answers.parquet"), SOURCE, rows)
    return tmp_path


def imported(question: str) -> list[dict]:
    prompt = dict.fromkeys(PROMPT.schema.names, "x") | {"prompt_id": "p", "question": question}
    write_rows(Path("data/prompts/sums.parquet"), PROMPT, [prompt])
    traces.main("sums")
    return read_rows(Path("data/traces/sums.parquet"), TRACE)


def test_answers_of_several_teachers_to_one_question_are_traces(workspace: Path):
    rows = {row["teacher"]: row for row in imported("What is 1+1?")}

    assert rows.keys() == {"r1", "small"}
    assert (rows["r1"]["reasoning"], rows["r1"]["answer"]) == ("1+1=2", "2")
    assert (rows["small"]["reasoning"], rows["small"]["answer"]) == (None, "It is 3.")
    assert {row["prompt_id"] for row in rows.values()} == {"p"}
    assert len({row["trace_id"] for row in rows.values()}) == 2


def test_what_it_cost_stands_apart(workspace: Path):
    imported("What is 1+1?")

    assert json.loads(Path("reports/cost/traces-sums.json").read_text())["rows"] == 2


@pytest.mark.parametrize("question", ["What is 2+2?", "What is 5+5?"], ids=["no such question", "no answer to it"])
def test_no_answer_to_any_prompt_is_an_error_and_nothing_is_written(workspace: Path, question: str):
    with pytest.raises(StageError, match="at least one ready-made answer"):
        imported(question)

    assert not Path("data/traces").exists()
