"""A branch of a build, trained by one process and by two that share the work: loss curve, accuracy and time of each.

Asked are the test questions of the branch's domain. Sequences a step are the same for all: as many as one process
takes, or one more where two could not share them.

Run   make bench NAME=strategies         (after make repro; FOLDER=... for another build, DOMAIN=code for a branch)
"""

import importlib.util
import os
import tempfile
from contextlib import chdir
from pathlib import Path

from bench.result import TINY, seconds
from branchmerge.core.files import read_rows
from branchmerge.core.params import RunParams, read_params
from branchmerge.core.records import PROMPT
from branchmerge.evaluation.params import EvaluateParams
from branchmerge.evaluation.statistics import paired_difference
from branchmerge.grading.judge import VerifyParams
from branchmerge.search.trial import Evaluator, Score
from branchmerge.training.hyperparameters import SftParams, TrainingParams
from branchmerge.training.machine import LaunchMachine, Setup, read_setup
from branchmerge.training.run import fine_tune

DOMAIN = os.environ.get("DOMAIN", "math")
CONFIDENCE = 0.95
Learnt = tuple[dict[int, float], dict[str, bool]]  # loss by step, and by question whether the answer is right
LAUNCHES = {
    "one process": LaunchMachine(),
    **{
        f"two processes, {strategy}": LaunchMachine.model_validate({"processes": 2, "nodes": 1, "strategy": strategy})
        for strategy in ("ddp", "fsdp", "zero2", "zero3")
    },
}


def main(tiny: bool = TINY) -> None:
    """Train a branch by each launch and ask it; the first is what the others are compared with.

    Where it is tiny, by the first alone.
    """
    folder = Path(os.environ.get("FOLDER", ".")).resolve()
    with tempfile.TemporaryDirectory() as scratch, chdir(scratch):
        for name in ("stages", "models/student", "data/sft", "data/benchmarks", "params.yaml", "machine.yaml"):
            Path(name).parent.mkdir(exist_ok=True)
            if (folder / name).exists():
                Path(name).symlink_to(folder / name)
        seed, evaluate, setup = read_params(RunParams).seed, read_params(EvaluateParams), read_setup()
        params = read_params(SftParams, domain=DOMAIN)
        params = params.model_copy(update={"batch_size": params.batch_size + params.batch_size % 2})
        questions = read_rows(Path(f"data/benchmarks/{DOMAIN}.parquet"), PROMPT)
        print(f"{DOMAIN}, {params.batch_size} sequences a step, {len(questions)} questions:\n")
        print("| launch | steps | last loss | largest difference of a loss | right | difference | s |")
        print("|---" * 7 + "|")
        results: list[Learnt] = []
        with Evaluator(seed, evaluate, read_params(VerifyParams), {DOMAIN: questions}) as evaluator:
            for number, (name, launch) in enumerate(list(LAUNCHES.items())[: 1 if tiny else None]):
                if launch.strategy.startswith("zero") and not importlib.util.find_spec("deepspeed"):
                    print(f"| {name} | NOT RUN: the extra deepspeed is not installed |", flush=True)
                    continue
                model = Path(f"model-{number}")
                wall_s = seconds(_train, params, seed, setup.model_copy(update={"launch": launch}), model)
                score = Score()
                evaluator.ask(model, score, len(questions))
                results.append((_curve(model), score.is_correct[DOMAIN]))
                print(f"| {name} | {_row(results[0], results[-1])} | {wall_s:.0f} |", flush=True)


def _train(params: TrainingParams, seed: int, setup: Setup, folder: Path) -> None:
    fine_tune(
        name=folder.name,
        datasets=[Path(f"data/sft/{DOMAIN}.parquet")],
        params=params,
        seed=seed,
        setup=setup,
        output=folder,
        metrics=Path(f"metrics-{folder.name}"),
    )


def _curve(folder: Path) -> dict[int, float]:
    """The loss by step."""
    lines = Path(f"metrics-{folder.name}/plots/metrics/loss.tsv").read_text().splitlines()[1:]
    return {int(step): float(loss) for step, loss in (line.split("\t") for line in lines)}


def _row(alone: Learnt, other: Learnt) -> str:
    (losses, answers), (expected, baseline) = other, alone
    assert losses.keys() == expected.keys(), f"steps to {max(losses)}, those of one process to {max(expected)}"
    furthest = max(abs(expected[step] - loss) for step, loss in losses.items())
    pairs = [(float(answers[question]), float(is_correct)) for question, is_correct in baseline.items()]
    gain = paired_difference(pairs, CONFIDENCE)
    right = sum(answers.values()) / len(answers)
    difference = f"{100 * gain.mean:+.1f} [{100 * gain.low:.1f}, {100 * gain.high:.1f}]"
    last = max(losses)
    return f"{last} | {losses[last]:.4f} | {furthest:.4f} | {right:.1%} | {difference}"


if __name__ == "__main__":
    main()
