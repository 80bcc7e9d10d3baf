"""params.yaml is refused as soon as a key is unknown, a type wrong or a number out of range."""

from pathlib import Path

import pytest
from pydantic import PositiveInt

from branchmerge.core.errors import InputError
from branchmerge.core.params import Params, read_params, read_value


class Steps(Params):
    """A section for these tests."""

    sections = ("sft",)

    max_steps: PositiveInt
    learning_rate: float


class DomainSteps(Steps):
    """A domain's own values over those of its section."""

    sections = ("sft", "domains.{domain}.sft")


def params_file(folder: Path, text: str) -> Path:
    file = folder / "params.yaml"
    file.write_text(text)
    return file


def test_a_later_path_overrides_key_by_key(tmp_path: Path):
    file = params_file(
        tmp_path, "sft: {max_steps: 5, learning_rate: 0.1}\ndomains: {math: {sft: {learning_rate: 0.2}}}\n"
    )

    assert read_params(DomainSteps, domain="math", file=file) == DomainSteps(max_steps=5, learning_rate=0.2)


def test_a_number_without_a_point_is_a_number(tmp_path: Path):
    file = params_file(tmp_path, "sft: {max_steps: 5, learning_rate: 1e-5}\n")

    assert read_params(Steps, file=file).learning_rate == 1e-5


WRONG = [
    ("sft:\n  max_steps: 5\n  learning_rat: 0.1\n", ["params.yaml:3", "sft.learning_rat", "perhaps learning_rate"]),
    ("sft:\n  max_steps: five\n  learning_rate: 0.1\n", ["params.yaml:2", "sft.max_steps", "'five'"]),
    ("sft:\n  max_steps: 0\n  learning_rate: 0.1\n", ["params.yaml:2", "sft.max_steps", "greater than 0", "got 0"]),
    ("sft:\n  learning_rate: 0.1\n", ["sft.max_steps", "a value", "got none"]),
    ("sft: 3\n", ["params.yaml:1", "sft", "a section", "got 3"]),
    ("stf: {}\n", ["a section sft", "got stf"]),
    ("sft: [\n", ["params.yaml:2", "YAML"]),
]


@pytest.mark.parametrize(("text", "parts"), WRONG, ids=[parts[-1] for _, parts in WRONG])
def test_the_error_names_place_expectation_and_finding(tmp_path: Path, text: str, parts: list[str]):
    with pytest.raises(InputError) as caught:
        read_params(Steps, file=params_file(tmp_path, text))

    message = str(caught.value)
    assert [part for part in parts if part not in message] == [], message


def test_an_unknown_domain_is_named_with_the_known_ones(tmp_path: Path):
    file = params_file(tmp_path, "sft: {}\ndomains:\n  math:\n    sft: {}\n  code:\n    sft: {}\n")

    with pytest.raises(InputError, match=r"domains\.geo\.sft: expected a section geo in domains, got math, code"):
        read_params(DomainSteps, domain="geo", file=file)


def test_a_number_is_no_name_of_a_section(tmp_path: Path):
    file = params_file(tmp_path, "domains:\n  2024:\n    sft: {}\nsft: {}\n")

    with pytest.raises(InputError, match=r"expected a section 2024 in domains, got 2024 \(not in quotes, so no text\)"):
        read_params(DomainSteps, domain="2024", file=file)


def test_a_missing_file_says_what_to_do(tmp_path: Path):
    with pytest.raises(InputError, match="branchmerge profile use toy"):
        read_params(Steps, file=tmp_path / "params.yaml")


def test_a_missing_value_is_named(tmp_path: Path):
    with pytest.raises(InputError, match=r"merge\.order: expected a value, got none"):
        read_value("merge.order", params_file(tmp_path, "merge: {}\n"))
