"""A trace is counted as the student will see it."""

import json
from pathlib import Path

import pytest

from branchmerge.chat.conversation import exchange, training_row
from branchmerge.core.files import read_rows, write_rows
from branchmerge.core.params import PARAMS
from branchmerge.core.records import COUNT, PROMPT, TRACE
from stages import count
from tests.learner import ANSWER, QUESTIONS, tiny_tokenizer

RESPONSES = {"a": ANSWER, "b": "", "c": None, "d": "<think>\nlonger by far\n</think>\n7"}


@pytest.fixture
def counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Of one trace a prompt, by trace_id."""
    monkeypatch.chdir(tmp_path)
    tiny_tokenizer().save_pretrained("models/student")
    PARAMS.write_text(json.dumps({"count": {"tokenizer": "models/student"}}))
    prompt, trace = dict.fromkeys(PROMPT.schema.names), dict.fromkeys(TRACE.schema.names)
    asked = dict(zip(RESPONSES, QUESTIONS, strict=False))
    prompts = [prompt | {"prompt_id": f"p{name}", "question": asked[name]} for name in RESPONSES]
    traces = [trace | {"trace_id": name, "prompt_id": f"p{name}", "response": text} for name, text in RESPONSES.items()]
    write_rows(Path("data/prompts/math.parquet"), PROMPT, prompts)
    write_rows(Path("data/traces/math.parquet"), TRACE, traces)
    count.main("math")
    return {row["trace_id"]: row["n_tokens"] for row in read_rows(Path("data/counts/math.parquet"), COUNT)}


def test_a_trace_has_as_many_tokens_as_the_row_that_is_learnt(counts: dict[str, int]):
    tokenizer = tiny_tokenizer()
    for name, question in (("a", QUESTIONS[0]), ("d", QUESTIONS[3])):
        row = training_row(tokenizer, exchange(question, RESPONSES[name]))
        assert counts[name] == len(row["input_ids"])


def test_every_trace_is_counted_also_one_without_an_answer(counts: dict[str, int]):
    assert counts.keys() == RESPONSES.keys()
    assert 0 < counts["b"] < counts["a"] < counts["d"]
    assert counts["c"] == counts["b"]
