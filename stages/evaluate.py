"""One model on every benchmark of the build, by lm-eval: a row for each answer.

Reads   the model's folder, data/benchmarks
Writes  reports/eval/<model>.parquet, reports/cost/evaluate-<model>.json
Params  run, verify, evaluate
Run     python -m stages.evaluate --model merged --path models/merged
"""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, NonNegativeFloat, PositiveInt

from stages.shared import chat, contract
from stages.shared.command import Model, ModelPath, run
from stages.shared.cost import measured
from stages.shared.errors import InputError
from stages.shared.files import Row, folder_hash, read_rows, write_rows
from stages.shared.params import Params, RunParams, read_params
from stages.shared.records import PROMPT, SCORE

TASKS = Path("stages/tasks")


class BenchmarkParams(Params):
    """How one benchmark is run.

    Args:
        samples_per_question: k; more than one needs a temperature above 0.
        temperature: 0 for greedy.
        max_tokens: Longest answer; a longer one counts as truncated.
    """

    samples_per_question: PositiveInt
    temperature: NonNegativeFloat
    top_p: float = Field(gt=0, le=1)
    max_tokens: PositiveInt


class EvaluateParams(Params):
    """The benchmarks, by the domain whose held-out questions they ask.

    Args:
        dtype: Of the weights; auto as they are saved. bfloat16 crawls on a CPU without its instructions.
    """

    batch_size: PositiveInt
    dtype: Literal["auto", "float32", "bfloat16"]
    benchmarks: dict[str, BenchmarkParams] = Field(min_length=1)


def main(model: Model, path: ModelPath) -> None:
    """Score one model."""
    run_params = read_params(RunParams, "run")
    params = read_params(EvaluateParams, "evaluate")
    if not (path / "config.json").is_file():
        raise InputError(
            where=f"models.{model}", expected="a model folder", got=str(path), do="correct the path in params.yaml"
        )
    for benchmark in params.benchmarks:
        read_rows(_questions(benchmark), PROMPT)
    with measured(f"evaluate-{model}") as cost:
        contract.check_contract(path)
        model_hash = folder_hash(path)
        samples = _samples(path, params, run_params)
        scores = [
            {"model": model, "model_hash": model_hash, **score}
            for benchmark, answered in samples.items()
            for score in _scores(path, benchmark, answered, params.benchmarks[benchmark])
        ]
        cost |= {"rows": len(scores), "tokens": sum(score["completion_tokens"] for score in scores)}
    write_rows(Path(f"reports/eval/{model}.parquet"), SCORE, scores)


def _questions(benchmark: str) -> Path:
    return Path(f"data/benchmarks/{benchmark}.parquet")


def _samples(path: Path, params: EvaluateParams, run_params: RunParams) -> dict[str, list[Row]]:
    """lm-eval's logged samples of each benchmark, one a question."""
    import lm_eval
    import torch
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    torch.set_num_threads(run_params.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    results = lm_eval.simple_evaluate(
        model=HFLM(pretrained=str(path), device=device, dtype=params.dtype, batch_size=params.batch_size),
        tasks=[_task(name, benchmark) for name, benchmark in params.benchmarks.items()],
        task_manager=TaskManager(include_path=str(TASKS), include_defaults=False),
        apply_chat_template=True,
        bootstrap_iters=0,
        random_seed=run_params.seed,
        numpy_random_seed=run_params.seed,
        torch_random_seed=run_params.seed,
        fewshot_random_seed=run_params.seed,
    )
    assert results is not None  # None only on other ranks than the first
    samples: dict[str, list[Row]] = results["samples"]
    return samples


def _task(name: str, params: BenchmarkParams) -> dict[str, Any]:
    from lm_eval.tasks._yaml_loader import load_yaml

    sampling: dict[str, Any] = {"do_sample": False}
    if params.temperature > 0:
        sampling = {"do_sample": True, "temperature": params.temperature, "top_p": params.top_p}
    return {
        **load_yaml((TASKS / "held_out.yaml").resolve(), resolve_func=True),
        "task": name,
        "dataset_kwargs": {"data_files": {"test": str(_questions(name).resolve())}},
        "repeats": params.samples_per_question,
        "filter_list": [{"name": "all", "filter": [{"function": "take_first_k", "k": params.samples_per_question}]}],
        "generation_kwargs": {"until": [], "max_gen_toks": params.max_tokens, **sampling},
    }


def _scores(path: Path, benchmark: str, samples: list[Row], params: BenchmarkParams) -> list[Row]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(path)
    scores = []
    for sample in samples:
        (texts,) = sample["filtered_resps"]
        for index, (text, is_correct) in enumerate(zip(texts, json.loads(sample["grades"]), strict=True)):
            n_tokens = len(tokenizer(text, add_special_tokens=False)["input_ids"])
            scores.append(
                {
                    "benchmark": benchmark,
                    "question_id": sample["doc"]["prompt_id"],
                    "sample_index": index,
                    "response": text,
                    "answer": chat.response(text).answer,
                    "is_correct": is_correct,
                    "completion_tokens": n_tokens,
                    "is_truncated": n_tokens >= params.max_tokens,
                }
            )
    return scores


if __name__ == "__main__":
    run(main)
