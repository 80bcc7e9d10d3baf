"""All figures of the report, from the scores and the costs."""

import csv
import json
import math
from pathlib import Path
from typing import Any

from branchmerge.chat.faults import FAULTS
from branchmerge.core.files import Row
from branchmerge.evaluation.statistics import (
    Estimate,
    accuracy_of_new_samples,
    holm,
    majority_at_k,
    pass_at_k,
    resampled,
)
from branchmerge.evaluation.tally import Comparison, Tally, compared, tallies
from branchmerge.reporting.params import ReportParams

_PASS_AT = (4, 16, 64)
COST, TRAINING = Path("reports/cost"), Path("reports/training")


def metrics_of(
    scores: dict[str, list[Row]], params: ReportParams, sources: dict[str, dict[str, set[str]]]
) -> dict[str, Any]:
    """All figures of the report: accuracy, gain over the baseline, what is wrong with answers, and cost.

    Args:
        scores: By model.
        sources: By benchmark that pools several: source -> its questions.

    Returns:
        By model and benchmark: accuracy as mean, low, high (fractions), and with several samples a question what else
        they say; by_source, the accuracy on the questions of each; gain over the baseline as mean, low, high, p (Holm
        over the whole table) and detectable, the difference that as many questions and samples would show; answers.
        cost.<stage>.
    """
    of_models = {model: tallies(rows) for model, rows in scores.items()}
    return {
        "accuracy": {
            model: {
                name: estimate.as_dict() if (estimate := tally.accuracy(params.confidence)) else None
                for name, tally in of.items()
            }
            for model, of in of_models.items()
        },
        "sampled": {
            model: found
            for model, of in of_models.items()
            if (found := {name: _sampled(tally, params.confidence) for name, tally in of.items() if tally.samples > 1})
        },
        "by_source": {
            model: {name: _by_source(of[name], parts, params.confidence) for name, parts in sources.items()}
            for model, of in of_models.items()
        },
        "gain": _gains(of_models, params),
        "answers": {model: _answers(rows, of_models[model]) for model, rows in scores.items()},
        "cost": {file.stem: json.loads(file.read_text()) for file in sorted(COST.glob("*.json"))},
    }


def _sampled(tally: Tally, confidence: float) -> dict[str, dict[str, float]]:
    """What several samples a question say besides their mean."""
    counts = list(tally.counts.values())
    found: dict[str, Estimate | None] = {"new_samples": accuracy_of_new_samples(counts, confidence)}
    least = min((answers for _, answers in counts), default=0)
    for k in (k for k in _PASS_AT if k <= least):
        found[f"pass@{k}"] = resampled([pass_at_k(correct, of, k) for correct, of in counts], confidence)
    if least > 1:
        votes = [majority_at_k(verdicts) for verdicts in tally.verdicts.values()]
        found[f"majority@{tally.samples}"] = resampled(votes, confidence)
    return {name: estimate.as_dict() for name, estimate in found.items() if estimate is not None}


def _by_source(tally: Tally, sources: dict[str, set[str]], confidence: float) -> dict[str, dict[str, float] | None]:
    found = {source: tally.among(questions).accuracy(confidence) for source, questions in sources.items()}
    return {source: estimate.as_dict() if estimate else None for source, estimate in found.items()}


def _gains(of_models: dict[str, dict[str, Tally]], params: ReportParams) -> dict[str, dict[str, dict[str, float]]]:
    baseline = of_models[params.baseline]
    found = {
        (model, name): compared(tally, baseline[name], params.confidence)
        for model, of in of_models.items()
        if model != params.baseline
        for name, tally in of.items()
    }
    adjusted = holm({f"{model}/{name}": comparison.p for (model, name), comparison in found.items()})
    gains: dict[str, dict[str, dict[str, float]]] = {}
    for (model, name), comparison in found.items():
        gains.setdefault(model, {})[name] = comparison.difference.as_dict() | {
            "p": round(adjusted[f"{model}/{name}"], 6),
            "detectable": round(_detectable(comparison, params.confidence), 4),
            "detectable_4x_questions": round(_detectable(comparison, params.confidence, questions=4), 4),
            "detectable_4x_samples": round(_detectable(comparison, params.confidence, samples=4), 4),
        }
    return gains


def _detectable(comparison: Comparison, confidence: float, questions: int = 1, samples: int = 1) -> float:
    """With so many times the questions, so many times the samples."""
    n = max(comparison.questions, 1)
    return comparison.spread.detectable(questions * n, samples * comparison.samples, confidence)


def _answers(rows: list[Row], of_benchmarks: dict[str, Tally]) -> dict[str, dict[str, float]]:
    """benchmark -> questions, tokens an answer, and the share of answers with each fault."""
    found = {}
    for benchmark, tally in of_benchmarks.items():
        asked = [row for row in rows if row["benchmark"] == benchmark and row["finish_reason"] != "skipped"]
        tokens = sorted(row["completion_tokens"] for row in asked)
        n = max(len(asked), 1)
        found[benchmark] = {
            "questions": len({row["question_id"] for row in asked}),
            "samples": tally.samples,
            "mean_tokens": sum(tokens) / n,
            "p95_tokens": tokens[math.ceil(0.95 * len(tokens)) - 1] if tokens else 0,
            "skipped_questions": tally.skipped,
            "unverifiable_ratio": tally.unverifiable / n,
            "truncated_ratio": sum(row["finish_reason"] == "length" for row in asked) / n,
            "empty_ratio": sum(row["finish_reason"] == "empty" for row in asked) / n,
            **{f"{fault}_ratio": sum(fault in row["faults"] for row in asked) / n for fault in FAULTS},
        }
    return found


def made_differently(scores: dict[str, list[Row]], cost: dict[str, dict[str, Any]]) -> list[str]:
    """What a reader must know where models that are compared were not made alike; a sentence each, none if all were."""
    trained = {stage: of["made_with"] for stage, of in cost.items() if "made_with" in of}
    answered = {
        model: " and ".join(sorted({row["made_with"] for row in rows if row["made_with"]}))
        for model, rows in scores.items()
    }
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
        if estimate is not None
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
