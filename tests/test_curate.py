"""Each rule rejects what it names and nothing else; nothing vanishes; what must not be stops the build."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from branchmerge.core.errors import StageError
from branchmerge.core.records import COUNT, PROMPT, TRACE, VERDICT
from branchmerge.core.sql import connect, query
from branchmerge.curation.output import FUNNEL
from branchmerge.curation.params import CurateParams
from branchmerge.curation.selection import CHOICES, audit, select
from stages.curate import AUDITS, RULES

THOUGHT = "<think>\nThree times four is twelve.\n</think>\n12"
PARAMS = CurateParams(
    max_tokens=50,
    min_tokens=5,
    require_thought=True,
    max_foreign_ratio=0.1,
    max_repeated_ratio=0.5,
    min_distinct_ratio=0.2,
    min_pass_rate=0.3,
    max_pass_rate=None,
    contamination_words=8,
    near_duplicate_similarity=0.7,
    max_traces_per_prompt=2,
)
BENCHMARK = "A farmer has 12 sheep and buys 5 more. How many sheep does the farmer have now?"
QUESTIONS = {
    "p0": "What is three times four?",
    "p1": "Name the capital of the country where the river Loire ends.",
    "p2": "How fast does light travel through a block of glass?",
    "contaminated": "Solve: a farmer has 99 sheep and buys 7 more. how many SHEEP does the farmer have now? Show work.",
    "twin of p1": "name the capital of the country where the river Loire ends",
}
GOOD = {
    "prompt_id": "p0",
    "sample_index": 0,
    "finish_reason": "stop",
    "verdict": "correct",
    "n_tokens": 10,
    "source": "s",
}
PROMPT_ROW = {"domain": "d", "licence": "l", "answer": "1", "tests": None, "meta": "{}"}
ORDERED = "create or replace view traces as select *, {} - 1 as file_row_number from traces_rows"
TRACE_ROW = dict.fromkeys(TRACE.schema.names) | {"answer": "1", "prompt_tokens": 1, "completion_tokens": 1}


def tables(*candidates: dict[str, Any], threads: int = 1) -> Any:
    """A DuckDB with candidate n as trace t<n>, which is GOOD but as given."""
    rows = [{**GOOD, "response": f"{THOUGHT}{n}", "trace_id": f"t{n}", **given} for n, given in enumerate(candidates)]
    sources = {row["prompt_id"]: row["source"] for row in rows}
    benchmark = PROMPT_ROW | {"prompt_id": "b0", "source": "s", "question": BENCHMARK}
    prompts = [
        PROMPT_ROW | {"prompt_id": name, "source": sources.get(name, "s"), "question": question}
        for name, question in QUESTIONS.items()
    ]
    connection = connect(threads)
    for name, record, content in (
        ("prompts", PROMPT, prompts),
        ("traces", TRACE, [TRACE_ROW | {key: row[key] for key in TRACE.schema.names if key in row} for row in rows]),
        ("verdicts", VERDICT, [{"reason": "", "grader": "text"} | row for row in rows]),
        ("counts", COUNT, rows),
    ):
        connection.register(f"{name}_rows", pa.Table.from_pylist(content, schema=record.schema))
        connection.execute(f"create view {name} as select * from {name}_rows")
    connection.execute(ORDERED.format("row_number() over (order by trace_id)"))
    connection.register("items", pa.Table.from_pylist([benchmark], schema=PROMPT.schema))
    connection.execute("create view benchmarks as select *, domain as benchmark from items")
    return connection


def curated(
    *candidates: dict[str, Any], params: CurateParams = PARAMS, **changes: Any
) -> tuple[set[str], set[tuple[str, str]]]:
    """Kept trace ids, and (trace_id, reason) of the rejected; the audits hold."""
    connection = tables(*candidates)
    select(connection, params.model_copy(update=changes), RULES)
    audit(connection, params.model_copy(update=changes), AUDITS)
    kept = {trace_id for (trace_id,) in connection.sql("from kept").fetchall()}
    return kept, set(connection.sql("select trace_id, reason from rejected").fetchall())


def test_a_good_trace_is_kept():
    assert curated({}) == ({"t0"}, set())


WORDS = " ".join(f"w{n}" for n in range(100))
# what differs from a good trace, and the one rule that minds it
BROKEN = [
    ({"verdict": "wrong"}, "not_correct"),
    ({"verdict": "unverifiable"}, "not_correct"),
    ({"finish_reason": "length"}, "truncated"),
    *(({"finish_reason": reason}, "unanswered") for reason in ("empty", "refused", "malformed", "error")),
    ({"n_tokens": 51}, "too_long"),
    ({"n_tokens": 4}, "too_short"),
    ({"response": "Twelve."}, "malformed_thought"),
    ({"response": "<think>Never ends, so no answer comes."}, "malformed_thought"),
    ({"response": "<think>Twelve.</think>Ten.</think>12"}, "malformed_thought"),
    ({"response": "<think>Twelve.</think> \n"}, "malformed_thought"),
    ({"response": "<think> \n</think>12"}, "malformed_thought"),
    ({"response": "First. <think>Twelve.</think>12"}, "malformed_thought"),
    ({"response": "<think>Twelve.</think><think>12"}, "malformed_thought"),
    ({"response": "<think>等等，让我再想一想这个问题</think>12"}, "foreign_script"),
    ({"response": f"<think>{'Wait, I must check this step again. ' * 9}</think>12"}, "repetitive"),
    ({"response": f"<think>{'and so on ' * 99}</think>12 is it"}, "stuck"),
    ({"prompt_id": "contaminated"}, "contaminated"),
    ({"prompt_id": "twin of p1"}, "near_duplicate"),
]
# what looks like it and is none
SOUND = [
    {"finish_reason": "stop", "n_tokens": 50},
    {"n_tokens": 5},
    {"response": "Three times four is twelve.</think>12"},
    {"response": "<think>α und β: Größe ×, naïve</think>12"},
    {"response": "<think>等</think>12 is the answer, in one character of another script"},
    {"response": "<think>Wait, twelve. Wait, again twelve is right</think>12"},
    {"response": f"<think>{WORDS}</think>12"},
    {"response": "<think>and so on and so on and so on</think>12"},
]


@pytest.mark.parametrize(("broken", "reason"), BROKEN, ids=[f"{reason}: {broken}" for broken, reason in BROKEN])
def test_a_trace_that_breaks_one_rule_is_rejected_for_it_alone(broken: dict[str, Any], reason: str):
    beside = [{"prompt_id": "p1"}, {"sample_index": 1}, {"sample_index": 2}]  # two right ones: p0 is not too hard

    assert curated(broken, *beside) == ({"t1", "t2", "t3"}, {("t0", reason)})


@pytest.mark.parametrize("sound", SOUND, ids=str)
def test_a_trace_that_only_looks_broken_is_kept(sound: dict[str, Any]):
    assert curated(sound) == ({"t0"}, set())


def test_the_same_response_twice_is_kept_once():
    assert curated({"response": THOUGHT, "sample_index": 1}, {"response": THOUGHT, "sample_index": 0}) == (
        {"t1"},
        {("t0", "duplicate")},
    )


def test_the_same_response_to_another_prompt_is_no_duplicate():
    assert curated({"response": THOUGHT}, {"response": THOUGHT, "prompt_id": "p1"}) == ({"t0", "t1"}, set())


def test_a_prompt_the_teacher_hardly_ever_gets_right_is_too_hard():
    wrong = [{"verdict": "wrong"}] * 3

    assert ("t0", "too_hard") in curated({}, *wrong)[1]
    assert ("t0", "too_hard") not in curated({}, *wrong[:2])[1]
    assert ("t0", "too_hard") not in curated({}, *wrong[:2], {"verdict": "unverifiable"})[1]


def test_a_prompt_the_teacher_always_gets_right_is_too_easy():
    assert curated({}, {}, {}, max_pass_rate=0.9)[1] == {(f"t{n}", "too_easy") for n in range(3)}
    assert curated({}, {}, {"verdict": "wrong"}, max_pass_rate=0.9)[0] == {"t0", "t1"}


def test_a_twin_takes_the_place_of_a_prompt_whose_traces_are_all_rejected():
    assert curated({"prompt_id": "p1", "n_tokens": 99}, {"prompt_id": "twin of p1"})[0] == {"t1"}


def test_a_certificate_names_the_benchmark_and_the_words_they_share():
    connection = tables({"prompt_id": "contaminated"}, {})
    select(connection, PARAMS, RULES)

    assert connection.sql("select prompt_id, source, benchmark, question_id, overlap from hits").fetchall() == [
        ("contaminated", "s", "d", "b0", "a farmer has sheep and buys more how")
    ]


def test_of_too_many_traces_the_shortest_are_kept_or_as_ordered():
    traces = ({"n_tokens": 30, "sample_index": 1}, {"n_tokens": 10, "sample_index": 2}, {"n_tokens": 20})

    assert curated(*traces) == ({"t1", "t2"}, {("t0", "surplus")})
    assert curated(*traces, trace_order="longest") == ({"t0", "t2"}, {("t1", "surplus")})
    assert curated(*traces, trace_order="first") == ({"t0", "t2"}, {("t1", "surplus")})


def test_a_source_gives_no_more_than_its_quota_and_every_prompt_before_any_twice():
    traces = [{"prompt_id": prompt, "source": source} for prompt, source in (("p0", "a"), ("p1", "a"), ("p2", "b"))]

    assert curated(*traces, traces[0], max_traces_by_source={"a": 2}) == (
        {"t0", "t1", "t2"},
        {("t3", "over_quota")},
    )


def test_a_rejected_trace_takes_no_place_of_a_good_one():
    kept, _ = curated({"n_tokens": 5, "verdict": "wrong"}, {"n_tokens": 10}, {"n_tokens": 20})

    assert kept == {"t1", "t2"}


def test_every_reason_is_kept():
    assert curated({"verdict": "wrong", "n_tokens": 99, "finish_reason": "length"}, min_pass_rate=None)[1] == {
        ("t0", "not_correct"),
        ("t0", "too_long"),
        ("t0", "truncated"),
    }


def test_null_switches_everything_off_that_has_a_threshold():
    off = CurateParams(max_tokens=None, max_traces_per_prompt=None)
    traces = [{"n_tokens": 99}, {"n_tokens": 1}, {"response": "Twelve."}, *(broken for broken, _ in BROKEN[11:])]

    assert curated(*traces, params=off)[1] == set()


def test_the_funnel_counts_in_out_and_what_only_one_rule_took():
    connection = tables(
        {}, {"verdict": "wrong"}, {"verdict": "wrong", "n_tokens": 99}, {"prompt_id": "p1", "source": "b"}
    )
    select(connection, PARAMS, RULES)
    funnel = query(connection, FUNNEL, {}).to_arrow_table().to_pylist()
    of_all = {row["reason"]: row for row in funnel if row["source"] is None}

    counts = {reason: (row["n_in"], row["n_rejected"], row["n_only"], row["n_left"]) for reason, row in of_all.items()}
    assert counts["not_correct"] == (4, 2, 1, 2)
    assert counts["too_long"] == (4, 1, 0, 2)
    assert counts["over_quota"] == (4, 0, 0, 2)
    assert {(row["source"], row["n_in"]) for row in funnel} == {(None, 4), ("s", 3), ("b", 1)}
    assert [row["position"] for row in funnel if row["source"] == "b"] == list(range(len(of_all)))


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        ("insert into kept select 't0'", "repeated_key"),
        ("delete from kept where trace_id = 't0'", "unaccounted"),
        ("insert into rejected values ('t0', 'truncated')", "unaccounted"),
        ("delete from candidates where trace_id = 't1'; delete from rejected where trace_id = 't1'", "unaccounted"),
        ("insert into rejected values ('t1', 'too_long')", "repeated_key"),
        ("update candidates set n_tokens = 51 where trace_id = 't0'", "over_length"),
        (ORDERED.format("row_number() over (order by trace_id desc)"), "unsorted"),
    ],
)
def test_a_failed_audit_stops_the_build_and_shows_the_rows(damage: str, name: str):
    connection = tables({}, {"n_tokens": 99})
    select(connection, PARAMS, RULES)
    connection.execute(damage)

    with pytest.raises(StageError, match=rf"{name}.*'t[01]'"):
        audit(connection, PARAMS, AUDITS)


def test_a_question_of_a_benchmark_is_never_kept_even_with_the_rule_off():
    connection = tables({})
    connection.execute("create or replace view benchmarks as select *, 'b' as benchmark from prompts")
    select(connection, PARAMS.model_copy(update={"contamination_words": None}), RULES)

    with pytest.raises(StageError, match="test_overlap"):
        audit(connection, PARAMS, AUDITS)


def test_every_rule_choice_and_audit_has_a_case_here(project: Path):
    own = {"duplicate", "too_easy", "too_hard"}
    assert {rule.stem for rule in (project / RULES).glob("*.sql")} | {"near_duplicate"} == {
        reason for _, reason in BROKEN
    } | own
    assert {file.stem for file in CHOICES} == {"near_duplicate", "surplus", "over_quota"}
    assert {file.stem for file in CHOICES} == {file.stem for file in (project / CHOICES[0].parent).glob("*.sql")}
    assert {file.stem for file in (project / AUDITS).glob("*.sql")} == {
        "repeated_key",
        "unaccounted",
        "over_length",
        "test_overlap",
        "unsorted",
    }
