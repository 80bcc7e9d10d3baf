"""What the toy is to show on any machine, held against the build in this folder: signs and floors, no figure."""

import hashlib
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from bench.toy import domains_of, figures, models_of, scores_of
from branchmerge.core.params import PARAMS
from branchmerge.evaluation.statistics import Estimate

TEACHER_FLOOR = 75.0  # %
SCORES = Path("reports/eval/scores.parquet")
Effect = tuple[list[float], list[Estimate], int]


def is_built(project: Path) -> bool:
    """Whether the scores are those of the toy that dvc.lock records."""
    if (project / PARAMS).read_bytes() != (project / "profiles/toy.yaml").read_bytes():
        return False
    stages = YAML(typ="safe").load(project / "dvc.lock")["stages"]
    outputs = [out for model in models_of(project) for out in stages[f"evaluate@{model}"]["outs"]]
    return all(
        (project / out["path"]).is_file()
        and hashlib.md5((project / out["path"]).read_bytes(), usedforsecurity=False).hexdigest() == out["md5"]
        for out in outputs
        if out["path"].endswith(".parquet")
    )


@pytest.fixture
def built_toy(project: Path, tmp_path: Path) -> Path:
    """A folder with the toy's params, and scores that its dvc.lock records."""
    profile = (project / "profiles/toy.yaml").read_bytes()
    for file, content in ((PARAMS, profile), (Path("profiles/toy.yaml"), profile), (SCORES, b"scores")):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(content)
    scores = {"outs": [{"path": str(SCORES), "md5": hashlib.md5(b"scores", usedforsecurity=False).hexdigest()}]}
    lock = {"stages": {f"evaluate@{model}": scores for model in models_of(tmp_path)}}
    YAML(typ="safe").dump(lock, tmp_path / "dvc.lock")
    return tmp_path


def test_a_toy_whose_scores_dvc_lock_records_is_built(built_toy: Path):
    assert is_built(built_toy)


def test_scores_of_another_build_are_not_the_toy_s(built_toy: Path):
    (built_toy / SCORES).write_bytes(b"others")

    assert not is_built(built_toy)


def test_a_toy_without_scores_is_not_built(built_toy: Path):
    (built_toy / SCORES).unlink()

    assert not is_built(built_toy)


def test_a_build_with_other_params_is_not_the_toy_s(built_toy: Path):
    with (built_toy / PARAMS).open("a") as params:
        params.write("# mine\n")

    assert not is_built(built_toy)


@pytest.fixture
def effect(project: Path) -> Effect:
    """Accuracies of teacher and student, gains of branches and merged model, and how many domains there are."""
    if not is_built(project):
        pytest.skip("THE TOY IS NOT BUILT HERE: run `make repro` first, with the params of profiles/toy.yaml")
    domains = domains_of(project)
    return *figures(scores_of(project, models_of(project)), domains), len(domains)


def test_the_teacher_is_good_in_every_domain_and_far_above_the_student(effect: Effect):
    accuracies, _, count = effect
    teacher, student = accuracies[:count], accuracies[count:]

    assert min(teacher) > TEACHER_FLOOR
    assert all(above - below > 20 for above, below in zip(teacher, student, strict=True))


def test_every_branch_is_above_the_student_in_its_own_domain(effect: Effect):
    _, gains, count = effect

    assert [gain.low > 0 for gain in gains[:count]] == [True] * count


def test_the_merged_model_is_above_the_student_in_every_domain(effect: Effect):
    _, gains, count = effect

    assert [gain.low > 0 for gain in gains[count:]] == [True] * count
