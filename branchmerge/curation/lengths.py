"""The length of every trace, in tokens of the model that will learn from it."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from branchmerge.chat import conversation
from branchmerge.core.files import Row
from branchmerge.core.params import Params

_BATCH = 4096


class CountParams(Params):
    """Whose tokens are counted.

    Args:
        tokenizer: Folder of the model that learns: its tokenizer and chat template.
    """

    sections = ("count",)

    tokenizer: Path


def token_counts(folder: Path, questions: dict[str, str], traces: Iterator[Row]) -> Iterator[Row]:
    """Rows of `COUNT` for traces, in their order.

    Args:
        folder: Of the model that learns.
        questions: By prompt_id.
    """
    from transformers import AutoTokenizer  # here, since it takes seconds and missing inputs are told at once

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    for batch in iter(lambda: list(islice(traces, _BATCH)), []):
        exchanges = [(questions[trace["prompt_id"]], trace["response"] or "") for trace in batch]
        for trace, n_tokens in zip(batch, conversation.lengths(tokenizer, exchanges), strict=True):
            yield {"trace_id": trace["trace_id"], "n_tokens": n_tokens}
