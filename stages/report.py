"""Everything a person reads: the table of models and domains with intervals, and what it all cost.

Reads   reports/eval, reports/cost, reports/merge, reports/training, data/benchmarks
Writes  reports/report.md, reports/metrics.json, reports/plots
Params  report, models, evaluate, merge.method, merge.order
Run     python -m stages.report
"""

from pathlib import Path

from branchmerge.core.command import run
from branchmerge.core.errors import InputError
from branchmerge.core.files import Row, read_rows, whole_folder, write_json
from branchmerge.core.params import read_params, read_section, read_value
from branchmerge.core.records import SCORE
from branchmerge.evaluation.benchmarks import by_source
from branchmerge.reporting.metrics import accuracy_points, loss_points, made_differently, metrics_of
from branchmerge.reporting.params import ReportParams
from branchmerge.reporting.report import write_report

EVAL, METRICS, PLOTS = Path("reports/eval"), Path("reports/metrics.json"), Path("reports/plots")


def main() -> None:
    """Write the report, its numbers and its plots."""
    params = read_params(ReportParams)
    models = list(read_value("models"))
    if params.baseline not in models:
        raise InputError(
            where="report.baseline",
            expected=f"one of {', '.join(models)}",
            got=params.baseline,
            do="name an evaluated model",
        )
    evaluate = read_section("evaluate")
    benchmarks = [*evaluate["benchmarks"], *(evaluate.get("tasks") or {})]
    scores = {model: _scores(model, benchmarks) for model in models}
    sources = {name: by_source(name) for name in evaluate["benchmarks"]}
    metrics = metrics_of(scores, params, {name: of for name, of in sources.items() if len(of) > 1})
    write_json(METRICS, metrics)
    warnings = made_differently(scores, metrics["cost"])
    write_report(metrics, benchmarks, params, read_value("merge.method"), read_value("merge.order"), warnings)
    with whole_folder(PLOTS) as folder:
        write_json(folder / "accuracy.json", accuracy_points(metrics))
        write_json(folder / "training_loss.json", loss_points())


def _scores(model: str, benchmarks: list[str]) -> list[Row]:
    """A model's scores, the benchmarks in the order of params.yaml."""
    return sorted(read_rows(EVAL / f"{model}.parquet", SCORE), key=lambda row: benchmarks.index(row["benchmark"]))


if __name__ == "__main__":
    run(main)
