"""The stage report writes the table, its numbers and its plots from the files of the stages before it."""

import json
from pathlib import Path
from typing import Any

import pytest

from branchmerge.core.errors import InputError
from branchmerge.core.files import write_json, write_rows
from branchmerge.core.params import PARAMS
from branchmerge.core.records import PROMPT, SCORE
from stages import report

SECRET = "a question whose authors ask that it is not shown"
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
    write_questions("code", ["functions"] * 4)
    write_questions("math", ["aime24", "aime25", "aime25", "aime25"])
    branch = {"part": 0.5, "taken_ratio": 0.25, "change_norm_ratio": 0.01}
    whole = {"change_norm_ratio": 0.02, "sign_conflict_ratio": 0.125, "branches": {"math": branch}}
    write_json(Path("reports/merge/merge.json"), {"model": whole})
    curve = Path("reports/training/math/plots/metrics/loss.tsv")
    curve.parent.mkdir(parents=True)
    curve.write_text("step\tloss\n1\t2.5\n2\t1.25\n")
    write_params("student")


def write_questions(benchmark: str, sources: list[str]) -> None:
    rows = [
        dict.fromkeys(PROMPT.schema.names)
        | {"prompt_id": f"q{number}", "source": source, "question": SECRET, "answer": "1", "meta": SECRET}
        for number, source in enumerate(sources)
    ]
    write_rows(Path(f"data/benchmarks/{benchmark}.parquet"), PROMPT, rows)


def _score(model: str, benchmark: str, number: int, mark: str) -> dict[str, Any]:
    return dict.fromkeys(SCORE.schema.names) | {
        "model": model,
        "model_hash": model,
        "benchmark": benchmark,
        "question_id": f"q{number}",
        "sample_index": 0,
        "response": f"{SECRET} {mark}",
        "answer": mark,
        "is_correct": {"1": True, "0": False, "?": None}[mark],
        "faults": ["loop"] if number == 0 else [],
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
    answers = metrics["answers"]["merged"]["math"]
    assert {name: answers[name] for name in ("questions", "samples", "mean_tokens", "p95_tokens")} == {
        "questions": 4,
        "samples": 1,
        "mean_tokens": 25,
        "p95_tokens": 40,
    }
    assert (answers["truncated_ratio"], answers["loop_ratio"], answers["unclosed_ratio"]) == (0.25, 0.25, 0)
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


def test_a_benchmark_that_pools_several_sources_shows_each():
    report.main()
    metrics = json.loads(Path("reports/metrics.json").read_text())
    text = Path("reports/report.md").read_text()

    assert {source: of["mean"] for source, of in metrics["by_source"]["student"]["math"].items()} == {
        "aime24": 1,
        "aime25": 0,
    }
    assert metrics["by_source"]["student"].keys() == {"math"}  # code has one source
    assert "| model | math: aime24 | math: aime25 |\n|---|---|---|\n| student | 100.0 [" in text


def test_no_text_of_a_question_is_in_what_a_person_reads():
    report.main()
    shown = [file for file in Path("reports").rglob("*") if file.is_file() and file.parent.name != "eval"]

    assert len(shown) >= 4
    assert [file for file in shown if SECRET.encode() in file.read_bytes()] == []


def test_benchmarks_of_one_source_each_show_none():
    write_questions("math", ["aime24"] * 4)
    report.main()

    assert "By source" not in Path("reports/report.md").read_text()


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


def rewrite(model: str, marks: str, **changes: Any) -> None:
    """Other answers of a model to math, and its code as it was."""
    rows = [_score(model, "code", n, mark) for n, mark in enumerate(RIGHT[model]["code"])]
    rows += [_score(model, "math", n, mark) | changes for n, mark in enumerate(marks)]
    write_rows(Path(f"reports/eval/{model}.parquet"), SCORE, rows)


def test_an_answer_that_no_grader_could_judge_is_neither_right_nor_wrong_and_is_told():
    rewrite("merged", "11?0")
    report.main()
    metrics = json.loads(Path("reports/metrics.json").read_text())

    assert metrics["accuracy"]["merged"]["math"]["mean"] == pytest.approx(2 / 3, abs=1e-4)
    assert metrics["gain"]["merged"]["math"]["mean"] == pytest.approx(1 / 3, abs=1e-4)  # of the three that both have
    assert metrics["answers"]["merged"]["math"]["unverifiable_ratio"] == 0.25
    assert "25.0 % not judged" in Path("reports/report.md").read_text()


def test_a_question_that_did_not_fit_is_in_no_score_and_is_told():
    rows = [_score("merged", "code", n, mark) for n, mark in enumerate(RIGHT["merged"]["code"])]
    rows += [_score("merged", "math", n, "1") for n in range(3)]
    rows += [
        _score("merged", "math", 3, "0") | {"finish_reason": "skipped", "is_correct": None, "completion_tokens": 0}
    ]
    write_rows(Path("reports/eval/merged.parquet"), SCORE, rows)
    report.main()

    assert json.loads(Path("reports/metrics.json").read_text())["accuracy"]["merged"]["math"]["mean"] == 1
    assert "3: 20.0 tokens (30), 0.0 % cut, 33.3 % loops, 1 not asked" in Path("reports/report.md").read_text()


def test_only_differences_beyond_chance_over_the_whole_table_are_marked():
    for model, mark in (("student", "0"), ("merged", "1")):
        rows = [_score(model, "math", n, mark) for n in range(40)] + [_score(model, "code", n, mark) for n in range(3)]
        write_rows(Path(f"reports/eval/{model}.parquet"), SCORE, rows)
    report.main()
    (merged,) = (line for line in Path("reports/report.md").read_text().splitlines() if line.startswith("| merged | +"))

    code, math = merged.split(" | ")[1:3]
    assert math.rstrip(" |").endswith("]*")
    assert code.endswith("]")


def test_several_answers_to_a_question_say_more_than_their_mean():
    marks = {"q0": "1110", "q1": "1000", "q2": "0000", "q3": "1111"}
    rows = [_score("merged", "code", n, mark) for n, mark in enumerate(RIGHT["merged"]["code"])]
    rows += [
        _score("merged", "math", int(question[1]), mark) | {"sample_index": index}
        for question, of in marks.items()
        for index, mark in enumerate(of)
    ]
    write_rows(Path("reports/eval/merged.parquet"), SCORE, rows)
    report.main()
    sampled = json.loads(Path("reports/metrics.json").read_text())["sampled"]["merged"]["math"]

    assert sampled["new_samples"]["mean"] == 0.5
    assert sampled["pass@4"]["mean"] == 0.75
    assert sampled["majority@4"]["mean"] == 0.5
    assert "pass@4 75.0 [" in Path("reports/report.md").read_text()


def test_a_benchmark_of_which_nothing_was_judged_is_no_nought():
    rewrite("merged", "????")
    report.main()
    lines = Path("reports/report.md").read_text().splitlines()

    assert json.loads(Path("reports/metrics.json").read_text())["accuracy"]["merged"]["math"] is None
    (merged,) = (line for line in lines if line.startswith("| merged | 50.0 ["))
    assert merged.endswith("| not judged | - |")


def test_models_of_other_numbers_of_samples_are_compared_in_the_finer_steps():
    rows = [_score("merged", "code", n, mark) for n, mark in enumerate(RIGHT["merged"]["code"])]
    rows += [
        _score("merged", "math", n, "1" if index else "0") | {"sample_index": index}
        for n in range(4)
        for index in range(4)
    ]
    write_rows(Path("reports/eval/merged.parquet"), SCORE, rows)
    rewrite("student", "1111")
    report.main()
    gain = json.loads(Path("reports/metrics.json").read_text())["gain"]["merged"]["math"]

    assert gain["mean"] == -0.25
    assert gain["low"] < -0.25 < gain["high"] < 0.25
