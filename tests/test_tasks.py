"""Tasks of lm-eval through our engines and row store give what lm-eval gives by itself."""

import functools
import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from branchmerge.core.errors import InputError, StageError
from branchmerge.core.files import Row, write_rows
from branchmerge.core.records import SCORE
from branchmerge.engines.choice import EngineMachine
from branchmerge.evaluation import respondent as respondents
from branchmerge.evaluation.params import EvaluateParams
from branchmerge.evaluation.respondent import Respondent
from branchmerge.evaluation.scores import known_answers
from branchmerge.evaluation.tasks import task_scores
from tests.engines import tiny_model

pytestmark = pytest.mark.slow

ROWS = [{"question": f"What is {n}+{n}?", "answer": str(2 * n)} for n in range(6)]
SUMS = {
    "task": "sums",
    "dataset_path": "json",
    "test_split": "test",
    "doc_to_text": "{{question}}",
    "doc_to_target": "{{answer}}",
    "output_type": "generate_until",
    "generation_kwargs": {"until": ["q"], "max_gen_toks": 12, "do_sample": False},
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
}
CHOICES = SUMS | {
    "task": "choices",
    "output_type": "multiple_choice",
    "doc_to_choice": ["0", "2", "4"],
    "metric_list": [
        {"metric": "acc", "aggregation": "mean", "higher_is_better": True},
        {"metric": "acc_norm", "aggregation": "mean", "higher_is_better": True},
    ],
    "generation_kwargs": None,
}


FILTERED = SUMS | {
    "task": "filtered",
    "filter_list": [
        {"name": "strict", "filter": [{"function": "regex", "regex_pattern": "(ZZ)"}, {"function": "take_first"}]},
        {"name": "as it is", "filter": [{"function": "take_first"}]},
    ],
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("tasks") / "model")


@pytest.fixture(autouse=True)
def own_tasks_only(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """lm-eval's own tasks take 10 s to read; one test below has them."""
    import lm_eval.tasks

    if "all_tasks" not in request.fixturenames:
        only = functools.partial(lm_eval.tasks.TaskManager, include_defaults=False)
        monkeypatch.setattr(lm_eval.tasks, "TaskManager", only)


@pytest.fixture
def all_tasks() -> None:
    """lm-eval's own tasks are known."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = Path("tasks/rows.jsonl")
    data.parent.mkdir()
    data.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    for task in (SUMS, CHOICES, FILTERED):
        own = {key: value for key, value in task.items() if value is not None}
        files = {"dataset_kwargs": {"data_files": {"test": str(data.resolve())}}}
        with Path(f"tasks/{task['task']}.yaml").open("w") as stream:
            YAML().dump(own | files, stream)


def score(model: Path, name: str, dtype: str = "float32", **task: Any) -> list[Row]:
    params = EvaluateParams.model_validate(
        {
            "dtype": dtype,
            "benchmarks": {"math": {"samples_per_question": 1, "temperature": 0, "top_p": 1, "max_tokens": 9}},
            "tasks": {name: task},
        }
    )
    asked = Respondent(model, "hash", "tiny", EngineMachine(engine="transformers"), threads=1)
    return task_scores("student", asked, params, seed=0)


def by_lm_eval(model: Path, name: str, **settings: Any) -> list[dict[str, Any]]:
    """Samples of `lm_eval --model hf`."""
    import lm_eval
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=str(Path("tasks").resolve()))
    arguments = {"pretrained": str(model), "dtype": "float32", "device": "cpu"}
    results = lm_eval.simple_evaluate("hf", arguments, [name], task_manager=manager, bootstrap_iters=0, **settings)
    assert results is not None
    found: list[dict[str, Any]] = results["samples"][name]
    return found


@pytest.mark.parametrize("chat", [True, False], ids=["chat", "plain"])
@pytest.mark.parametrize("shots", [0, 2])
def test_greedy_answers_and_scores_are_those_of_lm_eval_alone(model: Path, chat: bool, shots: int):
    ours = score(model, "sums", apply_chat_template=chat, num_fewshot=shots)
    theirs = by_lm_eval(
        model,
        "sums",
        apply_chat_template=chat,
        num_fewshot=shots,
        fewshot_as_multiturn=chat,
        random_seed=0,
        fewshot_random_seed=0,
    )

    assert len(ours) == len(ROWS)
    assert [row["response"] for row in ours] == [sample["resps"][0][0] for sample in theirs]
    assert [row["is_correct"] for row in ours] == [sample["exact_match"] == 1 for sample in theirs]
    assert any(row["response"] for row in ours)


@pytest.mark.parametrize("metric", ["acc", "acc_norm"])
def test_likelihoods_are_those_of_lm_eval_alone_and_are_kept(model: Path, metric: str, monkeypatch: pytest.MonkeyPatch):
    ours = score(model, "choices", metric=metric)
    theirs = by_lm_eval(model, "choices", apply_chat_template=True)

    assert [row["is_correct"] for row in ours] == [sample[metric] == 1 for sample in theirs]
    assert any(row["is_correct"] for row in ours) != all(row["is_correct"] for row in ours)
    monkeypatch.setattr(respondents, "make_engine", None)
    monkeypatch.setattr("branchmerge.evaluation.lm._Scorer", None)
    assert score(model, "choices", metric=metric) == ours


def test_a_second_run_of_a_task_asks_nothing(model: Path, monkeypatch: pytest.MonkeyPatch):
    first = score(model, "sums")
    monkeypatch.setattr(respondents, "make_engine", None)

    assert score(model, "sums") == first


def test_only_the_first_questions_are_asked_where_a_limit_says_so(model: Path):
    assert len(score(model, "sums", limit=2)) == 2


def test_a_task_that_nobody_knows_is_named(model: Path, all_tasks: None):
    with pytest.raises(InputError, match=r"evaluate\.tasks\.sumz: expected a task of lm-eval"):
        score(model, "sumz")


def test_lm_evals_own_tasks_are_known_and_need_their_data(model: Path, all_tasks: None):
    with pytest.raises(InputError, match=r"evaluate\.tasks\.gsm8k: expected a task that lm-eval can load and run here"):
        score(model, "gsm8k")


def test_settings_of_a_task_that_no_engine_has_are_refused(model: Path):
    with pytest.raises(InputError, match=r"generation_kwargs of lm-eval's task sums: .* got repetition_penalty 1\.5"):
        score(model, "sums", generation={"repetition_penalty": 1.5})


def test_a_metric_that_is_not_0_or_1_is_refused(model: Path):
    with pytest.raises(
        InputError, match=r"tasks\.sums\.metric: expected one that is 0 or 1 .* among exact_match, got f1"
    ):
        score(model, "sums", metric="f1")


def test_of_a_task_with_two_filters_the_one_that_counts_must_be_named(model: Path):
    with pytest.raises(InputError, match=r"tasks\.filtered\.filter: expected one of as it is, strict, got None"):
        score(model, "filtered")
    strict, plain = (score(model, "filtered", filter=name) for name in ("strict", "as it is"))

    assert len(strict) == len(plain) == len(ROWS)
    assert {row["answer"] for row in strict} == {"[invalid]"}
    assert all(row["answer"] == row["response"] for row in plain)


def test_settings_that_a_task_passes_over_are_refused(model: Path):
    with pytest.raises(InputError, match=r"choices\.generation: expected none: the task compares likelihoods"):
        score(model, "choices", generation={"max_gen_toks": 5})


@pytest.mark.parametrize("name", ["max_gen_toks", "max_tokens"])
def test_the_longest_answer_of_a_task_is_what_params_yaml_says_by_any_of_its_names(model: Path, name: str):
    assert {row["completion_tokens"] for row in score(model, "sums", generation={name: 3, "until": []})} == {3}


def test_likelihoods_of_another_dtype_are_computed_anew(model: Path):
    first, second = (score(model, "choices", dtype=dtype) for dtype in ("float32", "auto"))

    assert {row["trace_id"] for row in first}.isdisjoint(row["trace_id"] for row in second)


def test_what_a_tasks_rows_show_never_comes_back_as_an_answer(model: Path):
    """A choice's row shows all likelihoods of its question at once, under the name of one."""
    rows = [row | {"model": "m", "model_hash": "hash", "benchmark": "choices"} for row in score(model, "choices")]
    write_rows(Path("reports/eval/m.parquet"), SCORE, rows)

    assert rows
    assert known_answers(Path("reports/eval/m.parquet")) == []


def test_a_prompt_too_long_for_likelihoods_is_refused_not_cut(model: Path):
    rows = [{"question": "1+" * 600 + "1", "answer": "2"}]
    Path("tasks/rows.jsonl").write_text(json.dumps(rows[0]) + "\n")

    with pytest.raises(StageError, match="exceed the model's 512 positions"):
        score(model, "choices")


def test_a_benchmark_and_a_task_have_names_of_their_own():
    with pytest.raises(ValueError, match="found math twice"):
        EvaluateParams.model_validate(
            {
                "dtype": "auto",
                "benchmarks": {"math": {"samples_per_question": 1, "temperature": 0, "top_p": 1, "max_tokens": 9}},
                "tasks": {"math": {}},
            }
        )
