"""Public trace sets: their answers, however they are laid out, become traces."""

import gzip
import json
from pathlib import Path

import duckdb
import pytest

from branchmerge.core.errors import InputError
from branchmerge.core.files import read_rows
from branchmerge.core.records import PROMPT, TRACE
from branchmerge.sources.problems import split_of
from stages import prompts, traces
from stages.source import main
from tests.conftest import ROOT


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


# a row as each public trace set has it; the columns of params.yaml for it; the responses that should come out
THOUGHT = "<think>\nadd\n</think>\n{}"
SHAPES = {
    "OpenR1-Math-220k": (
        {
            "problem": "{}",
            "answer": "7",
            "generations": [THOUGHT.format(7), THOUGHT.format(8)],
            "correctness_math_verify": [True, False],
            "is_reasoning_complete": [True, False],
        },
        {
            "question": "problem",
            "answer": "answer",
            "response": "unnest(generations)",
            "teacher": "'DeepSeek-R1'",
            "finish_reason": "unnest([case when x then 'stop' else 'length' end for x in is_reasoning_complete])",
        },
        [(THOUGHT.format(7), "stop"), (THOUGHT.format(8), "length")],
    ),
    "OpenR1-Math-220k, correct ones": (
        {
            "problem": "{}",
            "answer": "7",
            "generations": [THOUGHT.format(7), THOUGHT.format(8)],
            "correctness_math_verify": [True, False],
        },
        {
            "question": "problem",
            "answer": "answer",
            "response": "unnest([g for g, i in generations if correctness_math_verify[i]])",
            "teacher": "'DeepSeek-R1'",
        },
        [(THOUGHT.format(7), "stop")],
    ),
    "OpenThoughts-114k": (
        {
            "system": "Think.",
            "conversations": [
                {"from": "user", "value": "{}"},
                {
                    "from": "assistant",
                    "value": "<|begin_of_thought|>\n\nadd\n\n<|end_of_thought|>\n\n"
                    "<|begin_of_solution|>\n\n7\n\n<|end_of_solution|>",
                },
            ],
        },
        {
            "question": "conversations[1].value",
            "reasoning": "regexp_extract(conversations[2].value, "
            "'<\\|begin_of_thought\\|>(.*)<\\|end_of_thought\\|>', 1, 's')",
            "solution": "regexp_extract(conversations[2].value, "
            "'<\\|begin_of_solution\\|>(.*)<\\|end_of_solution\\|>', 1, 's')",
            "teacher": "'DeepSeek-R1'",
        },
        [(THOUGHT.format(7), "stop")],
    ),
    "OpenThoughts-114k, metadata": (
        {"problem": "{}", "deepseek_reasoning": "add", "deepseek_solution": "7", "ground_truth_solution": "7"},
        {
            "question": "problem",
            "answer": "ground_truth_solution",
            "reasoning": "deepseek_reasoning",
            "solution": "deepseek_solution",
            "teacher": "'DeepSeek-R1'",
        },
        [(THOUGHT.format(7), "stop")],
    ),
    "s1K": (
        {"question": "{}", "solution": "7", "thinking_trajectories": ["add"], "attempt": "7"},
        {
            "question": "question",
            "answer": "solution",
            "reasoning": "thinking_trajectories[1]",
            "solution": "attempt",
            "teacher": "'gemini'",
        },
        [(THOUGHT.format(7), "stop")],
    ),
}


def imported(source: dict) -> list[dict]:
    """The traces of one domain from one source, by the stages source, prompts and traces."""
    params = {
        "run": {"seed": 0},
        "source": {"set": source},
        "traces": {"samples_per_prompt": 1, "temperature": 1, "top_p": 1, "max_tokens": 9},
        "domains": {"d": {"prompts": {"sources": ["set"]}, "traces": {"teacher": "data/sources"}}},
    }
    Path("params.yaml").write_text(json.dumps(params))
    main("set")
    prompts.main("d")
    traces.main("d")
    return read_rows(Path("data/traces/d.parquet"), TRACE)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_answers_of_a_public_trace_set_become_traces(workspace: Path, shape: str, suffix: str):
    row, columns, responses = SHAPES[shape]
    lines = [json.dumps(row).replace("{}", f"What is {number}+1?") for number in range(60)]
    (workspace / "set.jsonl").write_text("\n".join(lines))
    if suffix == "parquet":
        duckdb.connect().execute("copy (from read_json_auto('set.jsonl')) to 'set.parquet'")
    source = {"path": f"set.{suffix}", "licence": "MIT", "columns": columns, "max_train_rows": 9, "max_test_rows": 9}
    rows = imported(source)

    assert len(rows) == 9 * len(responses)
    assert {(row["response"], row["finish_reason"]) for row in rows} == set(responses)
    assert {row["reasoning"] for row in rows} == {"add"}


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"question": "q", "response": "r"}, "a teacher where there are answers"),
        ({"question": "q", "teacher": "t"}, "a teacher where there are answers"),
        ({"question": "q", "reasoning": "r", "teacher": "t"}, "both reasoning and solution"),
        ({"question": "q", "reasoning": "r", "solution": "s", "response": "x", "teacher": "t"}, "or both reasoning"),
    ],
)
def test_half_an_answer_is_refused(workspace: Path, columns: dict, said: str):
    source = {"path": "set.jsonl", "licence": "MIT", "columns": columns, "max_train_rows": 9, "max_test_rows": 9}
    params = {"run": {"seed": 0}, "source": {"set": source}}
    (workspace / "params.yaml").write_text(json.dumps(params))

    with pytest.raises(InputError, match=said):
        main("set")


REASONS = {
    "stop": "stop", "STOP": "stop", "eos": "stop", "end_turn": "stop", "FINISH_REASON_STOP": "stop", "": "stop",
    "length": "length", "max_tokens": "length", "MAX_TOKENS": "length", "content_filter": "refused", "heard": "stop",
}  # fmt: skip


def test_ready_made_answers_ended_as_other_words_say(workspace: Path):
    rows = [{"q": f"What is {said!r}?", "r": THOUGHT.format(7), "f": said} for said in REASONS]
    rows += [{"q": "What is null?", "r": "7", "f": None}, {"q": "What is cut?", "r": "<think>hm", "f": "heard"}]
    Path("set.jsonl").write_text("\n".join(map(json.dumps, rows)))
    columns = {"question": "q", "response": "r", "teacher": "'r1'", "finish_reason": "f"}
    source = {"path": "set.jsonl", "licence": "MIT", "columns": columns, "max_train_rows": 99, "max_test_rows": 0}
    found = imported(source)

    questions = {row["prompt_id"]: row["question"] for row in read_rows(Path("data/prompts/d.parquet"), PROMPT)}
    ended = {questions[row["prompt_id"]]: row["finish_reason"] for row in found}
    assert ended == {f"What is {said!r}?": reason for said, reason in REASONS.items()} | {
        "What is null?": "stop",
        "What is cut?": "length",
    }


REAL = ROOT.parent / "shared/data/rg_eval_traces/traces.jsonl.gz"


@pytest.mark.skipif(not REAL.is_file(), reason=f"NO REAL TRACES AT {REAL}: importing them is not tested")
def test_every_real_answer_of_two_teachers_becomes_a_trace(workspace: Path):
    """4,181 answers of QwQ-32B and Mistral-Small to reasoning-gym questions."""
    columns = {"question": "question", "answer": "expected_answer", "response": "response", "teacher": "model"}
    source = {"path": str(REAL), "licence": "Apache-2.0", "columns": columns}
    found = imported(source | {"max_train_rows": 10_000, "max_test_rows": 10_000})

    with gzip.open(REAL, "rt") as lines:
        rows = [json.loads(line) for line in lines]
    assert len(rows) == 4181
    learnt = {(row["question"], row["model"], row["response"]) for row in rows if split_of(row["question"]) == "train"}
    questions = {row["prompt_id"]: row["question"] for row in read_rows(Path("data/prompts/d.parquet"), PROMPT)}
    assert {(questions[row["prompt_id"]], row["teacher"], row["response"]) for row in found} == learnt
    assert len(found) == len(learnt) > 2000
