"""The smoke gate: a merged model loads, answers, closes its thought, stops, does not loop, and has not gone blind.

It is asked some of the questions that its branches learnt from, greedily, and its loss on their answers is held
against its parents'. That finds broken merges, not bad ones; how good it is the benchmarks say.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from branchmerge.chat.conversation import THINK_CLOSE, training_row
from branchmerge.chat.faults import is_loop
from branchmerge.core.errors import StageError
from branchmerge.core.files import Row, read_rows, write_json
from branchmerge.core.params import Params
from branchmerge.core.records import SFT
from branchmerge.engines.engine import Request, Sampling
from branchmerge.engines.transformers import TransformersEngine, TransformersMachine


class SmokeParams(Params):
    """What a merged model must do; null switches a check off.

    Args:
        rows_per_domain: Questions asked, and answers whose loss is taken.
        max_tokens: Longest answer.
        dtype: Of the weights, while it is asked.
        min_closed_ratio: Of answers that close their thought, among those whose learnt answer has one.
        min_stopped_ratio: Of answers that end by themselves.
        max_loop_ratio: Of answers that end in five times the same text.
        max_loss_ratio: Loss against the worst of the parents', in each domain.
    """

    rows_per_domain: PositiveInt
    max_tokens: PositiveInt
    dtype: Literal["auto", "float32", "bfloat16"]
    min_closed_ratio: float | None = Field(ge=0, le=1)
    min_stopped_ratio: float | None = Field(ge=0, le=1)
    max_loop_ratio: float | None = Field(ge=0, le=1)
    max_loss_ratio: PositiveFloat | None


def check_smoke(
    merged: Path,
    parents: dict[str, Path],
    datasets: dict[str, Path],
    params: SmokeParams,
    threads: int,
    evidence: Path,
) -> None:
    """Ask and measure the merged model, keep what it said, and fail if a check does.

    Args:
        parents: The student and the branches, by name.
        datasets: SFT rows by domain.
        evidence: JSON file; written before anything fails.

    Raises:
        StageError: Every check that failed, with its figures.
    """
    import transformers

    transformers.utils.logging.disable_progress_bar()
    rows = {domain: read_rows(file, SFT)[: params.rows_per_domain] for domain, file in datasets.items()}
    _check_weights(merged)
    answers = _answers(merged, rows, params, threads)
    losses = {name: _losses(folder, rows, params, threads) for name, folder in {**parents, "merged": merged}.items()}
    failed = [*_failed_answers(answers, params), *_failed_losses(losses, params)]
    write_json(evidence, {"failed": failed, "losses": losses, "answers": answers})
    if failed:
        raise StageError(
            where=f"merge.smoke: {merged}",
            expected="a merged model that answers, stops and has not forgotten",
            got="; ".join(failed),
            do=f"look at {evidence}, then try another merge.method, lower weights or better branches",
        )


def _check_weights(folder: Path) -> None:
    import torch
    import transformers

    model, loading = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype="auto", output_loading_info=True)
    strange = [name for name, each in model.named_parameters() if not torch.isfinite(each).all()]
    wrong = {"missing": sorted(loading["missing_keys"]), "unexpected": sorted(loading["unexpected_keys"])}
    wrong["not finite"] = strange
    if any(wrong.values()):
        raise StageError(
            where=f"merge.smoke: {folder}",
            expected="all weights of the model, each a finite number",
            got="; ".join(f"{what}: {', '.join(names[:3])}" for what, names in wrong.items() if names),
            do="merge with merge.dtype float32, or train the branch again that holds them",
        )


def _answers(folder: Path, rows: dict[str, list[Row]], params: SmokeParams, threads: int) -> list[Row]:
    sampling = Sampling(temperature=0, top_p=1, max_tokens=params.max_tokens, dtype=params.dtype)
    engine = TransformersEngine(folder, sampling, TransformersMachine(), threads)
    asked = {row["trace_id"]: (domain, row) for domain, of in rows.items() for row in of}
    requests = iter([Request(name, row["messages"][0]["content"]) for name, (_, row) in asked.items()])
    found = []
    for completion in engine.complete(requests):
        domain, row = asked[completion.trace_id]
        thinks = THINK_CLOSE in row["messages"][-1]["content"]
        text = completion.text or ""
        found.append(
            {
                "domain": domain,
                "question": row["messages"][0]["content"],
                "response": text,
                "is_closed": THINK_CLOSE in text if thinks else None,
                "is_stopped": completion.finish_reason == "stop" and bool(text.strip()),
                "is_loop": is_loop(text),
            }
        )
    return found


def _failed_answers(answers: list[Row], params: SmokeParams) -> list[str]:
    shares = {
        "closed": [answer["is_closed"] for answer in answers if answer["is_closed"] is not None],
        "stopped": [answer["is_stopped"] for answer in answers],
        "loop": [answer["is_loop"] for answer in answers],
    }
    at_least = {"closed": params.min_closed_ratio, "stopped": params.min_stopped_ratio}
    failed = [
        f"{name}_ratio {_mean(shares[name]):.2f} below min_{name}_ratio {least:g}"
        for name, least in at_least.items()
        if least is not None and shares[name] and _mean(shares[name]) < least
    ]
    most = params.max_loop_ratio
    if most is not None and _mean(shares["loop"]) > most:
        failed.append(f"loop_ratio {_mean(shares['loop']):.2f} above max_loop_ratio {most:g}")
    return failed


def _failed_losses(losses: dict[str, dict[str, float]], params: SmokeParams) -> list[str]:
    merged, parents = losses["merged"], [of for name, of in losses.items() if name != "merged"]
    limits = {domain: (params.max_loss_ratio or 0) * max(of[domain] for of in parents) for domain in merged}
    return [
        f"loss {loss:.3f} in {domain} above {limits[domain]:.3f}, max_loss_ratio times its worst parent's"
        for domain, loss in merged.items()
        if params.max_loss_ratio is not None and not loss <= limits[domain]
    ]


def _losses(folder: Path, rows: dict[str, list[Row]], params: SmokeParams, threads: int) -> dict[str, float]:
    """Mean loss of a token of the answers, by domain."""
    import torch
    import transformers

    torch.set_num_threads(threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=params.dtype).to(device).eval()
    return {
        domain: _mean(
            loss for row in of for loss in _token_losses(model, training_row(tokenizer, row["messages"]), device)
        )
        for domain, of in rows.items()
    }


def _token_losses(model: Any, row: dict[str, list[int]], device: str) -> list[float]:
    """Of each token of one answer, in nats."""
    import torch

    ids = torch.tensor([row["input_ids"]], device=device)  # (1, T)
    with torch.inference_mode():
        logits = model(input_ids=ids).logits[0, :-1].float()  # (T - 1, vocab)
    losses = torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="none")
    answered = torch.tensor(row["completion_mask"][1:], device=device) == 1
    found: list[float] = losses[answered].tolist()
    return found


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else 0.0
