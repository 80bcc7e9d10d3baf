"""What every benchmark ends with: seconds of a piece of work, and the line that compares two."""

import json
import os
import time
from collections.abc import Callable
from typing import Any

TINY = os.environ.get("TINY") == "1"  # only to see that a benchmark runs: its times say nothing


def seconds(work: Callable[..., object], *arguments: Any) -> float:
    """Wall seconds of a piece of work with its arguments."""
    start = time.perf_counter()
    work(*arguments)
    return round(time.perf_counter() - start, 2)


def print_result(bench: str, ours_s: float, peer_s: float, peer: str) -> None:
    """The last line of a benchmark, as JSON; a ratio above 1 means that ours is the faster."""
    ratio = round(peer_s / ours_s, 3)
    print(json.dumps({"bench": bench, "ours_s": ours_s, "peer_s": peer_s, "ratio": ratio, "peer": peer}))
