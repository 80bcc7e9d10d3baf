"""Real answers of two teachers and real gold answers: the right ones are correct, broken ones are not."""

import gzip
import json
import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from bench.answer_sets import SEVERAL_RIGHT, changed_golds
from bench.mutants import other_digit, other_letter, other_sign
from branchmerge.core.params import read_params
from branchmerge.grading.answers import final_answer
from branchmerge.grading.judge import Judge, Question, VerifyParams
from tests.conftest import ROOT

DATA = ROOT.parent / "shared/data"
ANSWERS = DATA / "rg_eval_traces/traces.jsonl.gz"
GSM8K = DATA / "gsm8k/test.jsonl"
MATH = DATA / "aime_hist_train/math.json.gz"
MMLU = DATA / "mmlu_stem/test.jsonl"
PARAMS = read_params(VerifyParams, file=ROOT / "params.yaml").model_copy(update={"wall_s": 60.0})

# right by their own scorer and not by ours: the rule by which a row is recognised, how many there are, and why
KNOWN_REFUSED: dict[str, tuple[Callable[[str, str], bool], int]] = {
    "the gold answer is an integral left standing, the answer works it out": (lambda _, gold: "Integral(" in gold, 12),
    "the gold answer has the unit days, the answer has none, and unit_may_be_missing is off": (
        lambda answer, gold: gold == f"{answer} days",
        8,
    ),
    "'a angel' for 'an angel': other words are no equal text": (
        lambda answer, gold: "an angel" in gold and "a angel" in answer,
        2,
    ),
}
# scored below 1.0 and correct by ours
KNOWN_TAKEN: dict[str, tuple[Callable[[str, str], bool], int]] = {
    "the same letters, with a final stop": (lambda answer, gold: answer.removesuffix(".") == gold, 2),
    "roots rounded otherwise, within the relative tolerance": (
        lambda answer, _: bool(re.fullmatch(r"[-\d., ]+", answer)),
        15,
    ),
}


def rows() -> list[dict[str, Any]]:
    """Answers of the families with one right answer."""
    with gzip.open(ANSWERS, "rt") as lines:
        every = [json.loads(line) for line in lines]
    assert len(every) == 4181
    assert set(SEVERAL_RIGHT) <= {row["family"] for row in every}
    return [row for row in every if row["family"] not in SEVERAL_RIGHT]


def is_right(row: dict[str, Any]) -> bool:
    return float(row["score"]) == 1.0


@cache
def verdicts() -> tuple[str, ...]:
    """Of all rows; graded once for the tests of this file."""
    with Judge(PARAMS) as judge:
        grades = judge.grade_all(Question(row["response"], row["expected_answer"], None) for row in rows())
        return tuple(grade.verdict for grade in grades)


def explained(disagreements: list[tuple[str, str]], known: dict[str, tuple[Callable[[str, str], bool], int]]) -> None:
    """Every disagreement has one of the known reasons, and none has more than its number."""
    counted: Counter[str] = Counter()
    for answer, gold in disagreements:
        reasons = [reason for reason, (is_case, _) in known.items() if is_case(answer, gold)]
        assert len(reasons) == 1, f"{answer} against {gold}"
        counted.update(reasons)
    assert all(counted[reason] <= number for reason, (_, number) in known.items()), counted


REAL = pytest.mark.skipif(not ANSWERS.is_file(), reason=f"NO REAL ANSWERS AT {ANSWERS}: graders are not tested on them")


@REAL
@pytest.mark.slow
def test_a_right_answer_of_a_teacher_is_correct():
    judged = list(zip(rows(), verdicts(), strict=True))
    right = [(row, verdict) for row, verdict in judged if is_right(row)]
    refused = [(row, verdict) for row, verdict in right if verdict != "correct"]

    assert len(right) > 3000
    assert len(refused) <= 0.01 * len(right)
    assert {verdict for _, verdict in refused} == {"wrong"}  # no time-out, no error
    explained([(final_answer(row["response"]), row["expected_answer"]) for row, _ in refused], KNOWN_REFUSED)


@REAL
@pytest.mark.slow
def test_an_answer_that_its_scorer_takes_for_nearly_right_is_wrong():
    judged = list(zip(rows(), verdicts(), strict=True))
    nearly = [(row, verdict) for row, verdict in judged if not is_right(row)]
    taken = [row for row, verdict in nearly if verdict == "correct"]

    assert len(nearly) > 40
    explained([(final_answer(row["response"]), row["expected_answer"]) for row in taken], KNOWN_TAKEN)


def without_last(answer: str) -> str:
    return re.sub(r"\s*\S+$", "", answer)


def swapped(answer: str) -> str:
    """The first two words that differ, each in the other's place."""
    words = re.split(r"(\s+)", answer)
    for place in range(0, len(words) - 2, 2):
        if words[place] != words[place + 2]:
            words[place], words[place + 2] = words[place + 2], words[place]
            break
    return "".join(words)


BREAKS = (other_digit, without_last, swapped, other_letter, other_sign)
# broken by us and still correct
KNOWN_UNBROKEN: dict[str, tuple[Callable[[str, str], bool], int]] = {
    "solutions side by side have no order": (lambda changed, gold: changed.count(",") == gold.count(",") > 0, 5),
    "a star in front begins a list": (lambda changed, gold: changed.startswith("* ") and gold.endswith("C"), 10),
    "nought times any letter is nought": (lambda changed, gold: changed == "3.0 + 0.00j" and gold == "3.00", 1),
}


@REAL
@pytest.mark.slow
def test_a_broken_answer_is_not_correct():
    correct = {
        (final_answer(row["response"]), row["expected_answer"])
        for row, verdict in zip(rows(), verdicts(), strict=True)
        if verdict == "correct"
    }
    broken = {
        (damage(answer), answer, gold)
        for place, (answer, gold) in enumerate(sorted(correct))
        for damage in (BREAKS[place % len(BREAKS)], BREAKS[(place + 2) % len(BREAKS)])  # two each: all take a minute
    }
    questions = sorted((changed, gold) for changed, answer, gold in broken if changed not in (answer, ""))
    with Judge(PARAMS) as judge:
        grades = list(judge.grade_all(Question(changed, gold, None) for changed, gold in questions))
    unbroken = [pair for pair, grade in zip(questions, grades, strict=True) if grade.verdict == "correct"]

    assert len(questions) > 1500
    explained(unbroken, KNOWN_UNBROKEN)


@REAL
@pytest.mark.slow
def test_a_gold_answer_with_one_thing_changed_is_not_correct():
    mutants = changed_golds(DATA)
    with Judge(PARAMS) as judge:  # all of them take minutes: make bench NAME=grading
        grades = list(judge.grade_all(Question(pair.answer, pair.gold, None) for pair in mutants[::20]))
    accepted = [pair for pair, grade in zip(mutants[::20], grades, strict=True) if grade.verdict == "correct"]

    assert len(mutants) > 10_000
    assert accepted == []


@pytest.mark.skipif(not GSM8K.is_file(), reason=f"NO GSM8K AT {GSM8K}: graders are not tested on it")
def test_every_gold_answer_of_gsm8k_is_correct_and_its_neighbour_is_not():
    golds = [json.loads(line)["answer"].rpartition("#### ")[2] for line in GSM8K.read_text().splitlines()]
    numbers = [int(gold.replace(",", "")) for gold in golds]
    with Judge(PARAMS) as judge:
        same = [grade.verdict for grade in judge.grade_all(Question(gold, gold, None) for gold in golds)]
        boxed = judge.grade_all(
            Question(rf"so \boxed{{\${number:,}}}.", gold, None) for number, gold in zip(numbers, golds, strict=True)
        )
        written = [grade.verdict for grade in boxed]
        neighbours = judge.grade_all(
            Question(f"The answer is {number + 1}.", gold, None) for number, gold in zip(numbers, golds, strict=True)
        )
        off_by_one = [grade.verdict for grade in neighbours]

    assert len(golds) == 1319
    assert set(same) == set(written) == {"correct"}
    assert set(off_by_one) == {"wrong"}


@pytest.mark.skipif(not MATH.is_file(), reason=f"NO MATH AT {MATH}: graders are not tested on it")
@pytest.mark.slow
def test_a_gold_answer_of_math_written_otherwise_is_correct_and_anothers_is_not():
    with gzip.open(MATH, "rt") as text:
        golds = [str(row["answer"]) for row in json.load(text)][::3]
    others = [(answer, gold) for answer, gold in zip(golds[1:], golds, strict=False) if answer != gold]
    with Judge(PARAMS) as judge:
        written = [f"$ {gold} $".replace(r"\frac", r"\tfrac").replace("+", " + ") for gold in golds]
        same = list(judge.grade_all(Question(answer, gold, None) for answer, gold in zip(written, golds, strict=True)))
        different = list(judge.grade_all(Question(answer, gold, None) for answer, gold in others))

    refused = {gold for gold, grade in zip(golds, same, strict=True) if grade.verdict != "correct"}
    assert len(golds) > 2000
    assert refused <= {r"\frac1b", r"\text{(E)},", r"2007 + \frac\pi 2"}  # LaTeX that nobody else writes
    assert {grade.verdict for grade in different} == {"wrong"}


@pytest.mark.slow
@pytest.mark.skipif(not MMLU.is_file(), reason=f"NO MMLU AT {MMLU}: graders are not tested on it")
def test_the_right_option_of_mmlu_is_correct_by_letter_and_by_text_and_its_neighbour_is_not():
    questions = []
    for line in MMLU.read_text().splitlines():
        row = json.loads(line)
        meta, option = json.dumps({"choices": row["choices"]}), row["choices"][row["answer"]]
        right, next_one = "ABCD"[row["answer"]], "ABCD"[(row["answer"] + 1) % 4]
        answers = ((f"The answer is ({right}).", right), (f"{right}) {option}", right), (rf"\boxed{{{right}}}", option))
        questions += [(Question(answer, gold, None, meta), "correct") for answer, gold in answers]
        questions.append((Question(next_one, right, None, meta), "wrong"))
    with Judge(PARAMS) as judge:
        grades = list(judge.grade_all(question for question, _ in questions))

    surprises = {
        question.gold for (question, verdict), grade in zip(questions, grades, strict=True) if grade.verdict != verdict
    }
    assert len(questions) == 4 * 3018
    assert surprises <= {"c", "B", "687"}  # an option's text that is another's letter, and one that stands there twice
