"""The merge report: what of each branch is in the merged model, by layer and module, for people and for programs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from branchmerge.core.files import Row, whole_file, write_json
from branchmerge.merging.composition import Account, accounts, place, total

_OUTSIDE = "outside the layers"
_WORDS = (
    "*part*: how much of the branch's task vector is in the merged model (least squares; 1 is all of it). *taken*: "
    "weights whose merged value is the branch's. *changed*: weights that the branch changed. *norm*: of its change, "
    "against the student's. *KL*: mean divergence of a row's softmax. *noise*: rows in which this divergence, as "
    "mergekit's arcee_fusion computes it in float32, is off by more than a tenth."
)


def write_merge_report(
    folder: Path, *, method: str, student: Path, branches: dict[str, Path], merged: Path, threads: int
) -> None:
    """Write merge.json, merge.md and parts.json (for dvc plots) into a folder.

    Args:
        branches: Folders by name, in the order of the merge.
    """
    found = accounts(student, list(branches.values()), merged, threads)
    names = list(branches)
    report: dict[str, Any] = {
        "method": method,
        "order": names,
        "model": total(found.values()).figures(names),
        "layers": _grouped(found, names, 0),
        "modules": _grouped(found, names, 1),
        "tensors": {name: account.figures(names) for name, account in found.items()},
    }
    write_json(folder / "merge.json", report)
    write_json(folder / "parts.json", _points(report["tensors"]))
    with whole_file(folder / "merge.md") as partial:
        partial.write_text(_text(report))


def _grouped(found: dict[str, Account], names: Sequence[str], key: int) -> dict[str, Any]:
    groups: dict[Any, list[Account]] = {}
    for name, account in found.items():
        groups.setdefault(place(name)[key], []).append(account)
    ordered = sorted(groups, key=lambda group: (group is None, group))
    return {_OUTSIDE if group is None else str(group): total(groups[group]).figures(names) for group in ordered}


def _points(tensors: dict[str, Any]) -> list[Row]:
    return [
        {"layer": -1 if place(name)[0] is None else place(name)[0], "module": place(name)[1], "branch": branch, **of}
        for name, figures in tensors.items()
        for branch, of in figures["branches"].items()
    ]


def _text(report: dict[str, Any]) -> str:
    model = report["model"]
    lines = [
        "# Merge report",
        "",
        f"`{report['method']}`, in the order {', '.join(report['order'])}: {model['weights']:,} weights, moved by "
        f"{_percent(model['change_norm_ratio'])} of the student's norm. Of the weights that two branches or more "
        f"changed, {_percent(model['sign_conflict_ratio'])} were moved in opposite directions.",
        "",
        _WORDS,
        "",
        "| branch | part | taken | changed | norm | KL | noise |",
        "|---|---|---|---|---|---|---|",
        *(f"| {name} | {_cells(of)} |" for name, of in model["branches"].items()),
        "",
        "Cosines of the task vectors: "
        + ", ".join(f"{pair.replace(' ', ' and ')} {_number(value)}" for pair, value in model["cosines"].items())
        + ".",
    ]
    for title in ("layers", "modules"):
        lines += ["", *_table(title, report[title], report["order"])]
    return "\n".join(lines) + "\n"


def _table(title: str, groups: dict[str, Any], names: Sequence[str]) -> list[str]:
    heads = [f"{name} part, taken" for name in names]
    return [
        f"| {title} | change | conflicts | {' | '.join(heads)} |",
        "|---" * (3 + len(names)) + "|",
        *(
            f"| {group} | {_percent(of['change_norm_ratio'])} | {_percent(of['sign_conflict_ratio'])} | "
            + " | ".join(f"{_number(b['part'])}, {_percent(b['taken_ratio'])}" for b in of["branches"].values())
            + " |"
            for group, of in groups.items()
        ),
    ]


def _cells(of: dict[str, Any]) -> str:
    divergence = "–" if of["mean_divergence"] is None else f"{of['mean_divergence']:.1e}"
    ratios = [_percent(of[f"{name}_ratio"]) for name in ("taken", "changed", "change_norm")]
    return " | ".join([_number(of["part"]), *ratios, divergence, _percent(of["naive_divergence_wrong_ratio"])])


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"
