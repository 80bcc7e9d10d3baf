"""A right answer is correct however it is written, a wrong one is wrong, and no program harms the judge."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from branchmerge.core.files import read_rows, write_rows
from branchmerge.core.params import read_section
from branchmerge.core.records import PROMPT, TRACE, VERDICT
from branchmerge.grading.grade import Grade
from branchmerge.grading.judge import Judge, Question
from branchmerge.grading.workers import Workers
from stages import verify
from tests.naps import Nap, burn_or_sleep, die_or_sleep, fill_memory, sleep
from tests.programs import verify_params

PARAMS = verify_params()

COMPARED = [
    # answer, gold, verdict
    ("56 N", "56 N", "correct"),
    ("56N", "56 N", "correct"),
    ("56.0 n", "56 N", "correct"),
    ("56.01 N", "56 N", "correct"),
    ("57 N", "56 N", "wrong"),
    ("56 J", "56 N", "wrong"),
    ("56", "56 N", "wrong"),
    ("-7", "7", "wrong"),
    ("1e3", "1000", "correct"),
    ("B", "b", "correct"),
    ("B.", "B", "correct"),
    ("A", "B", "wrong"),
    ("so it is 56 N", "56 N", "wrong"),
    ("1877.0 - 23.0i", "1877.0 - 23.0i", "correct"),
]


def test_answers_compare_as_numbers_with_units_or_as_text():
    with Judge(PARAMS) as judge:
        grades = list(judge.grade_all(Question(answer, gold, None) for answer, gold, _ in COMPARED))

    assert [grade.verdict for grade in grades] == [verdict for *_, verdict in COMPARED]


TESTS = "assert f(2) == 4\nassert f(3) == 9"

PROGRAMS = [
    # program, verdict, what the reason names
    ("def f(x): return x * x", "correct", ""),
    ("def f(x): return x + x", "wrong", "AssertionError"),
    ("def f(x) return x", "wrong", "SyntaxError"),
    ("def g(x): return x * x", "wrong", "NameError"),
    ("def f(x):\n while True: pass", "wrong", "time-out"),
    ("def f(x): return bytearray(10**10)", "wrong", "MemoryError"),
    ("def f(x): return f(x)", "wrong", "RecursionError"),
    ("import sys\nsys.exit(0)\ndef f(x): return x * x", "wrong", "NameError"),
    ("import sys\ndef f(x): sys.exit(0)", "wrong", "SystemExit"),
    ("import os\nos._exit(0)", "wrong", "ended before its tests"),
    ("open('f', 'w').write('x' * 2**21)\ndef f(x): return x * x", "wrong", "OSError"),
    ("print('passed')\ndef f(x): return 0", "wrong", "AssertionError"),
]


@pytest.mark.parametrize(("program", "verdict", "reason"), PROGRAMS, ids=[reason or "right" for *_, reason in PROGRAMS])
def test_a_program_is_run_with_limits(program: str, verdict: str, reason: str):
    with Judge(PARAMS) as judge:
        grade = judge.grade(program, None, TESTS)
        after = judge.grade("def f(x): return x * x", None, TESTS)

    assert (grade.verdict, grade.grader) == (verdict, "program")
    assert reason in grade.reason
    assert after.verdict == "correct"  # the judge goes on


def test_no_gold_answer_is_unverifiable_and_no_answer_is_wrong():
    with Judge(PARAMS) as judge:
        assert judge.grade("5", None, None).verdict == "unverifiable"
        assert judge.grade(None, "5", None).verdict == "wrong"
        assert judge.grade("", "5", None).verdict == "wrong"


def test_the_domain_and_the_prompt_choose_the_grader():
    params = PARAMS.model_copy(update={"graders": {"names": "text"}})
    options = '{"choices": ["5 m", "7 m"]}'
    with Judge(params) as general, Judge(params, "names") as of_names:
        assert general.grade("0.5 km", "500 m", None).grader == "quantity"
        assert of_names.grade("0.5 km", "500 m", None) == Grade("wrong", "not 500 m", "text")
        assert of_names.grade("(B)", "7 m", None, options) == Grade("correct", "", "choice")
        assert of_names.grade("def f(x): return x * x", "7 m", TESTS, options).grader == "program"


def test_verdicts_come_in_the_order_of_the_questions_which_are_read_as_needed():
    n_read = 0

    def questions():
        nonlocal n_read
        for number in range(1000):
            n_read += 1
            yield Question(str(number), str(number - number % 2), None)

    with Judge(PARAMS, workers=2) as judge:
        grades = judge.grade_all(questions())
        first = next(grades)
        n_read_at_first = n_read
        verdicts = [first.verdict, *(grade.verdict for grade in grades)]

    assert n_read_at_first < 100
    assert verdicts == ["correct", "wrong"] * 500


HANGING = "9^(9^(9^9))"


@pytest.mark.slow
def test_a_hang_is_unverifiable_and_the_worker_replaced():
    params = PARAMS.model_copy(update={"wall_s": 8.0})  # a busy machine may take seconds to import sympy
    with Judge(params) as judge:
        questions = [Question("x + 1", "1 + x", None), Question(HANGING, "x + 1", None), Question("3", "4", None)]
        before, hung, after = judge.grade_all(questions)

    assert before.verdict == "correct"
    assert hung == Grade("unverifiable", "time-out after 8 s", "auto")
    assert after.verdict == "wrong"


@pytest.mark.slow
def test_time_in_the_queue_does_not_count():
    with Workers(1, wall_s=0.5, memory_mib=256, grader="nap") as workers:
        grades = list(workers.grade_all(sleep, [Nap(0.2)] * 20))

    assert [grade.verdict for grade in grades] == ["correct"] * 20


@pytest.mark.timeout(60)
@pytest.mark.parametrize("n_workers", [1, 2, 3])
def test_one_slow_task_holds_up_the_others_only_for_a_while(n_workers: int):
    naps = [Nap(0.3 if place % 400 == 0 else 0) for place in range(1200)]
    with Workers(n_workers, wall_s=30, memory_mib=256, grader="nap") as workers:
        assert len(list(workers.grade_all(sleep, naps))) == 1200


def test_a_worker_that_dies_loses_only_its_own_task():
    with Workers(1, wall_s=5, memory_mib=256, grader="nap") as workers:
        before, died, after = workers.grade_all(die_or_sleep, [Nap(0), Nap(-1), Nap(0)])

    assert died == Grade("unverifiable", "grader died", "nap")
    assert (before.verdict, after.verdict) == ("correct", "correct")


def test_a_task_that_sleeps_too_long_is_ended_and_the_next_ones_are_right():
    with Workers(2, wall_s=0.4, memory_mib=256, grader="nap") as workers:
        grades = list(workers.grade_all(sleep, [Nap(seconds) for seconds in (0, 60, 0, 60, 0, 0)]))

    assert [grade.verdict for grade in grades] == [
        "correct", "unverifiable", "correct", "unverifiable", "correct", "correct",
    ]  # fmt: skip
    assert grades[1].reason == "time-out after 0.4 s"


def test_a_task_that_takes_too_much_memory_is_unverifiable():
    with Workers(1, wall_s=5, memory_mib=256, grader="nap") as workers:
        full, after = workers.grade_all(fill_memory, [2**30, 2**20])

    assert (full.verdict, full.reason.split(":")[0], full.grader) == ("unverifiable", "MemoryError", "nap")
    assert after.verdict == "correct"


@pytest.mark.slow
def test_a_worker_whose_parent_is_busy_is_ended_by_its_processor_limit():
    with Workers(1, wall_s=0.5, memory_mib=256, grader="nap") as workers:
        grades = workers.grade_all(burn_or_sleep, slowly([Nap(-1), Nap(0)]))
        burnt, after = grades

    assert burnt == Grade("unverifiable", "grader died", "nap")
    assert after.verdict == "correct"


def slowly(naps: list[Nap]):
    """Tasks from a source that keeps the parent busy after the first."""
    yield naps[0]
    time.sleep(4)
    yield from naps[1:]


def test_an_interruption_ends_at_once_what_still_runs():
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt), Workers(2, wall_s=60, memory_mib=256, grader="nap") as workers:
        for grade in workers.grade_all(burn_or_sleep, [Nap(0), Nap(-1), Nap(-1)]):
            assert grade.verdict == "correct"
            raise KeyboardInterrupt

    assert time.monotonic() - started < 10


def test_numbers_and_words_are_graded_without_the_libraries_of_mathematics(project: Path):
    script = (
        "import sys\n"
        "from branchmerge.grading import equality, task\n"
        "rules = equality.Equality('auto', 1e-3, False)\n"
        "pairs = [('56 N', '56 N'), ('57 N', '56 N'), ('7', '8'), ('1/2', '0.5'), ('B', 'C'), ('A', 'A')]\n"
        "for answer, gold in pairs: task.compare(task.Comparison(answer, gold, None, rules))\n"
        "print([name for name in ('sympy', 'pint', 'latex2sympy2_extended', 'pyarrow') if name in sys.modules])\n"
    )
    loaded = subprocess.run([sys.executable, "-c", script], cwd=project, capture_output=True, text=True, check=True)

    assert loaded.stdout.strip() == "[]"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("majority", "verdicts"),
    [
        (None, ["correct", "wrong", "unverifiable", "unverifiable", "unverifiable"]),
        ({"min_votes": 2, "min_share": 0.6}, ["correct", "wrong", "correct", "correct", "wrong"]),
        ({"min_votes": 3, "min_share": 0.6}, ["correct", "wrong", "unverifiable", "unverifiable", "unverifiable"]),
    ],
)
def test_where_no_answer_is_known_that_of_most_traces_is_taken(
    workspace: Path, project: Path, majority: dict | None, verdicts: list[str]
):
    section = {**read_section("verify", project / "params.yaml"), "majority": majority}
    (workspace / "params.yaml").write_text(json.dumps({"run": {"seed": 0}, "verify": section}))
    known = dict.fromkeys(PROMPT.schema.names) | {"prompt_id": "known", "answer": "0.5"}
    unknown = dict.fromkeys(PROMPT.schema.names) | {"prompt_id": "unknown"}
    write_rows(Path("data/prompts/math.parquet"), PROMPT, [known, unknown])
    answers = [("known", "1/2"), ("known", "1/3"), ("unknown", "0.25"), ("unknown", r"\boxed{1/4}"), ("unknown", "4")]
    traces = [
        dict.fromkeys(TRACE.schema.names) | {"trace_id": str(place), "prompt_id": prompt_id, "answer": answer}
        for place, (prompt_id, answer) in enumerate(answers)
    ]
    write_rows(Path("data/traces/math.parquet"), TRACE, traces)
    verify.main("math")

    rows = read_rows(Path("data/verdicts/math.parquet"), VERDICT)
    assert [row["verdict"] for row in rows] == verdicts


def test_any_number_of_answers_that_need_no_comparison_are_graded_in_a_row():
    with Judge(PARAMS) as judge:
        grades = list(judge.grade_all(Question(None, "1", None) for _ in range(1000)))

    assert [grade.reason for grade in grades] == ["no answer"] * 1000
