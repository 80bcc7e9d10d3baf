"""SFT sets as token rows: none longer than allowed, some held out, and nothing lost uncounted."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from branchmerge.chat.conversation import training_row
from branchmerge.core.errors import StageError
from branchmerge.core.files import content_id, iterate_rows
from branchmerge.core.records import SFT
from branchmerge.training.hyperparameters import TrainingParams

TokenRow = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Examples:
    """What a run learns from.

    Args:
        training: `conversation.training_row`s: input_ids (T,) and completion_mask (T,).
        held_out: Rows that are not learnt, by source.
        n_overlong: Rows that were dropped for their length.
    """

    training: Sequence[TokenRow]
    held_out: Mapping[str, Sequence[TokenRow]] = field(default_factory=dict)
    n_overlong: int = 0


def sft_examples(tokenizer: Any, datasets: list[Path], params: TrainingParams, seed: int) -> Examples:
    """All rows of some SFT sets, in their order.

    Raises:
        InputError: An SFT set that cannot be read, or an answer that does not fit the chat template.
        StageError: A row above max_length where such rows fail; nothing left to train on.
    """
    rows = [
        (row["trace_id"], row["source"], _compact(training_row(tokenizer, row["messages"])))
        for dataset in datasets
        for row in iterate_rows(dataset, SFT)
    ]
    if params.overlong == "fail":
        check_lengths([tokens for *_, tokens in rows], params)
    fitting = [(*names, tokens) for *names, tokens in rows if len(tokens["input_ids"]) <= params.max_length]
    chosen = _held_out([trace_id for trace_id, *_ in fitting], params.held_out_rows, seed)
    training: list[TokenRow] = []
    held_out: dict[str, list[TokenRow]] = {}
    for trace_id, source, tokens in fitting:
        (held_out.setdefault(source, []) if trace_id in chosen else training).append(tokens)
    if not training:
        raise StageError(
            where="training rows",
            expected="rows to learn from",
            got=f"{len(rows)} rows, of them {len(chosen)} held out and {len(rows) - len(fitting)} above max_length",
            do="raise max_length, or lower held_out_rows",
        )
    return Examples(training, held_out, len(rows) - len(fitting))


def check_lengths(rows: Sequence[TokenRow], params: TrainingParams) -> None:
    """Refuse an empty set, and rows that training would have to cut."""
    longest = max((len(row["input_ids"]) for row in rows), default=0)
    if not 0 < longest <= params.max_length:
        overlong = sum(len(row["input_ids"]) > params.max_length for row in rows)
        raise StageError(
            where="training rows",
            expected=f"rows of 1 to {params.max_length} tokens (max_length)",
            got=f"{len(rows)} rows, {overlong} of them longer, the longest of {longest}",
            do="raise max_length, lower curate.max_tokens, or drop them: overlong: drop",
        )


def _compact(row: dict[str, list[int]]) -> TokenRow:
    """A row as machine numbers: as Python's, a few hundred million tokens take tens of gigabytes in each process."""
    return {column: array("i", values) for column, values in row.items()}


def _held_out(trace_ids: Iterable[str], count: int, seed: int) -> set[str]:
    """A choice that depends on the seed and each row's name alone, not on the order of the rows."""
    return set(sorted(trace_ids, key=lambda trace_id: content_id(seed, "held out", trace_id))[:count])


def as_dataset(rows: Sequence[TokenRow]) -> Any:
    """Token rows as a `datasets.Dataset` of input_ids and labels; what carries no loss has the label -100."""
    import numpy as np
    import pyarrow as pa
    from datasets import Dataset

    ids = [np.asarray(row["input_ids"], np.int32) for row in rows]
    labels = [
        np.where(np.asarray(row["completion_mask"], bool), row_ids, -100)
        for row_ids, row in zip(ids, rows, strict=True)
    ]
    return Dataset(pa.table({"input_ids": _lists(ids), "labels": _lists(labels)}))


def _lists(arrays: list[Any]) -> Any:
    """Arrays (T,) of several lengths as an Arrow column of lists."""
    import numpy as np
    import pyarrow as pa

    ends = np.cumsum([0, *map(len, arrays)], dtype=np.int64)
    values = np.concatenate(arrays).astype(np.int32)
    return pa.LargeListArray.from_arrays(ends, values)
