"""All figures of the report, from the scores and the costs."""

import csv
import json
from pathlib import Path
from typing import Any

from branchmerge.core.files import Row
from branchmerge.evaluation.statistics import Estimate, accuracy, paired_difference
from branchmerge.reporting.params import ReportParams

COST, TRAINING = Path("reports/cost"), Path("reports/training")


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


def made_differently(scores: dict[str, list[Row]], cost: dict[str, dict[str, Any]]) -> list[str]:
    """What a reader must know where models that are compared were not made alike; a sentence each, none if all were."""
    trained = {stage: of["made_with"] for stage, of in cost.items() if "made_with" in of}
    answered = {model: " and ".join(sorted({str(row["made_with"]) for row in rows})) for model, rows in scores.items()}
    said = (("were trained", trained), ("answered", answered))
    return [
        f"Not all models {verb} on alike machines, which may show: "
        + "; ".join(f"{', '.join(names)}: {how}" for how, names in _by_value(found).items())
        + "."
        for verb, found in said
        if len(set(found.values())) > 1
    ]


def _by_value(found: dict[str, str]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for name, value in found.items():
        names.setdefault(value, []).append(name)
    return names


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
            "truncated_ratio": sum(row["finish_reason"] == "length" for row in answered) / len(answered),
        }
        for benchmark, answered in grouped.items()
    }


def accuracy_points(metrics: dict[str, Any]) -> list[Row]:
    """The accuracy of every model in every domain, for dvc plots."""
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


def loss_points() -> list[Row]:
    """The loss of every training run, by optimiser step, from DVCLive's curves."""
    points = []
    for curve in sorted(TRAINING.glob("*/plots/metrics/loss.tsv")):
        with curve.open() as stream:
            for row in csv.DictReader(stream, delimiter="\t"):
                points.append(
                    {"run": curve.relative_to(TRAINING).parts[0], "step": int(row["step"]), "loss": float(row["loss"])}
                )
    return points
