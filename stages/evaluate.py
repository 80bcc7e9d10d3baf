"""One model on every benchmark of the build, by lm-eval: a row for each answer.

Reads   the model's folder, data/benchmarks
Writes  reports/eval/<model>.parquet, reports/cost/evaluate-<model>.json
Params  run, verify, evaluate
Run     python -m stages.evaluate --model merged --path models/merged
"""

from pathlib import Path

from branchmerge.chat import contract
from branchmerge.core.command import Model, ModelPath, run
from branchmerge.core.cost import measured
from branchmerge.core.errors import InputError
from branchmerge.core.files import folder_hash, read_rows, write_rows
from branchmerge.core.machine import RunMachine, read_machine
from branchmerge.core.params import RunParams, read_params
from branchmerge.core.records import PROMPT, SCORE
from branchmerge.evaluation.harness import questions_of, samples, scores
from branchmerge.evaluation.params import EvaluateMachine, EvaluateParams


def main(model: Model, path: ModelPath) -> None:
    """Score one model."""
    seed, threads = read_params(RunParams).seed, read_machine(RunMachine).threads
    params = read_params(EvaluateParams)
    if not (path / "config.json").is_file():
        raise InputError(
            where=f"models.{model}", expected="a model folder", got=str(path), do="correct the path in params.yaml"
        )
    for benchmark in params.benchmarks:
        read_rows(questions_of(benchmark), PROMPT)
    with measured(f"evaluate-{model}") as cost:
        contract.check_contract(path)
        model_hash = folder_hash(path)
        answered, made_with = samples(path, params, read_machine(EvaluateMachine), seed, threads)
        rows = [
            {"model": model, "model_hash": model_hash, "made_with": made_with, **score}
            for benchmark, of_benchmark in answered.items()
            for score in scores(benchmark, of_benchmark)
        ]
        cost |= {"rows": len(rows), "tokens": sum(score["completion_tokens"] for score in rows)}
    write_rows(Path(f"reports/eval/{model}.parquet"), SCORE, rows)


if __name__ == "__main__":
    run(main)
