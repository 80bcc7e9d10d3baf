"""The stage report writes the table, its numbers and its plots from the files of the stages before it."""

import json
from pathlib import Path
from typing import Any

import pytest

from branchmerge.core.errors import InputError
from branchmerge.core.files import write_json, write_rows
from branchmerge.core.params import PARAMS
from branchmerge.core.records import SCORE
from stages import report

# right answers to the four questions of each benchmark
RIGHT = {"student": {"math": "1000", "code": "0000"}, "merged": {"math": "1110", "code": "0011"}}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project before its report."""
    monkeypatch.chdir(tmp_path)
    for model, benchmarks in RIGHT.items():
        rows = [_score(model, name, n, mark) for name, marks in benchmarks.items() for n, mark in enumerate(marks)]
        write_rows(Path(f"reports/eval/{model}.parquet"), SCORE, rows)
        write_json(Path(f"reports/cost/evaluate-{model}.json"), {"wall_s": 1.5, "tokens": 1234})
    branch = {"part": 0.5, "taken_ratio": 0.25, "change_norm_ratio": 0.01}
    whole = {"change_norm_ratio": 0.02, "sign_conflict_ratio": 0.125, "branches": {"math": branch}}
    write_json(Path("reports/merge/merge.json"), {"model": whole})
    curve = Path("reports/training/math/plots/metrics/loss.tsv")
    curve.parent.mkdir(parents=True)
    curve.write_text("step\tloss\n1\t2.5\n2\t1.25\n")
    write_params("student")


def _score(model: str, benchmark: str, number: int, mark: str) -> dict[str, Any]:
    return dict.fromkeys(SCORE.schema.names) | {
        "model": model,
        "model_hash": model,
        "benchmark": benchmark,
        "question_id": f"q{number}",
        "sample_index": 0,
        "response": mark,
        "is_correct": mark == "1",
        "completion_tokens": 10 * (number + 1),
        "finish_reason": "length" if number == 3 else "stop",
    }


def write_params(baseline: str) -> None:
    sections = {
        "report": {"confidence": 0.95, "baseline": baseline},
        "models": {name: f"models/{name}" for name in RIGHT},
        "evaluate": {"benchmarks": {"code": {}, "math": {}}},
        "merge": {"method": "ties", "order": ["math"]},
    }
    PARAMS.write_text(json.dumps(sections))


def test_the_numbers_are_those_of_the_scores():
    report.main()
    metrics = json.loads(Path("reports/metrics.json").read_text())

    means = {model: {name: row["mean"] for name, row in of.items()} for model, of in metrics["accuracy"].items()}
    assert means == {"student": {"code": 0, "math": 0.25}, "merged": {"code": 0.5, "math": 0.75}}
    assert {model: of["math"]["mean"] for model, of in metrics["gain"].items()} == {"merged": 0.5}
    assert metrics["answers"]["merged"]["math"] == {"questions": 4, "mean_tokens": 25, "truncated_ratio": 0.25}
    assert metrics["cost"]["evaluate-merged"] == {"wall_s": 1.5, "tokens": 1234}


def test_the_table_has_a_row_a_model_and_a_column_a_benchmark_in_the_order_of_params_yaml():
    report.main()
    lines = Path("reports/report.md").read_text().splitlines()

    assert "| model | code | math | mean |" in lines
    (merged,) = (line for line in lines if line.startswith("| merged | 50.0 ["))
    assert merged.endswith(" | 62.5 |")
    assert "`ties` in the order math" in "\n".join(lines)
    assert "| math | 0.50 | 25.0 % | 1.0 % |" in lines
    assert "| evaluate-merged | 1.5 | 1,234 |" in lines


def test_the_plots_have_a_point_a_model_and_benchmark_and_one_a_step():
    report.main()
    accuracy = json.loads(Path("reports/plots/accuracy.json").read_text())
    losses = json.loads(Path("reports/plots/training_loss.json").read_text())

    assert [(point["model"], point["domain"], point["accuracy"]) for point in accuracy] == [
        ("student", "code", 0),
        ("student", "math", 0.25),
        ("merged", "code", 0.5),
        ("merged", "math", 0.75),
    ]
    assert losses == [{"run": "math", "step": 1, "loss": 2.5}, {"run": "math", "step": 2, "loss": 1.25}]


def test_a_baseline_that_was_not_evaluated_is_refused_before_anything_is_written():
    write_params("teacher")

    with pytest.raises(InputError, match="expected one of student, merged, got teacher"):
        report.main()
    assert not Path("reports/report.md").exists()


def test_models_that_were_made_differently_are_told_and_alike_ones_are_not():
    from branchmerge.reporting.metrics import made_differently

    scores = {model: [{"made_with": "hf, cpu"}] for model in ("student", "merged")}
    alike = {"sft-math": {"made_with": "1 processes"}, "sft-code": {"made_with": "1 processes"}, "merge": {}}
    other = alike | {"sft-code": {"made_with": "2 processes"}}

    assert made_differently(scores, alike) == []
    (said,) = made_differently(scores | {"merged": [{"made_with": "vllm, H100"}]}, alike)
    assert said.startswith("Not all models answered on alike machines")
    assert "student: hf, cpu; merged: vllm, H100" in said
    assert "sft-math: 1 processes; sft-code: 2 processes" in made_differently(scores, other)[0]
