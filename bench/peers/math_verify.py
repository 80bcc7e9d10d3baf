"""math_verify over a file of pairs: runs in the environment of math_verify.txt, prints verdicts and seconds as JSON.

Run   <python of that environment> bench/peers/math_verify.py FILE WORKERS
"""

import json
import sys
import time
from multiprocessing import Pool
from pathlib import Path

from math_verify import parse, verify
from math_verify.parser import ExprExtractionConfig, LatexExtractionConfig, StringExtractionConfig

_FORMS = (
    StringExtractionConfig(strings=tuple("ABCDEFGHIJ")),
    LatexExtractionConfig(boxed_match_priority=0),
    ExprExtractionConfig(),
)


def is_correct(pair: tuple[str, str]) -> bool:
    """As its README says: gold and answer parsed, then compared; a gold is given as a formula."""
    answer, gold = pair
    wanted = parse(gold if len(gold) == 1 and gold.isalpha() else f"${gold}$", extraction_config=_FORMS)
    return bool(verify(wanted, parse(answer, extraction_config=_FORMS)))


def main(file: str, workers: str) -> None:
    """Print the verdict on each pair."""
    pairs = json.loads(Path(file).read_text())
    start = time.perf_counter()
    with Pool(int(workers)) as pool:
        verdicts = pool.map(is_correct, pairs, chunksize=64)
    print(json.dumps({"wall_s": round(time.perf_counter() - start, 2), "verdicts": verdicts}))


if __name__ == "__main__":
    main(*sys.argv[1:])
