"""What README promises of the toy on any machine, held against the build in this folder: signs and floors."""

import hashlib
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from bench.toy import figures, models_of, scores_of
from branchmerge.core.params import PARAMS
from branchmerge.evaluation.statistics import Estimate

TEACHER_FLOOR = 70.0  # %
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
def effect(project: Path) -> Effect:
    """Accuracies of teacher and student, gains of branches and merged model, and how many domains there are."""
    if not is_built(project):
        pytest.skip("THE TOY IS NOT BUILT HERE: run `make repro` first, with the params of profiles/toy.yaml")
    models = models_of(project)
    domains = models[2:-1]
    return *figures(scores_of(project, models), domains), len(domains)


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
