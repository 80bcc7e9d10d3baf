"""The tables of bench/methods: what merges do to weights, and how many questions they get right."""

from typing import Any

from branchmerge.evaluation.statistics import Estimate, paired_difference

Answers = dict[str, dict[str, bool]]  # by domain and question, whether it is right
Figures = dict[str, Any]  # of Account.figures

CONFIDENCE = 0.95
STUDENT, STANDING = "student", "merge of params.yaml"


def print_weights(builds: list[dict[str, Figures]]) -> None:
    """A row a method, means over the builds: how far it moves, and the part it keeps of each branch's task vector."""
    first = builds[0][STANDING]
    branches = list(first["branches"])
    conflict = _mean([build[STANDING]["sign_conflict_ratio"] for build in builds])
    print(f"Of weights that two branches changed, {conflict:.1%} were moved in opposite directions. Cosines:")
    print(
        ", ".join(f"{pair}: {_mean([b[STANDING]['cosines'][pair] for b in builds]):.2f}" for pair in first["cosines"])
    )
    print(f"\n| method | change | {' | '.join(f'part of {name} | taken' for name in branches)} |")
    print("|---|---" + "|---|---" * len(branches) + "|")
    for method in builds[0]:
        cells = [f"{_mean([build[method]['change_norm_ratio'] for build in builds]):.2%}"]
        for branch in branches:
            of = [build[method]["branches"][branch] for build in builds]
            cells += [f"{_mean([one['part'] for one in of]):.2f}", f"{_mean([one['taken_ratio'] for one in of]):.0%}"]
        print(f"| {method} | {' | '.join(cells)} |")


def print_accuracy(builds: list[dict[str, Answers]]) -> None:
    """A row a model: points over the student and the merge of params.yaml, questions of all builds taken together.

    A build's domain is a win where the interval of its own difference from the merge of params.yaml lies above zero, a
    loss where it lies below, else a tie. Questions are the unit: how training differs by seed is not in the intervals.
    """
    domains = list(builds[0][STUDENT])
    print(f"\n{len(builds)} builds; points over the student [{CONFIDENCE:.0%}], and over the merge of params.yaml:\n")
    print(f"| model | {' | '.join(domains)} | mean | over params.yaml | wins, ties, losses |")
    print("|---" * (len(domains) + 4) + "|")
    over_student = {name: _difference(builds, name, STUDENT, domains) for name in builds[0]}
    for name in sorted(over_student, key=lambda name: -over_student[name].mean):
        cells = [f"{100 * _difference(builds, name, STUDENT, [domain]).mean:+.1f}" for domain in domains]
        cells += [_points(over_student[name]), _points(_difference(builds, name, STANDING, domains))]
        print(f"| {name} | {' | '.join(cells)} | {_standings(builds, name, domains)} |")


def _difference(builds: list[dict[str, Answers]], one: str, other: str, domains: list[str]) -> Estimate:
    pairs = [
        (float(is_correct), float(build[other][domain][question]))
        for build in builds
        for domain in domains
        for question, is_correct in build[one][domain].items()
    ]
    return paired_difference(pairs, CONFIDENCE)


def _standings(builds: list[dict[str, Answers]], name: str, domains: list[str]) -> str:
    cells = [_difference([build], name, STANDING, [domain]) for build in builds for domain in domains]
    wins, losses = sum(cell.low > 0 for cell in cells), sum(cell.high < 0 for cell in cells)
    return f"{wins}, {len(cells) - wins - losses}, {losses}"


def _points(estimate: Estimate) -> str:
    return f"{100 * estimate.mean:+.1f} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"


def _mean(values: list[float | None]) -> float:
    """Of those that are numbers; 0 where the branches did not change anything."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else 0.0
