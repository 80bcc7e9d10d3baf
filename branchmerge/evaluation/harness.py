"""lm-eval over the build's benchmarks: a row for each answer."""

import json
from pathlib import Path
from typing import Any

from branchmerge.chat import conversation
from branchmerge.core.files import Row
from branchmerge.engines.transformers import fitting_batch, made_with
from branchmerge.evaluation.params import BenchmarkParams, EvaluateMachine, EvaluateParams

TASKS = Path(__file__).parent / "tasks"
_MAX_BATCH = 40


def samples(
    path: Path, params: EvaluateParams, machine: EvaluateMachine, seed: int, threads: int
) -> tuple[dict[str, list[Row]], str]:
    """lm-eval's logged samples of each benchmark, one a question; and what they were made with."""
    import lm_eval
    import torch
    import transformers
    from lm_eval.tasks import TaskManager

    from branchmerge.evaluation.counting import CountingLM

    torch.set_num_threads(threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    longest = max(benchmark.max_tokens for benchmark in params.benchmarks.values())
    config = transformers.AutoConfig.from_pretrained(path)
    batch_size = machine.batch_size or fitting_batch(config, longest, at_most=_MAX_BATCH)
    model = CountingLM(pretrained=str(path), device=device, dtype=params.dtype, batch_size=batch_size)
    results = lm_eval.simple_evaluate(
        model=model,
        tasks=[_task(name, benchmark) for name, benchmark in params.benchmarks.items()],
        task_manager=TaskManager(include_path=str(TASKS), include_defaults=False),
        apply_chat_template=True,
        bootstrap_iters=0,
        random_seed=seed,
        numpy_random_seed=seed,
        torch_random_seed=seed,
        fewshot_random_seed=seed,
    )
    assert results is not None  # None only on other ranks than the first
    return results["samples"], made_with("lm-eval hf", model.model.dtype, threads)


def _task(name: str, params: BenchmarkParams) -> dict[str, Any]:
    from lm_eval.tasks._yaml_loader import load_yaml

    sampling: dict[str, Any] = {"do_sample": False}
    if params.temperature > 0:
        sampling = {"do_sample": True, "temperature": params.temperature, "top_p": params.top_p}
    return {
        **load_yaml((TASKS / "held_out.yaml").resolve(), resolve_func=True),
        "task": name,
        "dataset_kwargs": {"data_files": {"test": str(questions_of(name).resolve())}},
        "repeats": params.samples_per_question,
        "filter_list": [{"name": "all", "filter": [{"function": "take_first_k", "k": params.samples_per_question}]}],
        "generation_kwargs": {"until": [], "max_gen_toks": params.max_tokens, **sampling},
    }


def scores(benchmark: str, samples: list[Row]) -> list[Row]:
    """A row for each answer, from lm-eval's logged samples of one benchmark."""
    return [
        {
            "benchmark": benchmark,
            "question_id": sample["doc"]["prompt_id"],
            "sample_index": index,
            "response": written.text,
            "answer": conversation.response(written.text).answer,
            "is_correct": is_correct,
            "completion_tokens": written.n_tokens,
            "finish_reason": written.finish_reason,
        }
        for sample in samples
        for index, (written, is_correct) in enumerate(
            zip(sample["filtered_resps"][0], json.loads(sample["grades"]), strict=True)
        )
    ]


def questions_of(benchmark: str) -> Path:
    """The file of a benchmark's questions."""
    return Path(f"data/benchmarks/{benchmark}.parquet")
