"""Answers with their gold answers and what is known of them: public data sets, pairs of the tests, and mutants."""

import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.mutants import mutants

# families without one right answer up to equality of numbers, mathematics, lists and words
SEVERAL_RIGHT = {
    "boxnet": "any plan that works",
    "graph_color": "any colouring that works",
    "group_anagrams": "groups in any order, and in any order within",
    "jugs": "any sequence of moves that works",
    "palindrome_partitioning": "partitions in any order",
    "palindrome_generation": "any palindrome of the letters",
    "propositional_logic": "any conclusion that follows; there is no gold answer",
    "puzzle24": "any expression of the numbers that makes 24",
    "quantum_lock": "any shortest sequence of buttons",
    "shortest_path": "any shortest path",
    "tower_of_hanoi": "any sequence of moves that works",
    "word_ladder": "any ladder of words",
    "knight_swap": "any sequence of moves that works",
    "n_queens": "any placing of the queens",
    "cryptarithm": "any digits that add up",
    "sentence_reordering": "any order of words that shares enough with the gold one",
    "letter_jumble": "scored by the words that are right",
    "game_of_life_halting": "its scorer takes any answer for right",
}


@dataclass(frozen=True)
class Pair:
    """An answer, the gold one, and whether they say the same.

    Args:
        meta: JSON with the options of a multiple choice; None for any other.
    """

    answer: str
    gold: str
    is_right: bool
    meta: str | None = None


def of_the_tests(tests: Path) -> list[Pair]:
    """The pairs of tests/answer_kinds.txt."""
    lines = (tests / "answer_kinds.txt").read_text().split("\n\n", 1)[1].splitlines()
    found = [re.fullmatch("(.*) ([=!]=) (.*)", line) for line in lines]
    return [Pair(match[1].replace("⏎", "\n"), match[3], match[2] == "==") for match in found if match]


def gsm8k(file: Path) -> list[Pair]:
    """Each number of GSM8K's test set in a sentence, and the next number."""
    golds = [row["answer"].rpartition("#### ")[2] for row in _rows(file)]
    right = [Pair(f"So she pays ${gold} in all. The answer is {gold}.", gold, True) for gold in golds]
    return right + [Pair(f"The answer is {int(gold.replace(',', '')) + 1}.", gold, False) for gold in golds]


def mathematics(file: Path) -> list[Pair]:
    """Each answer of MATH boxed and written a little otherwise, and the answer of another problem of other digits."""
    golds = list(filter(None, _golds_of_math(file)))
    others = ((other, gold) for other, gold in zip(golds[1:], golds, strict=False) if _digits(other) != _digits(gold))
    written = [rf"So it is $\boxed{{{gold.replace(chr(92) + 'frac', chr(92) + 'tfrac')}}}$." for gold in golds]
    right = [Pair(answer, gold, True) for answer, gold in zip(written, golds, strict=True)]
    return right + [Pair(rf"\boxed{{{other}}}", gold, False) for other, gold in others]


def options(file: Path) -> list[Pair]:
    """The right letter of each question of MMLU in a sentence, the letter with its text, and the next letter."""
    pairs = []
    for row in _rows(file):
        place, texts = row["answer"], row["choices"]
        right, other, meta = "ABCD"[place], "ABCD"[(place + 1) % 4], json.dumps({"choices": texts})
        pairs.append(Pair(f"so the answer is ({right}).", right, True, meta))
        pairs.append(Pair(f"{right}) {texts[place]}", right, True, meta))
        pairs.append(Pair(f"The correct option is {other}.", right, False, meta))
    return pairs


def answers_of_models(file: Path) -> list[Pair]:
    """Whole answers of two models that the scorers of reasoning-gym gave all points; of families with one answer."""
    return [
        Pair(row["response"], row["expected_answer"], True)
        for row in _rows(file)
        if float(row["score"]) == 1.0 and row["family"] not in SEVERAL_RIGHT
    ]


def changed_golds(data: Path) -> list[Pair]:
    """Mutants of all gold answers of the folder: none may be accepted."""
    golds = [row["answer"].rpartition("#### ")[2] for row in _rows(data / "gsm8k/test.jsonl")]
    golds += _golds_of_math(data / "aime_hist_train/math.json.gz")
    golds += [row["expected_answer"] for row in _rows(data / "rg_eval_traces/traces.jsonl.gz")]
    return [Pair(changed, gold, False) for changed, gold in mutants(map(str, golds))]


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def _golds_of_math(file: Path) -> list[str]:
    with gzip.open(file, "rt") as text:
        return [str(row["answer"]) for row in json.load(text)]


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    text = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    yield from map(json.loads, text.splitlines())
