"""One gold answer for each question, whatever the rows of a source say."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter

from branchmerge.core.files import Row

Gold = tuple[str | None, str | None]  # answer, tests
NO_GOLD: Gold = (None, None)
_RULE = "each takes the one that most of its rows have, of equally many the first by the alphabet"


def gold_of(row: Row) -> Gold:
    """What an answer to a row's question is graded against."""
    return row["answer"], row["tests"]


def settled(rows: Iterable[Row], path: str) -> Iterator[Row]:
    """Rows by question, of which each question has one gold: that of most of its rows; rows alike become one.

    A row without a gold says nothing against another's. Questions with several are told, once for all.

    Args:
        rows: By question; n_rows, which goes, says how often a row stands in the file.
    """
    first: tuple[str, list[Gold]] | None = None
    n_disputed = 0
    for question, group in groupby(rows, itemgetter("question")):
        same = list(group)
        counts: Counter[Gold] = Counter()
        for row in same:
            if gold_of(row) != NO_GOLD:
                counts[gold_of(row)] += row["n_rows"]
        golds = sorted(counts, key=lambda gold: (-counts[gold], gold[0] or "", gold[1] or ""))
        if len(golds) > 1:
            n_disputed += 1
            first = first or (question, golds)
        answer, tests = golds[0] if golds else NO_GOLD
        seen = []
        for row in same:
            row |= {"answer": answer, "tests": tests}
            del row["n_rows"]
            if row not in seen:
                seen.append(row)
        yield from seen
    if first:
        tell(path, n_disputed, *first, _RULE)


def tell(where: str, count: int, question: str, golds: Iterable[Gold], rule: str) -> None:
    """Say that questions have several golds, and what is done about it."""
    shown = "; ".join(" ".join(part[:60] for part in gold if part is not None) or "none" for gold in golds)
    print(
        f"note: {where}: {count} question{'s have' if count > 1 else ' has'} several golds, such as {question[:80]!r}"
        f" ({shown}): {rule}",
        file=sys.stderr,
    )
