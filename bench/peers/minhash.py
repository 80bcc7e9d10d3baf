"""text-dedup's MinHash over one Parquet file: runs in the environment of minhash.txt, prints its seconds as JSON.

Run   <python of that environment> bench/peers/minhash.py FILE OUTPUT PERMUTATIONS BANDS SIMILARITY
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import datasets


def main(file: str, output: str, permutations: str, bands: str, similarity: str) -> None:
    """Keep one of each crowd of near-duplicates, with as many permutations and bands as ours."""
    options = {
        "path": "parquet",
        "data_files": file,
        "split": "train",
        "cache_dir": f"{output}/cache",
        "output": f"{output}/kept",
        "column": "question",
        "batch_size": 10_000,
        "num_proc": 2,
        "ngram": 3,
        "min_length": 0,
        "num_perm": permutations,
        "threshold": similarity,
        "b": bands,
        "r": int(permutations) // int(bands),
    }
    arguments = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
    start = time.perf_counter()
    # as a program: its functions do not reach its processes from a module that was imported
    subprocess.run([sys.executable, "-m", "text_dedup.minhash", *arguments], check=True, stdout=sys.stderr)
    wall_s = round(time.perf_counter() - start, 2)
    kept = len(datasets.load_from_disk(str(Path(output) / "kept")))
    print(json.dumps({"wall_s": wall_s, "kept": kept}))


if __name__ == "__main__":
    main(*sys.argv[1:])
