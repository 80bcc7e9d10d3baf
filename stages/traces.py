"""The teacher's answers to one domain's prompts: sampled by an engine, or ready-made ones of its sources.

A sampled answer is kept in the row store as it comes, by the content of what was asked. The output is
the selection from it that params.yaml describes; so a change costs only the rows that are new.

Reads   data/prompts/<domain>.parquet, domains.<domain>.traces.teacher, the row store
Writes  data/traces/<domain>.parquet, reports/cost/traces-<domain>.json
Params  run, traces, domains.<domain>.traces, domains.<domain>.prompts.sources
Run     python -m stages.traces --domain math
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import typer
from pydantic import Field, model_validator

from stages.shared import chat, contract
from stages.shared.asking import Allowance, LimitsParams, answer_all
from stages.shared.command import Domain, run
from stages.shared.cost import measured
from stages.shared.engines.engine import Engine, SamplesParams, Sampling
from stages.shared.engines.openai import OpenAIParams
from stages.shared.engines.ray import RayParams
from stages.shared.engines.transformers import TransformersParams
from stages.shared.errors import InputError, StageError
from stages.shared.files import Row, content_id, folder_hash, iterate_rows, write_rows, write_sorted_rows
from stages.shared.params import RunParams, read_params, read_value
from stages.shared.previous import previous
from stages.shared.records import PROMPT, SOURCE, TRACE
from stages.shared.served import served_model
from stages.shared.store import Store, Wanted

SOURCES = Path("data/sources")
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Ask again the rows that failed.")]


class TracesParams(SamplesParams, LimitsParams):
    """How the teacher answers.

    Args:
        teacher: A model folder; or data/sources, for the ready-made answers there (then nothing else here is used).
        engine: What runs the teacher. Its own settings never change an answer's place in the row store.
        vllm: Arguments of vllm.LLM, by vLLM's names; for the engines vllm and ray.
    """

    teacher: Path
    engine: Literal["transformers", "vllm", "openai", "ray"]
    transformers: TransformersParams | None = None
    vllm: dict[str, Any] = Field(default_factory=dict)
    openai: OpenAIParams | None = None
    ray: RayParams | None = None

    @model_validator(mode="after")
    def _engine_is_set(self) -> Self:
        if self.engine != "vllm" and getattr(self, self.engine) is None:
            raise ValueError(f"a section {self.engine}, since the engine is {self.engine}")
        return self


def main(domain: Domain, retry_failed: RetryFailed = False) -> None:
    """Write the traces of one domain."""
    run_params = read_params(RunParams, "run")
    params = read_params(TracesParams, "traces", f"domains.{domain}.traces")
    target = Path(f"data/traces/{domain}.parquet")
    prompts = iterate_rows(Path(f"data/prompts/{domain}.parquet"), PROMPT)
    with measured(f"traces-{domain}") as cost:
        if params.teacher == SOURCES:
            rows = _ready_made(prompts, read_value(f"domains.{domain}.prompts.sources"), domain)
            write_rows(target, TRACE, rows)
            cost["rows"] = len(rows)
        else:
            _sample(prompts, params, run_params, domain, target, retry_failed, cost)


def _sample(
    prompts: Iterator[Row],
    params: TracesParams,
    run_params: RunParams,
    domain: str,
    target: Path,
    retry_failed: bool,
    cost: dict[str, float],
) -> None:
    """Have every sample answered, and write those of this domain."""
    model = _model(params, domain)
    # the contract says only what the folder's other files say; with it, answers paid for before it existed were lost
    teacher = f"{params.teacher.name}@{folder_hash(params.teacher, without=contract.FILE)}"
    sampling = Sampling(**params.model_dump(include=set(Sampling.model_fields)))
    overhead_bytes = len((sampling.system or "").encode()) + len(sampling.prefill.encode())
    with Store(teacher) as store:
        store.want(_wanted(prompts, teacher, sampling, run_params.seed, params.samples_per_prompt))
        if store.missing() and (known := previous(target)):
            _refill(store, known)
        if retry_failed:
            print(f"{store.forget_failed()} failed rows are asked again")
        asked = answer_all(
            store,
            lambda: _engine(params, model, sampling, run_params.threads),
            Allowance(params, sampling.max_tokens, overhead_bytes),
            f"traces {domain}",
        )
        tally = store.tally()
        write_sorted_rows(target, TRACE, (_trace(row) for row in store.answered()))
    cost |= {"rows": tally.rows, "asked": asked, "tokens": tally.completion_tokens}
    if retry_failed:
        print(f"to keep this in the build: dvc commit -f traces@{domain} && dvc repro")


def _refill(store: Store, known: Path) -> None:
    """Take into the store what the last run wrote; an older version's file is passed over."""
    try:
        store.refill(iterate_rows(known, TRACE))
    except InputError as error:
        print(f"the last traces are not used: {error}", file=sys.stderr)


def _wanted(prompts: Iterator[Row], teacher: str, sampling: Sampling, seed: int, samples: int) -> Iterator[Wanted]:
    """Every sample of every prompt, by the content of what is asked.

    Settings at their defaults are left out of a row's name, so that a new setting renames no old row.
    """
    settings = dict(sorted(sampling.model_dump(exclude_defaults=True).items()))
    for prompt in prompts:
        for index in range(samples):
            trace_id = content_id(prompt["question"], teacher, settings, seed, index)
            yield Wanted(trace_id, prompt["prompt_id"], index, prompt["question"])


def _trace(row: Row) -> Row:
    """A trace with the parts of its response."""
    parts = chat.response(row["response"] or "")
    return row | {"reasoning": parts.reasoning, "answer": parts.answer}


def _model(params: TracesParams, domain: str) -> str:
    """The teacher's name as its engine knows it: the folder, or what a server calls it."""
    served = served_model(params.teacher)
    if served is None and not (params.teacher / "config.json").is_file():
        raise InputError(
            where=f"domains.{domain}.traces.teacher",
            expected="a model folder, or data/sources for ready-made answers",
            got=str(params.teacher),
            do="name a model that the base stage makes, such as models/teacher",
        )
    if served is not None and params.engine != "openai":
        raise InputError(
            where=f"domains.{domain}.traces.engine",
            expected=f"openai, since {params.teacher} is only served elsewhere",
            got=params.engine,
            do="set traces.engine to openai, or give the teacher's weights in base",
        )
    named = params.openai.model if params.openai else None
    if named is not None and served is not None and named != served:
        raise InputError(
            where=f"domains.{domain}.traces.openai.model",
            expected=f"{served}, the model of {params.teacher}",
            got=named,
            do="change base.*.served, so that answers of two models are kept apart, and leave openai.model out",
        )
    return named or served or str(params.teacher)


def _engine(params: TracesParams, model: str, sampling: Sampling, threads: int) -> Engine:
    if params.engine == "vllm":
        from stages.shared.engines.vllm import VllmEngine

        return VllmEngine(params.teacher, sampling, params.vllm)
    if params.engine == "openai":
        from stages.shared.engines.openai import OpenAIEngine

        assert params.openai is not None
        return OpenAIEngine(params.teacher, model, sampling, params.openai)
    if params.engine == "ray":
        from stages.shared.engines.ray import RayEngine

        assert params.ray is not None
        return RayEngine(params.teacher, sampling, params.ray, params.vllm)
    from stages.shared.engines.transformers import TransformersEngine

    assert params.transformers is not None
    return TransformersEngine(params.teacher, sampling, params.transformers, threads)


def _ready_made(prompts: Iterator[Row], sources: list[str], domain: str) -> list[Row]:
    """Answers that a domain's sources carry, to the prompts it learns from."""
    prompt_ids = {prompt["question"]: prompt["prompt_id"] for prompt in prompts}
    answers: dict[str, dict[tuple[str, str], str]] = {}
    for source in sources:
        for row in iterate_rows(SOURCES / f"{source}.parquet", SOURCE):
            if row["question"] in prompt_ids and row["response"] is not None:
                answers.setdefault(row["question"], {})[row["teacher"], row["response"]] = row["finish_reason"]
    if not answers:
        raise StageError(
            where=f"domains.{domain}.traces",
            expected=f"at least one ready-made answer to {len(prompt_ids)} prompts",
            got=f"none in {', '.join(sources)}",
            do="give the sources columns for response and teacher, or name a model as traces.teacher",
        )
    return [
        _trace(
            {
                "trace_id": content_id(question, teacher, "ready-made", text),
                "prompt_id": prompt_ids[question],
                "sample_index": index,
                "response": text,
                "finish_reason": finish_reason,
                "error": None,
                "prompt_tokens": None,
                "completion_tokens": None,
                "teacher": teacher,
            }
        )
        for question, answered in answers.items()
        for index, ((teacher, text), finish_reason) in enumerate(sorted(answered.items()))
    ]


if __name__ == "__main__":
    run(main)
