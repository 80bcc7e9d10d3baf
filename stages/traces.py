"""The teacher's answers to one domain's prompts: sampled from a model, or taken from a file of ready-made ones.

Reads   data/prompts/<domain>.parquet, domains.<domain>.traces.teacher
Writes  data/traces/<domain>.parquet, reports/cost/traces-<domain>.json
Params  run, traces, domains.<domain>.traces
Run     python -m stages.traces --domain math
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, NonNegativeFloat, PositiveInt

from stages.shared import chat
from stages.shared.command import Domain, run
from stages.shared.cost import measured
from stages.shared.errors import InputError, StageError
from stages.shared.files import Row, content_id, folder_hash, read_rows, write_rows
from stages.shared.params import Params, RunParams, read_params
from stages.shared.records import PROMPT, TRACE
from stages.shared.sql import source_rows


class TraceColumns(Params):
    """SQL expressions over a file of ready-made answers."""

    question: str
    response: str
    teacher: str


class TracesParams(Params):
    """How the teacher answers.

    Args:
        teacher: A model folder, or a file of ready-made answers (then the sampling is unused).
        samples_per_prompt: Answers sampled for each prompt.
        temperature: 0 for greedy.
        max_tokens: Longest answer; a longer one ends with finish_reason "length".
        batch_size: Answers sampled at once.
        columns, where: For a file only: where its columns are, and which rows to take.
    """

    teacher: Path
    samples_per_prompt: PositiveInt
    temperature: NonNegativeFloat
    top_p: float = Field(gt=0, le=1)
    max_tokens: PositiveInt
    batch_size: PositiveInt
    columns: TraceColumns | None = None
    where: str | None = None


def main(domain: Domain) -> None:
    """Write the traces of one domain."""
    run_params = read_params(RunParams, "run")
    params = read_params(TracesParams, "traces", f"domains.{domain}.traces")
    prompts = read_rows(Path(f"data/prompts/{domain}.parquet"), PROMPT)
    with measured(f"traces-{domain}") as cost:
        if params.columns is None:
            rows = _sampled(prompts, params, run_params, domain)
        else:
            rows = _imported(prompts, params, params.columns)
        cost |= {"rows": len(rows), "tokens": sum(row["completion_tokens"] or 0 for row in rows)}
    if not rows:
        raise StageError(
            where=f"domains.{domain}.traces",
            expected="at least one answer to a prompt",
            got=f"none among {len(prompts)} prompts",
            do="take prompts and traces from the same questions",
        )
    write_rows(Path(f"data/traces/{domain}.parquet"), TRACE, rows)


def _trace(prompt: Row, text: str, sample_index: int, teacher: str, sampling: object) -> Row:
    answered = chat.response(text)
    return {
        "trace_id": content_id(prompt["question"], teacher, sampling, sample_index),
        "prompt_id": prompt["prompt_id"],
        "sample_index": sample_index,
        "response": text,
        "reasoning": answered.reasoning,
        "answer": answered.answer,
        "finish_reason": "stop",
        "prompt_tokens": None,
        "completion_tokens": None,
        "teacher": teacher,
    }


def _imported(prompts: list[Row], params: TracesParams, columns: TraceColumns) -> list[Row]:
    """Ready-made answers, matched to prompts by their question."""
    by_question = {prompt["question"]: prompt for prompt in prompts}
    answers: dict[str, list[tuple[str, str]]] = {}
    for row in source_rows(params.teacher, columns.model_dump(), params.where):
        if row["question"] in by_question:
            answers.setdefault(row["question"], []).append((row["teacher"], row["response"]))
    return [
        _trace(by_question[question], text, index, teacher, "imported")
        for question, answered in answers.items()
        for index, (teacher, text) in enumerate(sorted(set(answered)))
    ]


def _sampled(prompts: list[Row], params: TracesParams, run_params: RunParams, domain: str) -> list[Row]:
    """Answers of a local model, in batches of prompts of about the same length."""
    import torch
    import transformers
    from rich.progress import track

    if not (params.teacher / "config.json").is_file():
        raise InputError(
            where=f"domains.{domain}.traces.teacher",
            expected="a model folder, or a file of answers with traces.columns",
            got=str(params.teacher),
            do="name a model that the base stage makes, such as models/teacher",
        )
    torch.set_num_threads(run_params.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer = transformers.AutoTokenizer.from_pretrained(params.teacher, padding_side="left")
    model = transformers.AutoModelForCausalLM.from_pretrained(params.teacher, dtype="auto").to(device).eval()
    teacher = f"{params.teacher.name}@{folder_hash(params.teacher)}"
    sampling = params.model_dump(include={"temperature", "top_p", "max_tokens"}) | {"seed": run_params.seed}
    asked = [(prompt, index) for prompt in prompts for index in range(params.samples_per_prompt)]
    asked.sort(key=lambda ask: (len(ask[0]["question"]), ask[0]["prompt_id"], ask[1]))
    transformers.set_seed(run_params.seed)
    rows = []
    for start in track(range(0, len(asked), params.batch_size), description=f"traces {domain}"):
        batch = asked[start : start + params.batch_size]
        texts = [chat.prompt_text(tokenizer, prompt["question"]) for prompt, _ in batch]
        for (prompt, index), answer in zip(batch, _answers(model, tokenizer, texts, params), strict=True):
            rows.append(_trace(prompt, answer.pop("text"), index, teacher, sampling) | answer)
    return rows


def _answers(model: Any, tokenizer: Any, texts: list[str], params: TracesParams) -> list[Row]:
    """One sampled answer to each text (B): its text, token counts and finish_reason."""
    import torch

    inputs = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False).to(model.device)  # (B, T)
    sampling: dict[str, Any] = {"do_sample": False}
    if params.temperature > 0:
        sampling = {"do_sample": True, "temperature": params.temperature, "top_p": params.top_p, "top_k": 0}
    with torch.inference_mode():
        output = model.generate(
            **inputs,
            max_new_tokens=params.max_tokens,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            **sampling,
        )
    answers = output[:, inputs["input_ids"].shape[1] :].tolist()  # (B, max_tokens)
    return [
        _answer(tokenizer, ids, prompt_tokens)
        for ids, prompt_tokens in zip(answers, inputs["attention_mask"].sum(dim=1).tolist(), strict=True)
    ]


def _answer(tokenizer: Any, ids: list[int], prompt_tokens: int) -> Row:
    finish_reason: Literal["stop", "length"] = "length"
    if tokenizer.eos_token_id in ids:
        finish_reason = "stop"
        ids = ids[: ids.index(tokenizer.eos_token_id)]
    return {
        "text": tokenizer.decode(ids, skip_special_tokens=True),
        "finish_reason": finish_reason,
        "prompt_tokens": prompt_tokens,
        "completion_tokens": len(ids),
    }


if __name__ == "__main__":
    run(main)
