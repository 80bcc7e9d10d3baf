"""lm-eval over the build's benchmarks: a row for each answer."""

import json
from pathlib import Path
from typing import Any

from branchmerge.chat import conversation
from branchmerge.core.files import Row
from branchmerge.core.params import RunParams
from branchmerge.evaluation.params import BenchmarkParams, EvaluateParams

TASKS = Path(__file__).parent / "tasks"


def samples(path: Path, params: EvaluateParams, run_params: RunParams) -> dict[str, list[Row]]:
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
        "dataset_kwargs": {"data_files": {"test": str(questions_of(name).resolve())}},
        "repeats": params.samples_per_question,
        "filter_list": [{"name": "all", "filter": [{"function": "take_first_k", "k": params.samples_per_question}]}],
        "generation_kwargs": {"until": [], "max_gen_toks": params.max_tokens, **sampling},
    }


def scores(path: Path, benchmark: str, samples: list[Row], params: BenchmarkParams) -> list[Row]:
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
                    "answer": conversation.response(text).answer,
                    "is_correct": is_correct,
                    "completion_tokens": n_tokens,
                    "is_truncated": n_tokens >= params.max_tokens,
                }
            )
    return scores


def questions_of(benchmark: str) -> Path:
    """The file of a benchmark's questions."""
    return Path(f"data/benchmarks/{benchmark}.parquet")
