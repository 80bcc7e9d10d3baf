"""What a stage cost: seconds, and whatever else it counts, kept apart from what it made.

Costs differ between runs, so they never stand in a file whose hash other stages depend on, but for
the report's.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from branchmerge.core.files import write_json

COST = Path("reports/cost")
Cost = dict[str, float | str]  # figures, and made_with: what may show of the machine in what was made


@contextmanager
def measured(name: str) -> Iterator[Cost]:
    """Measure a block; what it puts into the dict is written beside its `wall_s` to reports/cost/<name>.json."""
    cost: Cost = {}
    start = time.perf_counter()
    yield cost
    write_json(COST / f"{name}.json", {"wall_s": round(time.perf_counter() - start, 2), **cost})
