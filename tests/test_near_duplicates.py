"""Near-duplicates against brute force: each pair above the threshold is found, and none below."""

import random
import re
from itertools import combinations

import pyarrow as pa

from branchmerge.core.sql import connect
from branchmerge.curation.near_duplicates import find_near_duplicates

SIMILARITY = 0.7


def shingles(question: str) -> set[tuple[str, ...]]:
    words = re.findall(r"[^\W\d_]+|\d+", question.lower())
    return {tuple(words[i : i + 3]) for i in range(max(len(words) - 2, 1))}


def questions() -> list[str]:
    """300 random questions; two thirds are followed by a copy with a few words changed."""
    rng = random.Random(0)
    words = [f"{a}{b}" for a in ("ka", "lo", "mi", "nu", "pe") for b in ("bra", "cus", "dor", "fen", "gil", "ham")]
    made = []
    for number in range(300):
        original = [rng.choice(words) for _ in range(40)]
        made.append(" ".join(original))
        if number % 3:
            copy = list(original)
            for place in rng.sample(range(40), number % 5):
                copy[place] = rng.choice(words)
            made.append(" ".join(copy).upper() + "!")
    return made


def found(asked: list[str], similarity: float | None) -> dict[int, tuple[int, float]]:
    connection = connect(threads=1)
    rows = [{"prompt_id": f"{number:04}", "question": question} for number, question in enumerate(asked)]
    connection.register("prompts", pa.Table.from_pylist(rows))
    connection.execute("create table candidates as select prompt_id, prompt_id as trace_id from prompts")
    connection.execute("create table rejected (trace_id varchar, reason varchar)")
    find_near_duplicates(connection, similarity)
    twins = connection.sql("select prompt_id, twin_id, similarity from near_duplicates").fetchall()
    return {int(prompt): (int(twin), similarity) for prompt, twin, similarity in twins}


def test_every_pair_above_the_threshold_is_found_with_its_similarity_and_none_below():
    asked = questions()
    sets = [shingles(question) for question in asked]
    similarities = {
        (i, j): len(sets[i] & sets[j]) / len(sets[i] | sets[j]) for i, j in combinations(range(len(sets)), 2)
    }
    wanted = {j: (i, share) for (i, j), share in similarities.items() if share >= SIMILARITY}

    assert 100 < len(wanted) < 200
    assert found(asked, SIMILARITY) == wanted


def test_null_finds_nothing():
    assert found(["the same words", "the same words"], None) == {}


def test_short_questions_are_compared_as_a_whole():
    assert found(["Why?", "why", "What?"], SIMILARITY) == {1: (0, 1.0)}


def test_of_a_crowd_of_near_copies_only_the_first_is_left():
    """One sentence with another number each, as generated problems are. Pairs are quadratic: 100,000 of them here."""
    sentence = "a {} sells {} pens and gives every tenth buyer a free pencil so count the pens that are paid for today"
    asked = [sentence.format(seller, number) for seller in ("shop", "farm") for number in range(250)]
    sets = [shingles(question) for question in asked]
    repeats = found(asked, SIMILARITY)

    assert repeats.keys() == set(range(1, 500))
    for prompt, (twin, similarity) in repeats.items():
        assert twin < prompt
        assert similarity == len(sets[prompt] & sets[twin]) / len(sets[prompt] | sets[twin])
