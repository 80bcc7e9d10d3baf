"""Multiple choice: the options under the question, in an order of their own, and the letter of the right one."""

import json
import random

from branchmerge.core.errors import InputError
from branchmerge.core.files import Row

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ASKED = "Which letter is right?"


def refuse_a_give_away(rows: list[Row], name: str) -> None:
    """Refuse a benchmark of which one letter is the answer throughout, and a question with two answers.

    Args:
        rows: By question.

    Raises:
        InputError: Ten questions or more have one letter, or one has two.
    """
    letters = {row["question"]: row["answer"] for row in rows}
    for row in rows:
        if row["answer"] != letters[row["question"]]:
            raise InputError(
                where=f"{name}: {row['question'][:80]!r}",
                expected="one right option",
                got=f"{row['answer']} in one row and {letters[row['question']]} in another",
                do="leave one of them out by where",
            )
    if len(letters) >= 10 and len(set(letters.values())) == 1:
        raise InputError(
            where=f"{name}: all {len(letters)} questions",
            expected="right options at several places",
            got=f"{rows[0]['answer']} throughout",
            do="set choices_seed, which puts the options in an order of their own, or correct columns.answer",
        )


def with_choices(row: Row, seed: int | None, path: str) -> Row:
    """A row whose question shows its options; its answer becomes a letter, its choices are kept in that order.

    Args:
        row: Its choices are a JSON list of texts, its answer the place of the right one, from 0.
        seed: Of the order, drawn for each question apart: a question more moves no other. None leaves the order.

    Raises:
        InputError: No list of two texts or more, more than there are letters, or a place outside them.
    """
    options = json.loads(row["choices"] or "null")
    where = f"{path}: {row['question'][:80]!r}"
    is_list = isinstance(options, list) and all(isinstance(option, str) and option for option in options)
    if not is_list or not 2 <= len(options) <= len(LETTERS):
        raise InputError(
            where=where,
            expected=f"2 to {len(LETTERS)} texts as choices",
            got=(row["choices"] or "none")[:200],
            do="correct columns.choices: a list of DuckDB, as [a, b] of columns or (text::json)::varchar[] of a JSON"
            " text; or leave such rows out by where",
        )
    place = row["answer"] or ""
    if not (place.isascii() and place.isdecimal()) or int(place) >= len(options):
        raise InputError(
            where=where,
            expected=f"the place of the right option, 0 to {len(options) - 1}, as answer",
            got=str(row["answer"]),
            do="correct columns.answer",
        )
    order = list(range(len(options)))
    if seed is not None:
        random.Random(json.dumps([seed, row["question"], options])).shuffle(order)
    shown = [options[index] for index in order]
    lines = [f"{letter}) {option}" for letter, option in zip(LETTERS, shown, strict=False)]
    return row | {
        "question": "\n".join([row["question"], _ASKED, *lines]),
        "answer": LETTERS[order.index(int(place))],
        "choices": json.dumps(shown, ensure_ascii=False),
    }
