"""How many traces each rule took: of this build, and beside another revision's."""

import json
from pathlib import Path
from typing import Any

from branchmerge.core.errors import InputError

FOLDER = Path("reports/funnel")
Row = dict[str, Any]


def read(domains: list[str]) -> dict[str, list[Row]]:
    """The funnel of each domain.

    Raises:
        InputError: A domain has none yet.
    """
    return {domain: json.loads(_text(FOLDER / f"{domain}.json")) for domain in domains}


def read_of(revision: str, domains: list[str]) -> dict[str, list[Row]]:
    """Counts of the rules at another git revision, from DVC's cache or remote; a domain it had not has no rows.

    Raises:
        InputError: No such revision, or DVC has the file no more.
    """
    import dvc.api
    from dvc.exceptions import DvcException
    from dvc.scm import SCMError

    found = {}
    for domain in domains:
        try:
            found[domain] = json.loads(dvc.api.read(str(FOLDER / f"{domain}.json"), rev=revision))
        except FileNotFoundError:
            found[domain] = []
        except (DvcException, SCMError) as error:
            raise InputError(
                where=f"{FOLDER / domain}.json at {revision}",
                expected="the funnel of that revision",
                got=str(error),
                do="name a commit whose build was pushed, and dvc fetch it",
            ) from None
    return found


def lines(funnel: list[Row], other: list[Row] | None = None, source: str | None = None) -> list[tuple[str, ...]]:
    """Rows of a table: step, rejected, only by it, left; with another funnel, each as old -> new."""
    new = [row for row in funnel if row["source"] == source]
    old = {row["reason"]: row for row in other or [] if row["source"] == source}
    gone = [row for reason, row in old.items() if reason not in {row["reason"] for row in new}]
    start = new[0] if new else gone[0]
    before = next(iter(old.values()), None)
    first = ("traces", "", "", _change(before["n_in"] if before else None, start["n_in"], other))
    steps = [
        (
            row["reason"],
            *(_change(_of(old, row, name), row[name], other) for name in ("n_rejected", "n_only", "n_left")),
        )
        for row in new
    ]
    return [first, *steps, *((f"{row['reason']} (no more)", f"{row['n_rejected']} -> ", "", "") for row in gone)]


def _of(old: dict[str, Row], row: Row, name: str) -> int | None:
    return old[row["reason"]][name] if row["reason"] in old else None


def _change(old: int | None, new: int, other: list[Row] | None) -> str:
    return str(new) if other is None or old == new else f"{'' if old is None else old} -> {new}"


def _text(file: Path) -> str:
    if not file.is_file():
        raise InputError(where=str(file), expected="the funnel of a build", got="no such file", do="run dvc repro")
    return file.read_text()
