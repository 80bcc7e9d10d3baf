"""Near-duplicates among 225,000 generated questions: ours against text-dedup, with as many permutations and bands.

The peer is needed first: pip install --no-deps text-dedup==0.4.0 click-option-group

Run   make bench NAME=near_duplicates
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.result import print_result, seconds
from bench.traces_like_openr1 import make_sentence, make_words
from branchmerge.core.sql import connect
from branchmerge.curation.near_duplicates import BANDS, PERMUTATIONS, find_near_duplicates

QUESTIONS, COPIES = 205_000, 20_000
SIMILARITY = 0.7


def main() -> None:
    """Find the copies both ways and print both times."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "questions.parquet"
        _write_questions(file)
        found: list[int] = []
        ours_s = seconds(lambda: found.append(_ours(file)))
        print(f"ours: {found[0]} of {QUESTIONS + COPIES} repeat another, {ours_s:.1f} s")
        peer_s = seconds(_peer, file)
        kept = sum(pa.ipc.open_stream(part).read_all().num_rows for part in Path(f"{folder}/out").glob("*.arrow"))
        print(f"text-dedup: {QUESTIONS + COPIES - kept}, {peer_s:.1f} s")
    print_result("near_duplicates", ours_s, peer_s, "text_dedup.minhash")


def _write_questions(file: Path) -> None:
    """Random questions, and copies of some with two words changed."""
    rng = np.random.default_rng(0)
    words = make_words(rng, 20_000)
    questions = [make_sentence(rng, words, 45) for _ in range(QUESTIONS)]
    for number in rng.choice(QUESTIONS, COPIES, replace=False):
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


def _peer(file: Path) -> None:
    options = {
        "path": "parquet",
        "data_files": file,
        "split": "train",
        "cache_dir": file.parent / "cache",
        "output": file.parent / "out",
        "column": "question",
        "batch_size": 10_000,
        "num_proc": 2,
        "ngram": 3,
        "min_length": 0,
        "num_perm": PERMUTATIONS,
        "threshold": SIMILARITY,
        "b": BANDS,
        "r": PERMUTATIONS // BANDS,
    }
    arguments = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
    command = [sys.executable, "-m", "text_dedup.minhash", *arguments]
    done = subprocess.run(
        command, env=os.environ | {"HF_DATASETS_OFFLINE": "1"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


if __name__ == "__main__":
    main()
