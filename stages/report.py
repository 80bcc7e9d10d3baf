"""Everything a person reads: the table of models and domains with intervals, and what it all cost.

Reads   reports/eval, reports/cost, reports/merge, reports/training, data/sft, data/rejected
Writes  reports/report.md, reports/metrics.json, reports/plots
Params  report, models, evaluate.benchmarks, merge.method, merge.order
Run     python -m stages.report
"""

import csv
import json
from pathlib import Path
from typing import Any

from pydantic import Field

from stages.shared.command import run
from stages.shared.errors import InputError
from stages.shared.files import Row, read_rows, whole_file, whole_folder, write_json
from stages.shared.params import Params, read_params, read_value
from stages.shared.records import SCORE
from stages.shared.statistics import Estimate, accuracy, paired_difference

EVAL, COST, TRAINING = Path("reports/eval"), Path("reports/cost"), Path("reports/training")
REPORT, METRICS, PLOTS = Path("reports/report.md"), Path("reports/metrics.json"), Path("reports/plots")
MERGE = Path("reports/merge/merge.json")
TEMPLATE = Path("stages/templates/report.md.jinja")


class ReportParams(Params):
    """How the report states what it saw.

    Args:
        confidence: Of the intervals, 0.95 for 95 %.
        baseline: The model that others are compared with, question by question.
    """

    confidence: float = Field(gt=0.5, lt=1)
    baseline: str


def main() -> None:
    """Write the report, its numbers and its plots."""
    params = read_params(ReportParams, "report")
    models = list(read_value("models"))
    if params.baseline not in models:
        raise InputError(
            where="report.baseline",
            expected=f"one of {', '.join(models)}",
            got=params.baseline,
            do="name an evaluated model",
        )
    benchmarks = list(read_value("evaluate.benchmarks"))
    scores = {model: _scores(model, benchmarks) for model in models}
    metrics = metrics_of(scores, params)
    write_json(METRICS, metrics)
    _write_report(metrics, benchmarks, params)
    with whole_folder(PLOTS) as folder:
        write_json(folder / "accuracy.json", _accuracy_points(metrics))
        write_json(folder / "training_loss.json", _loss_points())


def _scores(model: str, benchmarks: list[str]) -> list[Row]:
    """A model's scores, the benchmarks in the order of params.yaml."""
    return sorted(read_rows(EVAL / f"{model}.parquet", SCORE), key=lambda row: benchmarks.index(row["benchmark"]))


def metrics_of(scores: dict[str, list[Row]], params: ReportParams) -> dict[str, Any]:
    """All figures of the report: accuracy, gain over the baseline, tokens, truncation and cost.

    Returns:
        accuracy.<model>.<benchmark> and gain.<model>.<benchmark> as mean, low, high (fractions);
        answers.<model>.<benchmark>; cost.<stage>.
    """
    by_question = {model: _question_means(rows) for model, rows in scores.items()}
    return {
        "accuracy": {
            model: {
                name: accuracy(list(means.values()), params.confidence).as_dict() for name, means in benchmarks.items()
            }
            for model, benchmarks in by_question.items()
        },
        "gain": {
            model: {
                name: _gain(means, by_question[params.baseline][name], params.confidence).as_dict()
                for name, means in benchmarks.items()
            }
            for model, benchmarks in by_question.items()
            if model != params.baseline
        },
        "answers": {model: _answers(rows) for model, rows in scores.items()},
        "cost": {file.stem: json.loads(file.read_text()) for file in sorted(COST.glob("*.json"))},
    }


def _question_means(rows: list[Row]) -> dict[str, dict[str, float]]:
    """benchmark -> question -> share of its sampled answers that are correct."""
    answers: dict[str, dict[str, list[bool]]] = {}
    for row in rows:
        answers.setdefault(row["benchmark"], {}).setdefault(row["question_id"], []).append(row["is_correct"])
    return {
        benchmark: {question: sum(correct) / len(correct) for question, correct in questions.items()}
        for benchmark, questions in answers.items()
    }


def _gain(model: dict[str, float], baseline: dict[str, float], confidence: float) -> Estimate:
    return paired_difference([(model[question], baseline[question]) for question in sorted(baseline)], confidence)


def _answers(rows: list[Row]) -> dict[str, dict[str, float]]:
    """benchmark -> mean tokens an answer, and the share cut off at the limit."""
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row["benchmark"], []).append(row)
    return {
        benchmark: {
            "questions": len({row["question_id"] for row in answered}),
            "mean_tokens": sum(row["completion_tokens"] for row in answered) / len(answered),
            "truncated_ratio": sum(row["is_truncated"] for row in answered) / len(answered),
        }
        for benchmark, answered in grouped.items()
    }


def _write_report(metrics: dict[str, Any], benchmarks: list[str], params: ReportParams) -> None:
    import jinja2

    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    text = environment.from_string(TEMPLATE.read_text()).render(
        metrics=metrics,
        benchmarks=benchmarks,
        baseline=params.baseline,
        confidence=params.confidence,
        method=read_value("merge.method"),
        order=read_value("merge.order"),
        merge=json.loads(MERGE.read_text())["model"],
    )
    with whole_file(REPORT) as partial:
        partial.write_text(text)


def _accuracy_points(metrics: dict[str, Any]) -> list[Row]:
    return [
        {
            "model": model,
            "domain": domain,
            "accuracy": estimate["mean"],
            "low": estimate["low"],
            "high": estimate["high"],
        }
        for model, domains in metrics["accuracy"].items()
        for domain, estimate in domains.items()
    ]


def _loss_points() -> list[Row]:
    """The loss of every training run, by optimiser step, from DVCLive's curves."""
    points = []
    for curve in sorted(TRAINING.glob("*/plots/metrics/loss.tsv")):
        with curve.open() as stream:
            for row in csv.DictReader(stream, delimiter="\t"):
                points.append(
                    {"run": curve.relative_to(TRAINING).parts[0], "step": int(row["step"]), "loss": float(row["loss"])}
                )
    return points


if __name__ == "__main__":
    run(main)
