"""machine.yaml says how this machine makes the build; what it does not say is looked at."""

from pathlib import Path

import pytest

from branchmerge.cli.doctor import machine
from branchmerge.core.errors import InputError
from branchmerge.core.machine import TOP_LEVEL, RunMachine, cores, machine_file, read_machine
from branchmerge.engines.choice import TracesMachine
from branchmerge.engines.engine import Sampling
from branchmerge.engines.transformers import fitting_batch
from branchmerge.settings.check import check_machine
from branchmerge.settings.sections import MACHINE_SECTIONS
from branchmerge.training.machine import LaunchMachine
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "project/below").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def test_without_a_file_every_key_has_a_default():
    assert machine_file() is None
    assert read_machine(RunMachine).threads == cores()
    assert all(origin == "default" for *_, origin in machine())


def test_the_variable_goes_before_the_project_and_the_project_before_the_person(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    found = []
    persons = tmp_path / "config/branchmerge/machine.yaml"
    persons.parent.mkdir(parents=True)
    for file, threads in ((persons, 1), (here / "machine.yaml", 2), (tmp_path / "named.yaml", 3)):
        file.write_text(f"run:\n  threads: {threads}\n")
        if file.name == "named.yaml":
            monkeypatch.setenv("BRANCHMERGE_MACHINE", str(file))
        found.append(read_machine(RunMachine).threads)

    assert found == [1, 2, 3]


def test_dvcs_temporary_workspaces_inside_the_project_find_its_file(here: Path, monkeypatch: pytest.MonkeyPatch):
    (here / "machine.yaml").write_text("run:\n  threads: 7\n")
    monkeypatch.chdir(here / "below")

    assert read_machine(RunMachine).threads == 7


# what is planted; what the error names
WRONG = [
    ("rnu:\n  threads: 2\n", ["machine.yaml", "sections among run, launch", "got rnu"]),
    ("run:\n  thread: 2\n", ["machine.yaml:2", "run.thread", "perhaps threads"]),
    ("run:\n  threads: 0\n", ["machine.yaml:2", "run.threads", "greater than 0"]),
    ("launch:\n  processes: 2\n", ["launch", "a strategy for 2 processes"]),
    ("traces:\n  engine: openai\n", ["a section openai with the server's url"]),
    ("traces:\n  vllm:\n    dtype: half\n", ["without dtype", "params.yaml"]),
    ("- run\n", ["machine.yaml", "sections"]),
]


@pytest.mark.parametrize(("text", "parts"), WRONG, ids=[parts[-1] for _, parts in WRONG])
def test_a_mistake_is_refused_wherever_it_stands(here: Path, text: str, parts: list[str]):
    (here / "machine.yaml").write_text(text)
    with pytest.raises(InputError) as caught:
        check_machine()

    assert [part for part in parts if part not in str(caught.value)] == []


def test_a_misspelt_section_is_not_passed_over_by_a_stage_that_reads_another(here: Path):
    (here / "machine.yaml").write_text("lauch:\n  processes: 8\n")

    with pytest.raises(InputError, match="got lauch"):
        read_machine(RunMachine)


def test_a_variable_that_names_no_file_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BRANCHMERGE_MACHINE", "/no/such.yaml")

    with pytest.raises(InputError, match=r"no file /no/such\.yaml"):
        read_machine(LaunchMachine)


@pytest.mark.parametrize("name", ["laptop", "1-gpu", "32-gpus"])
def test_every_example_is_valid_and_named_by_its_test(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BRANCHMERGE_MACHINE", str(ROOT / f"machines/{name}.yaml"))

    check_machine()
    assert {file.stem for file in (ROOT / "machines").glob("*.yaml")} == {"laptop", "1-gpu", "32-gpus"}


def test_the_doctor_tells_what_the_file_says_and_what_was_looked_at(here: Path):
    (here / "machine.yaml").write_text("run:\n  threads: 5\n")
    lines = {key: (value, origin) for key, value, origin in machine()}

    assert lines["run.threads"] == ("5", "machine.yaml")
    assert lines["launch.processes"] == ("1", "default")


def test_the_sections_of_the_file_are_those_of_the_registry():
    assert tuple(section.sections[0] for section in MACHINE_SECTIONS) == TOP_LEVEL


def test_an_engine_that_cannot_give_what_is_asked_for_is_refused():
    from branchmerge.engines.choice import make_engine

    asked = Sampling(temperature=0, top_p=1, max_tokens=1, quantization="fp8")
    with pytest.raises(InputError, match=r"traces\.quantization: expected vllm or ray"):
        make_engine(TracesMachine(engine="transformers"), Path("models/teacher"), "t", asked, 1)


def test_a_batch_is_fitted_to_the_memory():
    from types import SimpleNamespace

    small = SimpleNamespace(num_hidden_layers=2, num_attention_heads=2, hidden_size=64)
    large = SimpleNamespace(num_hidden_layers=64, num_attention_heads=40, num_key_value_heads=8, hidden_size=5120)

    assert fitting_batch(small, max_tokens=256, at_most=256) == 256
    assert 1 <= fitting_batch(large, max_tokens=32768, at_most=256) < 10
