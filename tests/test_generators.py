"""Generated problems: enough of them, never shared between splits, with answers that are right."""

import itertools
import re
from pathlib import Path

import pytest

from branchmerge.grading.judge import Judge
from branchmerge.sources.problems import Problem, problems, split_of
from tests.programs import verify_params

GENERATORS = sorted(Path(__file__).resolve().parent.parent.glob("stages/generators/*.py"))
EXACT = verify_params(relative_tolerance=0, program_wall_s=2)
CASES = pytest.mark.parametrize("source", GENERATORS, ids=[source.stem for source in GENERATORS])


def drawn(source: Path) -> list[Problem]:
    return problems(source, "train", seed=0, count=300)


def test_there_is_one_generator_for_each_domain_of_the_toy_and_one_of_all():
    assert [source.stem for source in GENERATORS] == ["arithmetic", "formulas", "functions", "general"]


def test_the_general_generator_draws_from_all_others():
    starts = {"Compute ": "arithmetic", "Write f(xs): ": "functions", "Convert ": "formulas"}
    (general,) = (source for source in GENERATORS if source.stem == "general")
    questions = [problem.question for problem in drawn(general)]

    assert {name for start, name in starts.items() if any(question.startswith(start) for question in questions)} == {
        "arithmetic",
        "functions",
        "formulas",
    }


@CASES
def test_splits_share_no_question(source: Path):
    train, dev, test = (
        {problem.question for problem in problems(source, split, seed, 300)}
        for split, seed in (("train", 0), ("dev", 1), ("test", 2))
    )

    assert not train & dev | train & test | dev & test
    assert all(split_of(question) == "test" for question in test)


@CASES
def test_the_same_seed_gives_the_same_problems_and_another_seed_others(source: Path):
    assert drawn(source) == drawn(source)
    assert drawn(source) != problems(source, "train", seed=1, count=300)


@pytest.mark.slow
@CASES
def test_every_gold_answer_is_judged_correct(source: Path):
    with Judge(EXACT) as judge:
        grades = [judge.grade(problem.answer, problem.answer, problem.tests) for problem in drawn(source)]

    assert {grade.verdict for grade in grades} == {"correct"}


@CASES
def test_every_worked_step_is_true(source: Path):
    steps = [step for problem in drawn(source) for step in re.findall(r"[\d+*/-]+=\d+", problem.reasoning)]

    assert steps or source.stem == "functions"
    assert [step for step in steps if eval(step.replace("=", "=="), {}) is not True] == []


def test_repeated_addition_counts_down_to_its_answer():
    (arithmetic,) = (source for source in GENERATORS if source.stem == "arithmetic")
    repeated = [problem for problem in drawn(arithmetic) if problem.question.startswith("Start at")]

    assert len(repeated) > 30
    for problem in repeated:
        start, k, times = map(int, re.findall(r"\d+", problem.question))
        steps = [tuple(map(int, re.findall(r"\d+", step))) for step in problem.reasoning.split("; ")]
        assert steps == [(times - i, start + i * k, k, start + (i + 1) * k) for i in range(times)]
        assert problem.answer == str(start + times * k)


def test_some_answers_are_much_longer_than_most_as_those_of_reasoning_are():
    lengths = sorted(len(problem.reasoning) for source in GENERATORS for problem in drawn(source))

    assert lengths[-1] > 5 * lengths[len(lengths) // 2]


def test_a_program_of_another_problem_fails_the_tests():
    source = next(source for source in GENERATORS if source.stem == "functions")
    some = drawn(source)[:100]
    with Judge(EXACT) as judge:
        grades = [judge.grade(other.answer, None, problem.tests) for problem, other in itertools.pairwise(some)]

    wrong = sum(grade.verdict == "wrong" for grade in grades)
    assert wrong >= 97  # two chains may do the same
