"""Near-duplicates among 225,000 generated questions: ours against text-dedup, with as many permutations and bands.

The peer runs in an environment of its own, which the first run makes (bench/peer.py).

Run   make bench NAME=near_duplicates
"""

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.peer import environment, run_peer
from bench.result import TINY, print_result, seconds
from bench.traces_like_openr1 import make_sentence, make_words
from branchmerge.core.command import run_app
from branchmerge.core.sql import connect
from branchmerge.curation.near_duplicates import BANDS, PERMUTATIONS, find_near_duplicates

QUESTIONS, COPIES = 205_000, 20_000
SIMILARITY = 0.7


def main(tiny: bool = TINY) -> None:
    """Find the copies both ways and print both times; where it is tiny, ours alone."""
    questions, copies = (2_000, 200) if tiny else (QUESTIONS, COPIES)
    if not tiny:
        environment("minhash")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "questions.parquet"
        _write_questions(file, questions, copies)
        found: list[int] = []
        ours_s = seconds(lambda: found.append(_ours(file)))
        print(f"ours: {found[0]} of {questions + copies} repeat another, {ours_s:.1f} s")
        if tiny:
            return
        peer = run_peer("minhash", file, folder, PERMUTATIONS, BANDS, SIMILARITY)
        print(f"text-dedup: {questions + copies - peer['kept']}, {peer['wall_s']:.1f} s")
    print_result("near_duplicates", ours_s, peer["wall_s"], "text_dedup.minhash")


def _write_questions(file: Path, n_questions: int, n_copies: int) -> None:
    """Random questions, and copies of some with two words changed."""
    rng = np.random.default_rng(0)
    words = make_words(rng, 20_000)
    questions = [make_sentence(rng, words, 45) for _ in range(n_questions)]
    for number in rng.choice(n_questions, n_copies, replace=False):
        copy = questions[number].split()
        for place in rng.choice(len(copy), 2, replace=False):
            copy[place] = str(rng.choice(words))
        questions.append(" ".join(copy))
    names = [f"p{number:06}" for number in range(len(questions))]
    pq.write_table(pa.table({"prompt_id": names, "question": questions}), file)


def _ours(file: Path) -> int:
    connection = connect(threads=2)
    connection.read_parquet(str(file)).create_view("prompts")
    connection.execute("create table candidates as select prompt_id, prompt_id as trace_id from prompts")
    connection.execute("create table rejected (trace_id varchar, reason varchar)")
    find_near_duplicates(connection, SIMILARITY)
    return int(connection.sql("select count(*) from near_duplicates").fetchall()[0][0])


if __name__ == "__main__":
    run_app(main)
