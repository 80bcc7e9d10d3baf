"""Every key of the files a person edits is in the reference and in the schema, with its meaning."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import PositiveInt
from ruamel.yaml import YAML

from branchmerge.core.params import Params
from branchmerge.settings.reference import REFERENCE, keys, reference
from branchmerge.settings.schema import FILES, SECTIONS_OF, meanings, models_of, schema_of
from tests.conftest import ROOT

GIVEN = [
    *(("params", f"profiles/{name}.yaml") for name in ("toy", "smol", "tinyr1-1.5b", "tinyr1-32b")),
    *(("machine", f"machines/{name}.yaml") for name in ("laptop", "1-gpu", "32-gpus")),
    ("search", "search.yaml"),
]


def read(file: str) -> Any:
    return json.loads(json.dumps(YAML(typ="safe").load(ROOT / file)))


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("file", FILES)
def test_every_key_has_a_meaning(file: str):
    lacking = [
        f"{model.__name__}.{name}"
        for model in models_of(SECTIONS_OF[file])
        for name in model.model_fields
        if name not in meanings(model)
    ]

    assert not lacking, "say it below Args: in the docstring of the class"


def test_the_reference_and_the_schemas_are_those_of_the_code():
    assert (ROOT / REFERENCE).read_text() == reference(), "run branchmerge schema --write"
    for file in FILES:
        kept = json.loads((ROOT / f"docs/schema/{file}.schema.json").read_text())
        assert kept == json.loads(json.dumps(schema_of(file))), "run branchmerge schema --write"


@pytest.mark.parametrize("file", FILES)
def test_every_key_is_in_the_reference(file: str):
    written = (ROOT / REFERENCE).read_text()
    names = [key for section in SECTIONS_OF[file] for key, *_ in keys(section)]

    assert len(names) > 5
    assert [name for name in names if f"| `{name}` |" not in written] == []


@pytest.mark.parametrize(("file", "path"), GIVEN, ids=[path for _, path in GIVEN])
def test_the_files_of_the_project_are_valid(file: str, path: str):
    jsonschema.validate(read(path), schema_of(file))


def test_an_unknown_key_and_a_wrong_type_are_found_by_the_schema():
    params = read("profiles/toy.yaml")
    for change in (
        lambda tree: tree["sft"].update(learning_rat=1),
        lambda tree: tree["domains"]["math"]["sft"].update(max_steps="many"),
        lambda tree: tree.update(launch={}),
    ):
        wrong = json.loads(json.dumps(params))
        change(wrong)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema_of("params"))


def test_a_key_without_a_meaning_is_noticed():
    class Silent(Params):
        """Says nothing.

        Args:
            told: A thing.
        """

        told: PositiveInt
        untold: PositiveInt

    assert meanings(Silent) == {"told": "A thing."}


def test_the_reference_says_what_a_key_reruns_its_unit_and_its_default():
    lines = Path(REFERENCE).read_text().splitlines()
    found = {line.split("`")[1]: line for line in lines if line.startswith("| `")}

    assert found["max_traces_per_prompt"].endswith("|  | required | curate |")
    assert found["samples_per_prompt"].endswith("|  | required | traces |")
    assert found["checkpoint_steps"].endswith("| optimiser steps | `50` | nothing |")
