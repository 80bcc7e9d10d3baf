"""Benchmark questions planted among real prompts: all are found, and hardly anything else."""

import gzip
import json
import random
import re
from typing import Any

import pyarrow as pa
import pytest

from branchmerge.core.sql import connect, query
from branchmerge.curation.selection import HITS
from tests.conftest import ROOT

SHARED = ROOT.parent / "shared/data"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="NO shared/data BESIDE THE PROJECT: real prompts untested")
PLANTED, ROWS = 200, 20_000
THRESHOLDS = {"contamination_words": 8, "min_contamination_ratio": 0.8}


def lines(name: str, key: str) -> list[str]:
    """One column of a JSON Lines file, packed or not."""
    raw = (SHARED / name).read_bytes()
    text = (gzip.decompress(raw) if name.endswith(".gz") else raw).decode()
    return [json.loads(line)[key] for line in text.splitlines()]


def disguised(question: str, rng: random.Random) -> str:
    """The question with other numbers, another case, other spaces and text around it."""
    text = re.sub(r"\d+", lambda number: str(rng.randint(1, 10 ** len(number[0]))), question)
    text = rng.choice((str.lower, str.upper, str.title, str))(text)
    text = re.sub(r"\s+", lambda _: rng.choice(("  ", "\n", " ", "\t")), text)
    before, after = (
        rng.choice(("", "Solve this problem.", "Here is a task for you: ")),
        rng.choice(("", "Show your work!")),
    )
    return f"{before} {text} {after}"


@pytest.fixture(scope="module")
def benchmarks() -> dict[str, list[str]]:
    return {
        "gsm8k": lines("gsm8k/test.jsonl", "question"),
        "aime24": lines("aime24/test.jsonl", "problem"),
        "humaneval": lines("humaneval/HumanEval.jsonl.gz", "prompt"),
    }


@pytest.fixture(scope="module")
def prompts() -> list[str]:
    aime, maths = (
        [row["problem"] for row in json.loads(gzip.decompress((SHARED / f"aime_hist_train/{name}").read_bytes()))]
        for name in ("aime.json.gz", "math.json.gz")
    )
    families = lines("rg_eval_traces/traces.jsonl.gz", "family")
    others = zip(families, lines("rg_eval_traces/traces.jsonl.gz", "question"), strict=True)
    # gsm_symbolic is GSM8K's test set with other names and numbers: many of them are hit, and rightly
    others = [question for family, question in others if family != "gsm_symbolic"]
    own = lines("gsm8k_train/train.jsonl.gz", "question") + aime + maths + others
    return (own + lines("mmlu_stem/test.jsonl", "question"))[:ROWS]


def found(prompts: list[str], benchmarks: dict[str, list[str]]) -> dict[int, set[tuple[str, int]]]:
    """Numbers of the prompts that are hit, and the benchmark questions that they hold."""
    connection = connect(threads=2)
    items: list[Any] = [
        {"benchmark": name, "prompt_id": f"{number}", "question": question}
        for name, questions in benchmarks.items()
        for number, question in enumerate(questions)
    ]
    asked = [{"prompt_id": f"{number}", "source": "s", "question": text} for number, text in enumerate(prompts)]
    connection.register("benchmarks", pa.Table.from_pylist(items))
    connection.register("prompts", pa.Table.from_pylist(asked))
    query(connection, HITS, THRESHOLDS)
    hits: dict[int, set[tuple[str, int]]] = {}
    for prompt_id, benchmark, question_id in connection.sql(
        "select prompt_id, benchmark, question_id from hits"
    ).fetchall():
        hits.setdefault(int(prompt_id), set()).add((benchmark, int(question_id)))
    return hits


def test_every_planted_copy_is_found_and_false_hits_are_under_a_thousandth(
    prompts: list[str], benchmarks: dict[str, list[str]]
):
    assert len(prompts) == ROWS
    rng = random.Random(0)
    items = [(name, number) for name, questions in benchmarks.items() for number in range(len(questions))]
    planted = dict(zip(rng.sample(range(ROWS), PLANTED), rng.sample(items, PLANTED), strict=True))
    for row, (name, number) in planted.items():
        prompts = [*prompts[:row], disguised(benchmarks[name][number], rng), *prompts[row + 1 :]]
    hits = found(prompts, benchmarks)

    missed = {row: item for row, item in planted.items() if item not in hits.get(row, set())}
    others = hits.keys() - planted.keys()
    assert not missed
    assert len(others) < ROWS / 1000, [prompts[row][:100] for row in sorted(others)]


def test_a_prompt_that_shares_only_a_phrase_is_no_hit(benchmarks: dict[str, list[str]]):
    question = benchmarks["gsm8k"][0]
    half = " ".join(question.split()[: len(question.split()) // 2])

    assert found([f"{half} and then she goes to the market to meet her old friends."], benchmarks) == {}


@pytest.mark.parametrize(
    ("item", "prompt", "is_hit"),
    [
        ("What is a fermion?", "WHAT  is a fermion", True),
        ("What is a fermion?", "Tell me: what is a fermion?", False),
        ("What is 3*4?", "what is 3 * 4", True),
        ("What is 3*4?", "What is 5*6?", False),
    ],
)
def test_a_question_of_few_words_is_compared_as_a_whole(item: str, prompt: str, is_hit: bool):
    assert bool(found([prompt], {"short": [item]})) is is_hit
