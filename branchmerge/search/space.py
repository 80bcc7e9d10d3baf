"""What a search tries: the merge of params.yaml, every point of some grids around it, and what Optuna proposes."""

from copy import deepcopy
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Self

from pydantic import Field, PositiveInt, ValidationError, model_validator

from branchmerge.core.errors import InputError
from branchmerge.core.params import PARAMS, Params, read_params, read_section
from branchmerge.merging.params import MergeParams

Changes = dict[str, Any]


class ProposalParams(Params):
    """Candidates that Optuna proposes.

    Args:
        count: How many, all asked the first rung's questions.
        changes: Values that all of them have, by their dotted path in the section merge.
        ranges: Lowest and highest of the real numbers that are proposed, by their path.
    """

    count: PositiveInt
    changes: dict[str, Any] = Field(default_factory=dict)
    ranges: dict[str, tuple[float, float]] = Field(min_length=1)

    @model_validator(mode="after")
    def _are_ranges(self) -> Self:
        falling = [path for path, (low, high) in self.ranges.items() if not low < high]
        if falling:
            raise ValueError(f"a lower and a higher number for {', '.join(falling)}")
        if twice := sorted(self.ranges.keys() & self.changes):
            raise ValueError(f"a value or a range for {', '.join(twice)}, not both")
        return self


class SearchParams(Params):
    """What is tried, and on how many questions.

    Args:
        questions: Dev questions of each domain, rung by rung; more on each.
        keep_ratio: Share of the candidates of a rung that the next one sees; at least one.
        confidence: Of the intervals, 0.95 for 95 %.
        grids: In each, values by their dotted path in the section merge; every combination is a candidate.
        proposals: Each by a study of its own.
    """

    sections = ("search",)

    questions: tuple[PositiveInt, ...] = Field(min_length=1)
    keep_ratio: float = Field(gt=0, lt=1)
    confidence: float = Field(gt=0.5, lt=1)
    grids: tuple[dict[str, list[Any]], ...] = ()
    proposals: tuple[ProposalParams, ...] = ()

    @model_validator(mode="after")
    def _is_a_search(self) -> Self:
        if list(self.questions) != sorted(set(self.questions)):
            raise ValueError("questions that rise from rung to rung")
        if not self.grids and not self.proposals:
            raise ValueError("grids or proposals")
        return self


@dataclass(frozen=True)
class Candidate:
    """A merge that might be better.

    Args:
        changes: Values by dotted path, where it differs from params.yaml; empty for the merge that stands there.
    """

    changes: Changes
    params: MergeParams

    @property
    def name(self) -> str:
        """The changes in a line."""
        return ", ".join(f"{path} {_short(value)}" for path, value in self.changes.items()) or "params.yaml"


def read_search(file: Path) -> SearchParams:
    """The search of a file.

    Raises:
        InputError: It is missing, or something in it is not as it should be.
    """
    if not file.is_file():
        raise InputError(where=str(file), expected="a search", got="no such file", do="name one, such as search.yaml")
    return read_params(SearchParams, file=file)


def candidates(search: SearchParams, file: Path) -> list[Candidate]:
    """The merge of params.yaml first, then every point of every grid that differs from all before it.

    Raises:
        InputError: A path that the section merge does not have, or a merge that cannot be.
    """
    standing = read_section("merge", PARAMS)
    found = [Candidate({}, read_params(MergeParams))]
    for number, grid in enumerate(search.grids):
        for values in product(*grid.values()):
            changes = dict(zip(grid, values, strict=True))
            made = candidate(standing, changes, f"{file}: search.grids[{number}]")
            if all(made.params != other.params for other in found):
                found.append(made)
    return found


def change(section: Any, changes: Changes, where: str) -> None:
    """Set values of a mapping by their dotted paths.

    Raises:
        InputError: A path it does not have.
    """
    for path, value in changes.items():
        *parents, key = path.split(".")
        node = section
        is_parameter = parents[:1] == ["parameters"]  # which params.yaml may leave at its default, as its method
        for parent in parents:
            if is_parameter and parent == parents[-1] and isinstance(node, dict):
                node.setdefault(parent, {})
            node = node.get(parent) if isinstance(node, dict) else None
        if not isinstance(node, dict) or (key not in node and not is_parameter):
            raise InputError(
                where=where,
                expected="a path in the section merge of params.yaml",
                got=path,
                do="correct the path, as method, weights.math or parameters.ties.density",
            )
        node[key] = deepcopy(value)  # later changes reach into it


def candidate(standing: Any, changes: Changes, where: str) -> Candidate:
    """The section merge with some values changed.

    Raises:
        InputError: A path that it does not have, or a merge that cannot be.
    """
    section = deepcopy(standing)
    change(section, changes, where)
    try:
        return Candidate(changes, MergeParams.model_validate(section))
    except ValidationError as error:
        problem = error.errors()[0]
        raise InputError(
            where=where,
            expected=problem["msg"].removeprefix("Value error, ").removeprefix("Input should be "),
            got=", ".join(f"{path} {_short(value)}" for path, value in changes.items()),
            do="correct what is changed here; what goes together is changed together",
        ) from None


def _short(value: Any) -> str:
    return " > ".join(map(str, value)) if isinstance(value, list) else str(value)
