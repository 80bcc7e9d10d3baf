"""Ready-made answers become traces of the prompts they answer."""

import json
from pathlib import Path

import pytest

from stages import traces
from stages.shared.errors import StageError
from stages.shared.files import read_rows, write_rows
from stages.shared.records import PROMPT, TRACE

PARAMS = """
run: {seed: 0, threads: 1}
traces: {engine: vllm, samples_per_prompt: 1, temperature: 1, top_p: 1, max_tokens: 9}
domains:
  sums:
    traces:
      teacher: answers.jsonl
      columns: {question: problem, response: generation, teacher: model}
      where: grade = 1
"""
ANSWERS = [
    {"problem": "What is 1+1?", "generation": "<think>1+1=2</think>2", "model": "r1", "grade": 1},
    {"problem": "What is 1+1?", "generation": "It is 3.", "model": "small", "grade": 1},
    {"problem": "What is 1+1?", "generation": "no", "model": "r1", "grade": 0},
    {"problem": "What is 9+9?", "generation": "18", "model": "r1", "grade": 1},
]


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ANSWERS))
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


def test_no_answer_to_any_prompt_is_an_error_and_nothing_is_written(workspace: Path):
    with pytest.raises(StageError, match="at least one answer to a prompt"):
        imported("What is 2+2?")

    assert not Path("data/traces").exists()
