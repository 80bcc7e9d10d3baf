"""Questions as runs of words: what SQL finds of two texts is what a few lines of Python find."""

import random
import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from branchmerge.core.sql import connect, query
from branchmerge.core.text import folded
from branchmerge.curation.near_duplicates import SHINGLES, find_near_duplicates
from branchmerge.curation.selection import HITS

WORDS = ("a", "B", "see", "É", "漢", "字", "漢字", "7", "12", "x-y", "it's", "-")
LENGTHS = (0, 1, 2, 3, 4, 7, 8, 9, 15, 60)
LONG = 100_000  # words; what grows with their square takes minutes


def texts(count: int) -> list[str]:
    rng = random.Random(0)
    made = [" ".join(rng.choices(WORDS, k=rng.choice(LENGTHS))) for _ in range(count)]
    return [f"{made[number - 1]} a" if number % 5 == 0 else text for number, text in enumerate(made)]


def words_of(text: str, pattern: str = "") -> list[str]:
    return re.findall(rf"[\u4e00-\u9fff]|(?:(?![\u4e00-\u9fff])[^\W\d_])+{pattern}", folded(text))


def runs(words: list[str], length: int) -> list[tuple[str, ...]]:
    return [tuple(words[start : start + length]) for start in range(len(words) - length + 1)]


def hits(prompts: list[str], items: list[str], length: int | None, min_ratio: float) -> list[tuple[str, str, str]]:
    connection = connect(threads=1)
    for name, questions in (("prompts", prompts), ("benchmarks", items)):
        rows: list[dict[str, Any]] = [
            {"prompt_id": f"{number:03}", "source": "s", "benchmark": "b", "question": question}
            for number, question in enumerate(questions)
        ]
        connection.register(name, pa.Table.from_pylist(rows))
    query(connection, HITS, {"contamination_words": length, "min_contamination_ratio": min_ratio})
    found: list[tuple[str, str, str]] = connection.sql("select prompt_id, question_id, overlap from hits").fetchall()
    return found


def expected(prompts: list[str], items: list[str], length: int, min_ratio: float) -> Iterator[tuple[str, str, str]]:
    for p, prompt in enumerate(prompts):
        asked = words_of(prompt)
        places = {run: place for place, run in reversed(list(enumerate(runs(asked, length))))}
        for i, item in enumerate(items):
            words = words_of(item)
            wanted = set(runs(words, length))
            shared = wanted & places.keys()
            if shared and len(shared) >= min_ratio * len(wanted):
                first = min(places[run] for run in shared)
                yield f"{p:03}", f"{i:03}", " ".join(asked[first : first + length])
            numbers = (words_of(text, r"|\d+") for text in (item, prompt))
            if len(words) < length and words == asked and (len(words) >= 3 or len({*map(tuple, numbers)}) == 1):
                yield f"{p:03}", f"{i:03}", " ".join(words)


@pytest.mark.parametrize("length", [1, 2, 3, 5, 7, 8, 9])
def test_hits_are_the_shared_runs_of_any_length(length: int):
    prompts, items = texts(120), texts(60)
    wanted = list(expected(prompts, items, length, 0.6))

    assert len(wanted) > 60
    assert hits(prompts, items, length, 0.6) == wanted


def test_null_finds_no_hit():
    assert hits(["one two three"], ["one two three"], None, 0.6) == []


def test_shingles_are_the_hashes_of_the_runs_of_three():
    prompts = texts(200)
    connection = asked(prompts)
    found = dict(query(connection, SHINGLES, {}).fetchall())

    for number, prompt in enumerate(prompts):
        words = words_of(prompt, r"|\d+")
        lists = [list(run) for run in runs(words, 3)] or [words]
        hashes = connection.execute("select hash(unnest($lists::varchar[][]))", {"lists": lists}).fetchall()
        assert found[f"{number:03}"] == sorted({value for (value,) in hashes})


def test_a_question_as_long_as_a_book_is_compared_like_any_other():
    rng = random.Random(0)
    long = " ".join(
        f"w{'abcdefghij'[rng.randrange(10)]}{chr(97 + n % 26)}{chr(97 + n // 26 % 26)}" for n in range(LONG)
    )
    prompts, item = [long, f"{long} indeed", "why"], " ".join(long.split()[-40:])
    connection = asked(prompts)
    find_near_duplicates(connection, 0.7)

    assert [prompt_id for prompt_id, *_ in hits(prompts, [item], 8, 0.8)] == ["000", "001"]
    assert connection.sql("select prompt_id, twin_id from near_duplicates").fetchall() == [("001", "000")]


def asked(prompts: list[str]) -> Any:
    connection = connect(threads=1)
    rows = [{"prompt_id": f"{number:03}", "question": question} for number, question in enumerate(prompts)]
    connection.register("prompts", pa.Table.from_pylist(rows))
    connection.execute("create table candidates as select prompt_id, prompt_id as trace_id from prompts")
    connection.execute("create table rejected (trace_id varchar, reason varchar)")
    return connection
