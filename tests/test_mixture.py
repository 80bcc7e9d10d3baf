"""One student learns from all its domains at once."""

import json
from pathlib import Path

import pytest

from branchmerge.core.errors import InputError
from branchmerge.core.files import folder_hash
from branchmerge.core.params import PARAMS
from stages import mixture
from tests.learner import PARAMS as TRAINING
from tests.learner import QUESTIONS, UNEVEN, make_student, sft_set

MATH, CODE = QUESTIONS, UNEVEN


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "machine.yaml").write_text("{run: {threads: 1}, sft: {checkpoint_steps: null}}")
    return tmp_path


def write_params(**domains: list[str]) -> None:
    """Mixtures by name; each sees its rows once."""
    sft = {name: value for name, value in TRAINING.model_dump().items() if name != "max_steps"}
    mixtures = {name: {"domains": of, "epochs": 1} for name, of in domains.items()}
    PARAMS.write_text(json.dumps({"run": {"seed": 0}, "sft": sft, "mixture": mixtures}))


@pytest.mark.slow
def test_a_mixture_learns_the_rows_of_all_its_domains(folder: Path):
    make_student(folder)
    sft_set(folder / "data/sft", MATH, "math")
    sft_set(folder / "data/sft", CODE, "code")
    write_params(both=["math", "code"], one=["math"])
    for name in ("both", "one"):
        mixture.main(name)

    rows = {name: json.loads(Path(f"reports/cost/mixture-{name}.json").read_text())["rows"] for name in ("both", "one")}
    assert rows == {"both": len(MATH) + len(CODE), "one": len(MATH)}
    hashes = {folder_hash(Path(name)) for name in ("models/student", "models/mixtures/both", "models/mixtures/one")}
    assert len(hashes) == 3
    assert Path("reports/training/both/plots/metrics/loss.tsv").is_file()


def test_a_mixture_of_nothing_is_refused():
    write_params(none=[])

    with pytest.raises(InputError, match=r"mixture\.none\.domains"):
        mixture.main("none")
