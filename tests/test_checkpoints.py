"""A branch whose training is killed comes out as if it had not been, or says why it cannot."""

import importlib.metadata
import json
import multiprocessing
import os
import random
import shutil
import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from branchmerge.core import meaning
from branchmerge.core.errors import InputError
from branchmerge.core.files import folder_hash
from branchmerge.training import checkpoints
from branchmerge.training.job import describe, refuse_other, write_job
from branchmerge.training.run import STUDENT
from tests.learner import ALONE, QUESTIONS, SEED, UNEVEN, learn_branch, make_student, other, setup, sft_set

PARAMS = other(max_steps=100, held_out_rows=2, logging_steps=1)
KILLS = 5
JOB = "checkpoints/sft-math"
PLOTS = "reports/training/math/plots/metrics"
CURVES = ("loss.tsv", "learning_rate.tsv", "grad_norm.tsv", "num_tokens.tsv", "eval/loss.tsv")


def learn_in(folder: Path) -> None:
    os.chdir(folder)
    learn_branch(folder, PARAMS, setup(checkpoint_steps=4))


@pytest.mark.slow
def test_a_branch_killed_five_times_is_the_one_that_was_left_alone(tmp_path: Path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
        make_student(folder)
        sft_set(folder, UNEVEN)
    started = multiprocessing.get_context("forkserver")
    started.set_forkserver_preload(
        ["trl.trainer.sft_trainer", "dvclive", "transformers.models.qwen2.modeling_qwen2", "branchmerge.training.run"]
    )

    def start(folder: Path) -> multiprocessing.process.BaseProcess:
        process = started.Process(target=learn_in, args=(folder,))
        process.start()
        return process

    start(whole).join()
    moments, seen = random.Random(0), []
    for _ in range(KILLS):
        process = start(killed)
        wait_for_a_checkpoint(process, killed / JOB)
        time.sleep(moments.uniform(0, 0.1))
        process.kill()
        process.join()
        seen.append(checkpoints.step_of(checkpoints.newest(killed / JOB)))
    start(killed).join()

    assert seen == sorted(seen)
    assert len(set(seen)) > KILLS // 2
    assert folder_hash(killed / "models/branches/math") == folder_hash(whole / "models/branches/math")
    for curve in CURVES:
        assert (killed / PLOTS / curve).read_text() == (whole / PLOTS / curve).read_text(), curve
    costs = [json.loads((folder / "reports/cost/sft-math.json").read_text()) for folder in (whole, killed)]
    assert {**costs[0], "wall_s": 0} == {**costs[1], "wall_s": 0}
    assert not (killed / JOB).exists()


def wait_for_a_checkpoint(process: multiprocessing.process.BaseProcess, job: Path) -> None:
    """Until one is begun that was not there, written whole or not."""
    before = set(job.glob("checkpoint-*"))
    while process.is_alive() and not set(job.glob("checkpoint-*")) - before:
        time.sleep(0.005)


@pytest.fixture
def stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a job that has a checkpoint."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / STUDENT).mkdir(parents=True)
    (tmp_path / STUDENT / "config.json").write_text("{}")
    job = describe("sft-math", [sft_set(tmp_path, QUESTIONS)], STUDENT, PARAMS, SEED, ALONE)
    write_job(job)
    (tmp_path / "plots").mkdir()
    checkpoints.keep(job.folder / "checkpoint-4", 8, tmp_path / "plots")
    return tmp_path


def test_a_checkpoint_of_another_learning_rate_is_refused_by_name(stopped: Path):
    with pytest.raises(
        InputError, match=r"params.learning_rate 0.5, got params.learning_rate 0.01.*Remove checkpoints"
    ):
        learn_branch(stopped, PARAMS.model_copy(update={"learning_rate": 0.5}))


def test_a_checkpoint_of_another_data_set_is_refused_by_name(stopped: Path):
    sft_set(stopped, QUESTIONS[:3])
    with pytest.raises(InputError, match=r"datasets\..*arithmetic.parquet"):
        learn_branch(stopped, PARAMS)


def test_a_checkpoint_of_another_student_is_refused_by_name(stopped: Path):
    (stopped / STUDENT / "config.json").write_text("[]")
    with pytest.raises(InputError, match="a checkpoint of this job: student"):
        learn_branch(stopped, PARAMS)


def test_a_checkpoint_of_another_world_size_is_refused_by_name(stopped: Path):
    two = setup("ddp", processes=2)
    with pytest.raises(InputError, match=r"launch\.processes 2, setup\.launch\.strategy ddp, got"):
        learn_branch(stopped, PARAMS, two)


def test_a_checkpoint_of_another_version_of_a_library_is_refused_by_name(
    stopped: Path, monkeypatch: pytest.MonkeyPatch
):
    here = importlib.metadata.version
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.1" if name == "trl" else here(name))

    with pytest.raises(InputError, match=r"a checkpoint of this job: libraries\.trl 0\.1, got libraries\.trl 1"):
        learn_branch(stopped, PARAMS)


@pytest.mark.parametrize(("text", "refused"), [("PLANTED = 1", "code"), ("# a comment", None)])
def test_a_checkpoint_of_other_code_is_refused_and_one_of_other_comments_goes_on(
    stopped: Path, project_copy: Path, monkeypatch: pytest.MonkeyPatch, text: str, refused: str | None
):
    """Of training, or of anything that it stands on."""
    library = project_copy / "branchmerge"
    with (library / "training/packing.py").open("a") as file:
        file.write(f"\n{text}\n")
    monkeypatch.setattr(meaning, "_LIBRARY", library)
    monkeypatch.setattr("branchmerge.training.job._LEARNS", library / "training/run.py")
    other_job = describe("sft-math", [stopped / "arithmetic.parquet"], STUDENT, PARAMS, SEED, ALONE)

    refusal = pytest.raises(InputError, match=rf"a checkpoint of this job: {refused} [0-9a-f]+, got {refused}")
    with refusal if refused else nullcontext():
        refuse_other(other_job)


def test_a_checkpoint_goes_on_with_what_only_rounds_otherwise(stopped: Path):
    job = describe("sft-math", [stopped / "arithmetic.parquet"], STUDENT, PARAMS, SEED, ALONE)
    refuse_other(job.model_copy(update={"setup": setup(attention="eager", gradient_checkpointing=True)}))

    with pytest.raises(InputError, match=r"setup.sft.max_batch_size_per_device 1, got .* None"):
        refuse_other(job.model_copy(update={"setup": setup(max_batch_size_per_device=1)}))


def test_a_refused_checkpoint_is_still_there(stopped: Path):
    with pytest.raises(InputError):
        learn_branch(stopped, PARAMS.model_copy(update={"learning_rate": 0.5}))
    assert checkpoints.newest(stopped / "checkpoints/sft-math") == stopped / "checkpoints/sft-math/checkpoint-4"


def test_a_checkpoint_that_was_being_written_does_not_count(stopped: Path):
    folder = stopped / "checkpoints/sft-math"
    (folder / "checkpoint-8").mkdir()
    (folder / "checkpoint-8/model.safetensors").write_text("half")

    assert checkpoints.newest(folder) == folder / "checkpoint-4"


def test_the_newest_checkpoint_is_the_one_of_most_steps(stopped: Path):
    folder = stopped / "checkpoints/sft-math"
    checkpoints.keep(folder / "checkpoint-12", 24, stopped / "plots")

    assert checkpoints.newest(folder) == folder / "checkpoint-12"
    assert checkpoints.rows_of(folder / "checkpoint-12") == 24


@pytest.mark.parametrize(
    ("steps", "free_gib", "is_enough"), [(None, 4, True), (None, 3, False), (9, 40, True), (9, 39, False)]
)
def test_a_disk_too_small_is_refused_before_the_first_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int | None, free_gib: int, is_enough: bool
):
    """A GiB of trained weights: 4 GiB for the model; three checkpoints at 12 GiB more."""
    model = SimpleNamespace(parameters=lambda: [SimpleNamespace(numel=lambda: 2**30, requires_grad=True)])
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free_gib * 2**30))
    if is_enough:
        checkpoints.check_disk(tmp_path, model, steps)
    else:
        with pytest.raises(InputError, match="GiB free for the model and its checkpoints"):
            checkpoints.check_disk(tmp_path, model, steps)
