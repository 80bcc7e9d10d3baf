"""Tasks of lm-eval as benchmarks: its prompts and its metrics, our engines and our rows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from branchmerge.chat.faults import faults
from branchmerge.core.errors import InputError
from branchmerge.core.files import Row
from branchmerge.evaluation.params import EvaluateParams, TaskParams
from branchmerge.evaluation.respondent import Respondent
from branchmerge.evaluation.scores import TASK_GRADER

OWN_TASKS = Path("tasks")


def task_scores(model: str, respondent: Respondent, params: EvaluateParams, seed: int) -> list[Row]:
    """A row for each question of each task, which is right where the task's metric is 1.

    Raises:
        InputError: A task that lm-eval does not know, cannot load, or whose metric is not 0 or 1 for each question.
        StageError: A question got no answer.
    """
    if not params.tasks:
        return []
    rows: list[Row] = []
    known = known_tasks()
    for name, task in params.tasks.items():
        same = {"model": model, "model_hash": respondent.model_hash, "benchmark": name}
        rows += (same | row for row in _scores(name, task, known, respondent, params.dtype, seed))
    return rows


def known_tasks() -> Any:
    """The task manager of lm-eval, which knows its tasks and those of the folder tasks/. It reads all: 10 s."""
    from lm_eval.tasks import TaskManager

    return TaskManager(include_path=str(OWN_TASKS.resolve()) if OWN_TASKS.is_dir() else None)


def _scores(name: str, task: TaskParams, known: Any, respondent: Respondent, dtype: str, seed: int) -> Iterator[Row]:
    import lm_eval

    from branchmerge.evaluation.lm import LIMITS, RespondentLM

    if name not in known.all_tasks:
        raise InputError(
            where=f"evaluate.tasks.{name}",
            expected="a task of lm-eval, or one of the folder tasks/",
            got=name,
            do="see lm-eval ls tasks, or put its YAML into tasks/",
        )
    lm = RespondentLM(respondent, dtype, seed, is_chat=task.apply_chat_template)
    limit = next((task.generation[name] for name in LIMITS if name in task.generation), None)
    generation = task.generation | (dict.fromkeys(LIMITS, limit) if limit else {})
    try:
        results = lm_eval.simple_evaluate(
            model=lm,
            tasks=[name],
            task_manager=known,
            num_fewshot=task.num_fewshot,
            limit=task.limit,
            apply_chat_template=task.apply_chat_template,
            fewshot_as_multiturn=task.apply_chat_template,
            gen_kwargs=generation or None,
            bootstrap_iters=0,
            random_seed=seed,
            numpy_random_seed=seed,
            torch_random_seed=seed,
            fewshot_random_seed=seed,
        )
    except (ImportError, OSError, ValueError, RuntimeError) as error:
        raise InputError(
            where=f"evaluate.tasks.{name}",
            expected="a task that lm-eval can load and run here",
            got=f"{type(error).__name__}: {error}"[:500],
            do="install what it needs, fetch its data, or take another task",
        ) from None
    _refuse_ignored(name, task, results, lm.has_generated)
    for subtask, samples in results["samples"].items():
        for sample in _of_one_filter(name, task, samples):
            yield _score(name, subtask, sample, task, lm)


def _refuse_ignored(name: str, task: TaskParams, results: Row, has_generated: bool) -> None:
    """Refuse what params.yaml asks of a task and lm-eval passed over."""
    if task.generation and not has_generated:
        raise InputError(
            where=f"evaluate.tasks.{name}.generation",
            expected="none: the task compares likelihoods, and generates nothing",
            got=str(task.generation),
            do="leave it out",
        )
    shots = sorted(set(results.get("n-shot", {}).values()))
    if task.num_fewshot is not None and shots != [task.num_fewshot]:
        raise InputError(
            where=f"evaluate.tasks.{name}.num_fewshot",
            expected=f"{', '.join(map(str, shots))}, which the task fixes",
            got=str(task.num_fewshot),
            do="leave it out, or make a task of your own in tasks/",
        )


def _of_one_filter(name: str, task: TaskParams, samples: list[Row]) -> list[Row]:
    """lm-eval has a sample of each question for each filter of the task; those of the one that counts."""
    filters = sorted({str(sample["filter"]) for sample in samples})
    chosen = task.filter or (filters[0] if len(filters) == 1 else None)
    if chosen not in filters:
        raise InputError(
            where=f"evaluate.tasks.{name}.filter",
            expected=f"one of {', '.join(filters)}",
            got=str(chosen),
            do="name the filter whose answers are scored",
        )
    return [sample for sample in samples if sample["filter"] == chosen]


def _score(name: str, subtask: str, sample: Row, task: TaskParams, lm: Any) -> Row:
    metric = task.metric or sample["metrics"][0]
    value = sample.get(metric)
    if value not in (0, 1):
        raise InputError(
            where=f"evaluate.tasks.{name}.metric",
            expected=f"one that is 0 or 1 for each question, among {', '.join(sample['metrics'])}",
            got=f"{metric} {value}",
            do="name another metric of the task",
        )
    responses = [text for of in sample["resps"] for text in (of if isinstance(of, list) else [of])]
    text = str(responses[0] if len(responses) == 1 else responses)
    arguments = [[*of.values()] if isinstance(of, dict) else of for of in sample["arguments"]]
    answer = lm.rows_of(arguments[0])[0]
    given = arguments[0][0]
    return {
        "question_id": f"{subtask}/{sample['doc_id']}" if subtask != name else str(sample["doc_id"]),
        "sample_index": 0,
        "trace_id": answer["trace_id"],
        "response": text,
        "answer": str(sample["filtered_resps"][0]),
        "is_correct": bool(value),
        "reason": "" if value else f"{metric} is 0",
        "grader": f"{TASK_GRADER}{metric}",
        "prompt_tokens": answer["prompt_tokens"],
        "completion_tokens": answer["completion_tokens"],
        "finish_reason": answer["finish_reason"],
        "faults": faults(text, given),
        "made_with": answer["made_with"],
    }
