"""Each rule rejects what it names and nothing else; nothing vanishes."""

from pathlib import Path
from typing import Any

import pytest

from stages.curate import RULES, CurateParams, select

PARAMS = CurateParams(max_tokens=50, max_traces_per_prompt=2)
PROMPTS = [
    {
        "prompt_id": f"p{n}",
        "domain": "d",
        "source": "s",
        "licence": "l",
        "question": f"q{n}",
        "answer": "1",
        "tests": None,
        "meta": "{}",
    }
    for n in range(3)
]
GOOD = {
    "prompt_id": "p0",
    "sample_index": 0,
    "response": "r",
    "finish_reason": "stop",
    "verdict": "correct",
    "n_tokens": 10,
}


def curated(*candidates: dict[str, Any], params: CurateParams = PARAMS) -> tuple[set[str], set[tuple[str, str]]]:
    """Kept trace ids, and (trace_id, reason) of the rejected; candidate n is trace t<n>, GOOD but as given."""
    rows = [{**GOOD, "response": f"r{n}", "trace_id": f"t{n}", **given} for n, given in enumerate(candidates)]
    traces = [
        {"reasoning": None, "answer": "1", "error": None, "prompt_tokens": 1, "completion_tokens": 1, "teacher": "t"}
        | {key: row[key] for key in ("trace_id", "prompt_id", "sample_index", "response", "finish_reason")}
        for row in rows
    ]
    verdicts = [
        {"trace_id": row["trace_id"], "verdict": row["verdict"], "reason": "", "grader": "text"} for row in rows
    ]
    lengths = [{"trace_id": row["trace_id"], "n_tokens": row["n_tokens"]} for row in rows]
    kept, rejected = select(PROMPTS, traces, verdicts, lengths, params, threads=1)
    return {row["trace_id"] for row in kept}, {(row["trace_id"], row["reason"]) for row in rejected}


def test_a_good_trace_is_kept():
    assert curated({}) == ({"t0"}, set())


# what differs from a good trace, and the one rule that minds it
BROKEN = [
    ({"verdict": "wrong"}, "not_correct"),
    ({"verdict": "unverifiable"}, "not_correct"),
    ({"finish_reason": "length"}, "truncated"),
    *(({"finish_reason": reason}, "unanswered") for reason in ("empty", "refused", "malformed", "error")),
    ({"n_tokens": 51}, "too_long"),
]


@pytest.mark.parametrize(("broken", "reason"), BROKEN, ids=[f"{reason}: {broken}" for broken, reason in BROKEN])
def test_a_trace_that_breaks_one_rule_is_rejected_for_it_alone(broken: dict[str, Any], reason: str):
    assert curated(broken, {"prompt_id": "p1"}) == ({"t1"}, {("t0", reason)})


def test_the_same_response_twice_is_kept_once():
    assert curated({"response": "r", "sample_index": 1}, {"response": "r", "sample_index": 0}) == (
        {"t1"},
        {("t0", "repeated")},
    )


def test_the_same_response_to_another_prompt_is_no_repetition():
    assert curated({"response": "r"}, {"response": "r", "prompt_id": "p1"}) == ({"t0", "t1"}, set())


def test_of_too_many_traces_the_shortest_are_kept():
    assert curated({"n_tokens": 30}, {"n_tokens": 10}, {"n_tokens": 20}) == ({"t1", "t2"}, {("t0", "surplus")})


def test_a_rejected_trace_takes_no_place_of_a_good_one():
    kept, _ = curated({"n_tokens": 5, "verdict": "wrong"}, {"n_tokens": 10}, {"n_tokens": 20})

    assert kept == {"t1", "t2"}


def test_every_reason_is_kept():
    assert curated({"verdict": "wrong", "n_tokens": 99, "finish_reason": "length"})[1] == {
        ("t0", "not_correct"),
        ("t0", "too_long"),
        ("t0", "truncated"),
    }


def test_null_switches_a_threshold_off():
    off = CurateParams(max_tokens=None, max_traces_per_prompt=None)

    assert curated({"n_tokens": 99}, {}, {}, params=off) == ({"t0", "t1", "t2"}, set())


def test_in_is_kept_and_rejected():
    candidates = [
        {"verdict": verdict, "n_tokens": n, "prompt_id": f"p{n % 3}"}
        for n in range(40, 60)
        for verdict in ("correct", "wrong")
    ]
    kept, rejected = curated(*candidates)

    assert kept | {trace_id for trace_id, _ in rejected} == {f"t{n}" for n in range(len(candidates))}
    assert not kept & {trace_id for trace_id, _ in rejected}


def test_every_rule_has_a_case_here(project: Path):
    rules = {rule.stem for rule in (project / RULES).glob("*.sql")}

    assert rules == {reason for _, reason in BROKEN} | {"repeated"}
