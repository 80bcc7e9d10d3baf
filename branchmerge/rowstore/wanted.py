"""The names of rows: every sample of every question, by the content of what is asked."""

from collections.abc import Iterable, Iterator

from branchmerge.core.files import Row, content_id
from branchmerge.engines.engine import Sampling
from branchmerge.rowstore.store import Wanted


def wanted(questions: Iterable[Row], model: str, sampling: Sampling, seed: int, samples: int) -> Iterator[Wanted]:
    """Every sample of every question.

    Args:
        questions: Rows with prompt_id and question.
        model: A name and the hash of its weights, tokenizer and template.
    """
    settings = sampling.named()
    for asked in questions:
        for index in range(samples):
            trace_id = content_id(asked["question"], model, settings, seed, index)
            yield Wanted(trace_id, asked["prompt_id"], index, asked["question"])
