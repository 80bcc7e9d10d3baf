"""A domain's traces: which rows are wanted, of which teacher, and how they look when they are written."""

import sys
from collections.abc import Iterator
from pathlib import Path

from branchmerge.chat import contract, conversation
from branchmerge.core.cost import Cost
from branchmerge.core.errors import InputError
from branchmerge.core.files import Row, folder_hash, iterate_rows, write_sorted_rows
from branchmerge.core.params import RunParams
from branchmerge.core.records import TRACE
from branchmerge.engines.choice import TracesMachine, make_engine
from branchmerge.engines.engine import Sampling
from branchmerge.engines.served import served_model
from branchmerge.rowstore.asking import Allowance, answer_all
from branchmerge.rowstore.last_output import last_output
from branchmerge.rowstore.params import TracesParams
from branchmerge.rowstore.store import Store
from branchmerge.rowstore.wanted import wanted


def sample(
    prompts: Iterator[Row],
    params: TracesParams,
    machine: TracesMachine,
    run_params: RunParams,
    threads: int,
    domain: str,
    target: Path,
    retry_failed: bool,
    cost: Cost,
) -> None:
    """Have every sample answered, and write those of this domain."""
    model = _model(params, machine, domain)
    # the contract says only what the folder's other files say; with it, answers paid for before it existed were lost
    teacher = f"{params.teacher.name}@{folder_hash(params.teacher, without=contract.FILE)}"
    sampling = Sampling(**params.model_dump(include=set(Sampling.model_fields)))
    overhead_bytes = len((sampling.system or "").encode()) + len(sampling.prefill.encode())
    with Store(teacher) as store:
        store.want(wanted(prompts, teacher, sampling, run_params.seed, params.samples_per_prompt))
        if store.missing() and (known := last_output(target)):
            _refill(store, known)
        if retry_failed:
            print(f"{store.forget_failed()} failed rows are asked again")
        asked = answer_all(
            store,
            lambda: make_engine(machine, params.teacher, model, sampling, threads),
            Allowance(params, sampling.max_tokens, overhead_bytes, machine.max_attempts),
            f"traces {domain}",
            remedy=f"ask again: python -m stages.traces --domain {domain} --retry-failed",
        )
        tally = store.tally()
        write_sorted_rows(target, TRACE, (trace(row) for row in store.answered()))
    cost |= {"rows": tally.rows, "asked": asked, "tokens": tally.completion_tokens}
    if retry_failed:
        print(f"to keep this in the build: dvc commit -f traces@{domain} && dvc repro")


def _refill(store: Store, known: Path) -> None:
    """Take into the store what the last run wrote; an older version's file is passed over."""
    try:
        store.refill(iterate_rows(known, TRACE, may_lack="made_with"))
    except InputError as error:
        print(f"the last traces are not used: {error}", file=sys.stderr)


def trace(row: Row) -> Row:
    """A trace with the parts of its response."""
    parts = conversation.response(row["response"] or "")
    return row | {"reasoning": parts.reasoning, "answer": parts.answer}


def _model(params: TracesParams, machine: TracesMachine, domain: str) -> str:
    """The teacher's name as its engine knows it: the folder, or what a server calls it."""
    served = served_model(params.teacher)
    if served is None and not (params.teacher / "config.json").is_file():
        raise InputError(
            where=f"domains.{domain}.traces.teacher",
            expected="a model folder, or data/sources for ready-made answers",
            got=str(params.teacher),
            do="name a model that the base stage makes, such as models/teacher",
        )
    if served is not None and machine.engine != "openai":
        raise InputError(
            where="machine.yaml: traces.engine",
            expected=f"openai, since {params.teacher} is only served elsewhere",
            got=machine.engine,
            do="set traces.engine: openai and traces.openai.url in machine.yaml, or give the teacher's weights in base",
        )
    named = machine.openai.model if machine.engine == "openai" and machine.openai else None
    if named is not None and served is not None and named != served:
        raise InputError(
            where="machine.yaml: traces.openai.model",
            expected=f"{served}, the model of {params.teacher}",
            got=named,
            do="change base.*.served, so that answers of two models are kept apart, and leave openai.model out",
        )
    return named or served or str(params.teacher)
