"""The report as Markdown."""

import json
from pathlib import Path
from typing import Any

from branchmerge.core.files import whole_file
from branchmerge.evaluation.statistics import mean_of_domains
from branchmerge.reporting.params import ReportParams

REPORT = Path("reports/report.md")
MERGE = Path("reports/merge/merge.json")
TEMPLATE = Path(__file__).parent / "report.md.jinja"


def write_report(
    metrics: dict[str, Any],
    benchmarks: list[str],
    params: ReportParams,
    method: str,
    order: list[str],
    warnings: list[str],
) -> None:
    """Write reports/report.md.

    Args:
        benchmarks: In the order of the tables.
        method, order: Of the merge.
        warnings: What a reader must know of the comparison; a sentence each.
    """
    import jinja2

    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    text = environment.from_string(TEMPLATE.read_text()).render(
        metrics=metrics,
        benchmarks=benchmarks,
        pooled=[(name, source) for name, of in next(iter(metrics["by_source"].values())).items() for source in of],
        baseline=params.baseline,
        probe=next(reversed(metrics["gain"]), None),
        confidence=params.confidence,
        method=method,
        order=order,
        warnings=warnings,
        means={
            model: mean_of_domains({name: of["mean"] for name, of in row.items()}) if all(row.values()) else None
            for model, row in metrics["accuracy"].items()
        },
        merge=json.loads(MERGE.read_text())["model"],
    )
    with whole_file(REPORT) as partial:
        partial.write_text(text)
