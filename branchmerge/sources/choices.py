"""Multiple choice: the options under the question, in an order of their own, and the letter of the right one."""

import json
import random

from branchmerge.core.errors import InputError
from branchmerge.core.files import Row

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ASKED = "Which letter is right?"


def refuse_one_letter(rows: list[Row], name: str) -> None:
    """Refuse a benchmark of which one letter is the answer throughout: who always gives it would know everything.

    Raises:
        InputError: It has ten rows or more, and one letter.
    """
    letters = {row["answer"] for row in rows}
    if len(rows) >= 10 and len(letters) == 1:
        raise InputError(
            where=f"{name}: all {len(rows)} rows",
            expected="right options at several places",
            got=f"{letters.pop()} throughout",
            do="set choices_seed, which puts the options in an order of their own, or correct columns.answer",
        )


def with_choices(row: Row, seed: int | None, path: str) -> Row:
    """A row whose question shows its options; its answer becomes a letter, its choices are kept in that order.

    Args:
        row: Its choices are a JSON list of texts, its answer the place of the right one, from 0.
        seed: Of the order, drawn for each question apart: a question more moves no other. None leaves the order.

    Raises:
        InputError: Fewer than two options, two alike, more than there are letters, or a place outside them.
    """
    options = json.loads(row["choices"] or "[]")
    where = f"{path}: {row['question'][:80]!r}"
    if not 2 <= len(options) <= len(LETTERS) or not all(isinstance(option, str) and option for option in options):
        raise InputError(
            where=where,
            expected=f"2 to {len(LETTERS)} texts as choices",
            got=row["choices"] or "none",
            do="correct columns.choices, or leave such rows out by where",
        )
    if not (row["answer"] or "").isdigit() or int(row["answer"]) >= len(options):
        raise InputError(
            where=where,
            expected=f"the place of the right option, 0 to {len(options) - 1}, as answer",
            got=str(row["answer"]),
            do="correct columns.answer",
        )
    order = list(range(len(options)))
    if seed is not None:
        random.Random(json.dumps([seed, row["question"], options])).shuffle(order)
    shown = [options[place] for place in order]
    lines = [f"{letter}) {option}" for letter, option in zip(LETTERS, shown, strict=False)]
    return row | {
        "question": "\n".join([row["question"], _ASKED, *lines]),
        "answer": LETTERS[order.index(int(row["answer"]))],
        "choices": json.dumps(shown, ensure_ascii=False),
    }
