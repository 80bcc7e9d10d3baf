"""One model on every benchmark and every task of lm-eval: a row for each answer, with its verdict.

What the model once answered is taken from the row store; it is loaded only if something must be asked.

Reads   the model's folder, data/benchmarks, tasks, the row store
Writes  reports/eval/<model>.parquet, reports/cost/evaluate-<model>.json
Params  run, verify, evaluate
Run     python -m stages.evaluate --model merged --path models/merged
"""

from pathlib import Path

from branchmerge.chat import contract
from branchmerge.core.arithmetic import read_run
from branchmerge.core.command import Model, ModelPath, run
from branchmerge.core.cost import measured
from branchmerge.core.errors import InputError
from branchmerge.core.files import folder_hash, write_rows
from branchmerge.core.machine import RunMachine, read_machine
from branchmerge.core.params import read_params
from branchmerge.core.records import SCORE
from branchmerge.evaluation.params import EvaluateMachine, EvaluateParams
from branchmerge.evaluation.questions import questions_of
from branchmerge.evaluation.respondent import Respondent
from branchmerge.evaluation.scores import known_answers, score_all
from branchmerge.evaluation.tasks import task_scores
from branchmerge.grading.judge import VerifyParams


def main(model: Model, path: ModelPath) -> None:
    """Score one model."""
    seed, params, verify = read_run().seed, read_params(EvaluateParams), read_params(VerifyParams)
    machine, threads = read_machine(EvaluateMachine), read_machine(RunMachine).threads
    if not (path / "config.json").is_file():
        raise InputError(
            where=f"models.{model}", expected="a model folder", got=str(path), do="correct the path in params.yaml"
        )
    questions = {benchmark: questions_of(benchmark) for benchmark in params.benchmarks}
    target = Path(f"reports/eval/{model}.parquet")
    with measured(f"evaluate-{model}") as cost:
        contract.check_contract(path)
        respondent = Respondent(path, folder_hash(path), model, machine, threads, known_answers(target))
        rows = score_all(model, respondent, questions, params, verify, seed)
        rows += task_scores(model, respondent, params, seed)
        cost |= {"rows": len(rows), "tokens": sum(row["completion_tokens"] for row in rows)}
        cost["asked_tokens"] = respondent.asked_tokens
    write_rows(target, SCORE, rows)


if __name__ == "__main__":
    run(main)
