"""The whole build, real and tiny: what runs, what it leaves, and what a change makes run again."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from branchmerge.core.files import folder_hash, read_rows
from branchmerge.core.records import PROMPT, REJECTED, SCORE, SFT, TRACE, VERDICT
from tests.conftest import NANO_HASHES
from tests.nano import build

pytestmark = pytest.mark.slow

DOMAINS = ("math", "code", "science")
MODELS = ("teacher", "student", *DOMAINS, "mixture", "mixture_small", "merged")
SECONDS = ("code", "domains")  # what these write decides what else runs
EVALUATIONS = {f"evaluate@{model}" for model in MODELS}


@contextmanager
def restored(folder: Path, *files: str) -> Iterator[None]:
    """Put files back as they were."""
    before = {file: (folder / file).read_bytes() for file in files}
    try:
        yield
    finally:
        for file, content in before.items():
            (folder / file).write_bytes(content)
        build.run(folder, "dvc", "repro", *SECONDS)


def would_run(folder: Path) -> set[str]:
    """The stages DVC would run, those below a changed one included, once code and names of domains are as they are."""
    build.run(folder, "dvc", "repro", *SECONDS)
    said = build.run(folder, "dvc", "repro", "--dry", "--force-downstream").stdout
    return set(re.findall(r"Running stage '([^']+)'", said))


def test_every_stage_has_run_and_its_rows_agree(nano: Path):
    for domain in DOMAINS:
        prompts = read_rows(nano / f"data/prompts/{domain}.parquet", PROMPT)
        traces = read_rows(nano / f"data/traces/{domain}.parquet", TRACE)
        verdicts = read_rows(nano / f"data/verdicts/{domain}.parquet", VERDICT)
        kept = {row["trace_id"] for row in read_rows(nano / f"data/sft/{domain}.parquet", SFT)}
        rejected = {row["trace_id"] for row in read_rows(nano / f"data/rejected/{domain}.parquet", REJECTED)}

        assert (len(prompts), len(traces)) == (12, 24)
        assert {row["trace_id"] for row in traces} == {row["trace_id"] for row in verdicts} == kept | rejected
        assert kept
        assert not kept & rejected
        assert all(row["verdict"] == "correct" for row in verdicts if row["trace_id"] in kept)


def test_every_model_answers_every_question_of_every_benchmark(nano: Path):
    questions = {
        (domain, row["prompt_id"])
        for domain in DOMAINS
        for row in read_rows(nano / f"data/benchmarks/{domain}.parquet", PROMPT)
    }
    assert len(questions) == 12
    for model in MODELS:
        scores = read_rows(nano / f"reports/eval/{model}.parquet", SCORE)
        assert {(row["benchmark"], row["question_id"]) for row in scores} == questions
        assert {row["model"] for row in scores} == {model}
        assert all(row["completion_tokens"] > 0 for row in scores)


def test_a_teacher_that_learned_its_answers_is_scored_right(nano: Path):
    """The graders, lm-eval and the stop token agree: the answer is the same as in training, and complete."""
    scores = read_rows(nano / "reports/eval/teacher.parquet", SCORE)

    assert sum(row["is_correct"] for row in scores) >= 11
    right = next(row for row in scores if row["is_correct"] and row["benchmark"] == "math")
    assert (right["response"], right["answer"], right["finish_reason"]) == (
        "<think>\nyes\n</think>\nyes",
        "yes",
        "stop",
    )


def test_the_metrics_carry_every_model_and_domain(nano: Path):
    metrics = json.loads((nano / "reports/metrics.json").read_text())

    assert {model: set(row) for model, row in metrics["accuracy"].items()} == {model: set(DOMAINS) for model in MODELS}
    for row in metrics["accuracy"].values():
        for estimate in row.values():
            assert 0 <= estimate["low"] <= estimate["mean"] <= estimate["high"] <= 1
    assert {"sft-math", "mixture-mixture", "merge", "traces-code", "evaluate-merged"} <= metrics["cost"].keys()
    assert metrics["cost"]["sft-math"]["steps"] == 4
    assert metrics["cost"]["sft-math"]["tokens"] > 0


def test_the_report_and_the_plots_are_there(nano: Path):
    report = (nano / "reports/report.md").read_text()
    losses = json.loads((nano / "reports/plots/training_loss.json").read_text())
    plots = build.run(nano, "dvc", "plots", "show", "--json").stdout

    assert all(f"| {model} |" in report for model in MODELS)
    assert {(point["run"], point["step"]) for point in losses} == {
        (run, step) for run in (*DOMAINS, "mixture", "mixture_small") for step in range(1, 5)
    }
    assert "Accuracy by model and domain" in plots


def test_the_table_prints_the_result(nano: Path):
    printed = build.run(nano, "branchmerge", "table").stdout

    assert all(model in printed for model in MODELS)


def test_the_merged_model_carries_tokenizer_template_and_recipe(nano: Path):
    merged, student = nano / "models/merged", nano / "models/student"
    recipe = YAML(typ="safe").load(merged / "mergekit_config.yml")

    for name in ("tokenizer.json", "chat_template.jinja", "generation_config.json"):
        assert (merged / name).read_bytes() == (student / name).read_bytes()
    assert recipe["merge_method"] == "task_arithmetic"
    assert [model["model"] for model in recipe["models"]] == [
        f"models/branches/{name}" for name in ("math", "science", "code")
    ]


def test_models_are_stored_once(nano: Path):
    weights = nano / "models/merged/model.safetensors"

    assert weights.stat().st_nlink > 1 or "reflink" in build.run(nano, "dvc", "doctor").stdout


def test_a_second_repro_runs_nothing(nano: Path):
    assert "Running stage" not in build.run(nano, "dvc", "repro").stdout


def learning_rate(params: Any) -> None:
    params["domains"]["math"]["sft"]["learning_rate"] = 1e-5


def threshold(params: Any) -> None:
    params["domains"]["math"]["curate"]["max_tokens"] = 77


def method(params: Any) -> None:
    params["merge"]["method"] = "ties"


def samples(params: Any) -> None:
    params["evaluate"]["benchmarks"]["math"] |= {"samples_per_question": 2, "temperature": 0.6}


def fourth_domain(params: Any) -> None:
    params["domains"]["logic"] = params["domains"]["math"]
    params["mixture"]["mixture"]["domains"].append("logic")
    params["merge"]["order"].append("logic")
    params["merge"]["weights"]["logic"] = 0.5
    params["models"]["logic"] = "models/branches/logic"
    params["evaluate"]["benchmarks"]["logic"] = params["evaluate"]["benchmarks"]["math"]


LOGIC = {f"{stage}@logic" for stage in ("prompts", "traces", "verify", "count", "curate", "sft", "evaluate")}
MIXTURES = {"mixture@mixture", "mixture@mixture_small"}
# as README's "change one thing" tells them: what is changed, how, what runs again, in words
CHANGES: list[tuple[str, Callable[[Any], None], set[str], str]] = [
    (
        "`domains.math.sft.learning_rate`",
        learning_rate,
        {"sft@math", "merge", "evaluate@math", "evaluate@merged", "report"},
        "sft@math, merge, evaluate@math, evaluate@merged, report",
    ),
    (
        "`domains.math.curate.max_tokens`",
        threshold,
        {"curate@math", "sft@math", "merge", "report"}
        | MIXTURES
        | {f"evaluate@{model}" for model in ("math", "mixture", "mixture_small", "merged")},
        "curate@math, sft@math, both mixtures, merge, the evaluations of these, report",
    ),
    ("`merge.method`", method, {"merge", "evaluate@merged", "report"}, "merge, evaluate@merged, report"),
    (
        "`evaluate.benchmarks.math.samples_per_question`",
        samples,
        EVALUATIONS | {"report"},
        "every evaluation, report",
    ),
    (
        "a fourth domain",
        fourth_domain,
        LOGIC
        | MIXTURES
        | EVALUATIONS
        | {f"{stage}@{domain}" for stage in ("curate", "sft") for domain in DOMAINS}
        | {"merge", "report"},
        "its own stages; every curate, as its benchmark must not be learnt by others, and what changes by that; "
        "mixtures, merge, every evaluation, report",
    ),
]


@pytest.mark.parametrize(("label", "edit", "reruns", "words"), CHANGES, ids=[edit.__name__ for _, edit, *_ in CHANGES])
def test_a_change_of_params_reruns_what_readme_says(
    nano: Path, label: str, edit: Callable[[Any], None], reruns: set[str], words: str
):
    assert f"| {label} | {words} |" in (build.ROOT / "README.md").read_text()
    with restored(nano, "params.yaml"):
        build.change(nano, edit)

        assert would_run(nano) == reruns


def ran(said: str) -> set[str]:
    """The stages that a repro ran."""
    return set(re.findall(r"Running stage '([^']+)'", said))


def change_text(folder: Path, file: str, old: str, new: str) -> None:
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))


def test_comments_docstrings_and_formatting_rerun_only_code(nano: Path):
    """In the file that all stages stand on."""
    assert "| a comment, a docstring, formatting | nothing |" in (build.ROOT / "README.md").read_text()
    file = "branchmerge/core/errors.py"
    with restored(nano, file, "dvc.lock"):
        change_text(nano, file, "class InputError", "# more to read\nclass InputError")
        change_text(nano, file, "What was given cannot be used", "It cannot be used")
        change_text(nano, file, "*, where: str, expected: str", "*,\n        where: str,\n        expected: str")
        said = build.run(nano, "dvc", "repro").stdout

    assert ran(said) == {"code"}


# a message that changes, and the stages whose code holds it
MESSAGES = [
    ("branchmerge/core/errors.py", ": expected ", ": wanted ", None),
    ("branchmerge/curation/selection.py", '"no rows"', '"no row"', {f"curate@{domain}" for domain in DOMAINS}),
    ("branchmerge/merging/compatibility.py", "train these branches", "train the branches", {"merge"}),
]


@pytest.mark.parametrize(("file", "old", "new", "stages"), MESSAGES, ids=[file for file, *_ in MESSAGES])
def test_a_message_reruns_the_stages_whose_code_holds_it(
    nano: Path, file: str, old: str, new: str, stages: set[str] | None
):
    everything = set(YAML(typ="safe").load(nano / "dvc.lock")["stages"]) - {"code"}
    with restored(nano, file, "dvc.lock"):
        change_text(nano, file, old, new)
        build.run(nano, "dvc", "repro", "code")
        changed = set(json.loads(build.run(nano, "dvc", "status", "--json").stdout))

    assert changed == (everything if stages is None else stages)


def test_an_output_that_comes_out_the_same_reruns_nothing_below(nano: Path):
    """Another message of curate, but the SFT sets are byte-identical."""
    file, old, new, stages = MESSAGES[1]
    with restored(nano, file, "dvc.lock"):
        change_text(nano, file, old, new)
        said = build.run(nano, "dvc", "repro").stdout

    assert stages
    assert ran(said) == {"code", *stages}


def test_what_a_person_knows_to_be_unaffected_is_accepted_and_nothing_else(nano: Path):
    file, old, new, _ = MESSAGES[2]
    accept = ("branchmerge", "accept", "merge", "--why", "only a message")
    with restored(nano, file, "dvc.lock", "params.yaml"):
        up_to_date = build.run(nano, *accept, check=False)
        change_text(nano, file, old, new)
        build.change(nano, method)
        more_changed = build.run(nano, *accept, check=False)
        build.change(nano, lambda params: params["merge"].update(method="task_arithmetic"))
        build.run(nano, *accept)
        said = build.run(nano, "dvc", "repro").stdout
        (row,) = map(json.loads, (nano / "code/accepted.jsonl").read_text().splitlines())
        (nano / "code/accepted.jsonl").unlink()

    assert (up_to_date.returncode, "which is up to date" in up_to_date.stderr) == (2, True)
    assert (more_changed.returncode, "only code or versions" in more_changed.stderr) == (2, True)
    assert ran(said) == set()
    assert (row["stage"], row["why"], row["code_was"] == row["code_is"]) == ("merge", "only a message", False)


def test_another_machine_reruns_nothing(nano: Path):
    with restored(nano, "machine.yaml"):
        (nano / "machine.yaml").write_text(
            "run:\n  threads: 2\nlaunch:\n  processes: 2\n  strategy: ddp\ntraces:\n  engine: vllm\n"
        )

        assert "Running stage" not in build.run(nano, "dvc", "repro").stdout


def new_source(params: Any) -> None:
    params["source"]["more"] = dict(params["source"]["arithmetic"])


def test_a_new_source_reruns_every_prompts_stage_and_nothing_below(nano: Path):
    words = "its own stage and every prompts stage; what those write is as before, so nothing below"
    assert f"| a new source | {words} |" in (build.ROOT / "README.md").read_text()
    with restored(nano, "params.yaml", "dvc.lock"):
        build.change(nano, new_source)
        said = build.run(nano, "dvc", "repro").stdout

    assert ran(said) == {
        "code",
        "source@more",
        *(f"prompts@{domain}" for domain in DOMAINS),
    }
    (nano / "data/sources/more.parquet").unlink()


def test_the_funnel_of_another_revision_stands_beside_this_ones(nano: Path):
    with restored(nano, "params.yaml", "dvc.lock"):
        for command in ("git add dvc.lock", "git -c user.name=t -c user.email=t@t commit -qm built"):
            build.run(nano, *command.split())
        alone = build.run(nano, "branchmerge", "funnel", "--domain", "math").stdout
        build.change(nano, quota)
        build.run(nano, "dvc", "repro", "curate@math")
        beside = build.run(nano, "branchmerge", "funnel", "--domain", "math", "--diff", "HEAD").stdout
        unknown = build.run(nano, "branchmerge", "funnel", "--diff", "nowhere", check=False)

    assert "->" not in alone
    assert re.search(r"over_quota +│ 0 -> [1-9]", beside)
    assert (unknown.returncode, "nowhere" in unknown.stderr) == (2, True)
    build.run(nano, "dvc", "checkout")


def quota(params: Any) -> None:
    params["domains"]["math"]["curate"]["max_traces_by_source"] = {"arithmetic": 5}


def test_another_profile_and_back_is_a_checkout(nano: Path):
    """Another merge, of two domains; then the first build again: no command runs, nothing of the other is left."""
    with restored(nano, "dvc.lock"):
        build.change(nano, without_science)
        shutil.copyfile(nano / "params.yaml", nano / "profiles/pair.yaml")
        removed = build.run(nano, "branchmerge", "profile", "use", "pair").stdout
        assert "removed models/branches/science" in removed
        build.run(nano, "dvc", "repro", "merge")
        build.run(nano, "branchmerge", "profile", "use", "nano")
        said = build.run(nano, "dvc", "repro").stdout

    assert "Running stage" not in said
    assert json.loads((nano / NANO_HASHES).read_text())["models/merged"] == folder_hash(nano / "models/merged")
    assert (nano / "models/branches/science/model.safetensors").is_file()


def without_science(params: Any) -> None:
    del params["domains"]["science"]
    del params["merge"]["weights"]["science"]
    del params["evaluate"]["benchmarks"]["science"]
    del params["mixture"]["mixture_small"]
    params["models"] = {name: params["models"][name] for name in ("student", "merged")}
    params["merge"]["order"] = ["math", "code"]
    params["mixture"]["mixture"]["domains"] = ["math", "code"]


EXAM = "exam.jsonl"


def logic_with_an_exam(params: Any) -> None:
    """A fourth domain, taught as science is; its benchmark asks what stands in EXAM."""
    params["source"]["exam"] = {"path": EXAM, "licence": "MIT", "columns": {"question": "q", "answer": "a"}}
    params["source"]["exam"] |= {"max_train_rows": 0, "max_test_rows": 1}
    params["domains"]["logic"] = {**params["domains"]["science"], "prompts": {"sources": ["formulas", "exam"]}}
    params["domains"]["code"]["curate"]["contamination_words"] = 8
    params["merge"]["order"].append("logic")
    params["merge"]["weights"]["logic"] = 0.5


def without_logic(params: Any) -> None:
    del params["domains"]["logic"]
    params["merge"]["order"].remove("logic")
    del params["merge"]["weights"]["logic"]


def contaminated(folder: Path) -> set[str]:
    """Prompts of code that were rejected for a benchmark's question in them."""
    rejected = read_rows(folder / "data/rejected/code.parquet", REJECTED)
    traces = {row["trace_id"]: row["prompt_id"] for row in read_rows(folder / "data/traces/code.parquet", TRACE)}
    return {traces[row["trace_id"]] for row in rejected if row["reason"] == "contaminated"}


def test_a_fourth_domain_is_built_and_once_removed_rejects_nothing(nano: Path):
    """A plain dvc repro leaves its outputs where they are."""
    asked = read_rows(nano / "data/prompts/code.parquet", PROMPT)[0]
    (nano / EXAM).write_text(json.dumps({"q": asked["question"], "a": "no"}))
    try:
        with restored(nano, "dvc.lock"):
            build.change(nano, logic_with_an_exam)
            build.run(nano, "dvc", "repro", "merge")
            recipe = YAML(typ="safe").load(nano / "models/merged/mergekit_config.yml")
            outputs = {path.relative_to(nano).as_posix() for path in nano.glob("*/*/logic*")}
            rejected_by_four = contaminated(nano)
            build.change(nano, without_logic)
            build.run(nano, "dvc", "repro", "curate@code")
            rejected_by_three = contaminated(nano)
            is_left = (nano / "data/benchmarks/logic.parquet").is_file()
            build.run(nano, "branchmerge", "profile", "use", "nano", "--force")
    finally:
        (nano / EXAM).unlink()
        build.run(nano, "dvc", "checkout")

    folders = ("prompts", "dev", "benchmarks", "traces", "verdicts", "counts", "sft", "rejected", "hits")
    assert {*(f"data/{folder}/logic.parquet" for folder in folders), "models/branches/logic"} <= outputs
    assert recipe["models"][-1]["model"] == "models/branches/logic"
    assert rejected_by_four == {asked["prompt_id"]}
    assert (is_left, rejected_by_three) == (True, set())
    assert would_run(nano) == set()
