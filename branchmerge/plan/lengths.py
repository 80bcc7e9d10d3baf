"""How many rows a build learns and how long they are: as they lie on disk, else estimated from params.yaml."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from branchmerge.plan.build import Build
from branchmerge.rowstore.ready_made import SOURCES

# open-r1 generated OpenR1-Math-220k up to 16k tokens and found three quarters of the problems solved within 8k (its
# data card); with those at 4.5k and the rest at 11k, the mean is 6.1k of 16,384
MEAN_SHARE = 0.375
MEAN_ANSWER_SHARE = 0.25  # TinyR1's student on AIME, LiveCodeBench, GPQA: 9.6k, 10.1k, 5.3k of 32,768 (table 1)
PADDING = 1.3  # of an unpacked batch whose rows are not known: its longest row over its mean
_SEED = 0


@dataclass(frozen=True)
class Lengths:
    """Tokens of each row (n,), prompt and answer together; or their number and mean, where they are not known yet.

    Args:
        origin: Where the numbers come from, in words.
    """

    rows: int
    mean: float
    mean_square: float
    origin: str
    tokens: "np.ndarray | None" = None

    def padding(self, batch: int) -> float:
        """Computed tokens over real ones where a batch is as wide as its longest row."""
        if batch == 1:
            return 1.0
        if self.tokens is None:
            return PADDING
        drawn = np.random.default_rng(_SEED).choice(self.tokens, (500, batch))  # (draw, row)
        return float(drawn.max(axis=1).mean() / drawn.mean())


def lengths_of(build: Build, domains: tuple[str, ...], running: set[str], max_length: int) -> Lengths:
    """Rows of several domains in one set.

    Args:
        running: Stages that would run, and so may change what is on disk.
    """
    parts = [_of_domain(build, domain, running, max_length) for domain in domains]
    origins = dict.fromkeys(part.origin for part in parts)
    rows = sum(part.rows for part in parts)
    known = [part.tokens for part in parts if part.tokens is not None]
    return Lengths(
        rows=rows,
        mean=sum(part.rows * part.mean for part in parts) / rows,
        mean_square=sum(part.rows * part.mean_square for part in parts) / rows,
        origin="; ".join(origins),
        tokens=np.concatenate(known) if len(known) == len(parts) else None,
    )


def _of_domain(build: Build, domain: str, running: set[str], max_length: int) -> Lengths:
    file = Path(f"data/sft/{domain}.parquet")
    if f"traces@{domain}" not in running and file.is_file():
        tokens = pq.read_table(file, columns=["n_tokens"])["n_tokens"].to_numpy()
        is_old = f"curate@{domain}" in running
        origin = "rows of the last build, before this change to curate" if is_old else "rows on disk"
        return Lengths(len(tokens), float(tokens.mean()), float((tokens.astype(float) ** 2).mean()), origin, tokens)
    mean = MEAN_SHARE * min(max_length, build.curate[domain].max_tokens or max_length)
    origin = f"ASSUMED rows: all that source.*.max_train_rows allows, of {MEAN_SHARE:.3f} of max_length"
    return Lengths(_expected_rows(build, domain), mean, mean**2, origin)


def _expected_rows(build: Build, domain: str) -> int:
    """As many as params.yaml allows, as if no question were short and no trace rejected."""
    questions = sum(build.sources[name].max_train_rows for name in build.prompts[domain].sources)
    traces = build.traces[domain]
    samples = 1 if traces.teacher == SOURCES else traces.samples_per_prompt
    return questions * min(samples, build.curate[domain].max_traces_per_prompt or samples)


def questions_of(build: Build, domain: str, split: str, running: set[str]) -> tuple[int, str]:
    """Questions of a domain to learn from (train) or held out (test), and where the number comes from."""
    folder = "prompts" if split == "train" else "benchmarks"
    file = Path(f"data/{folder}/{domain}.parquet")
    if f"prompts@{domain}" not in running and file.is_file():
        return pq.read_metadata(file).num_rows, "questions on disk"
    rows = [getattr(build.sources[name], f"max_{split}_rows") for name in build.prompts[domain].sources]
    return sum(rows), f"ASSUMED questions: all that source.*.max_{split}_rows allows"
