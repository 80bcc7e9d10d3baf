"""The length of every trace of one domain, in tokens of the model that will learn from it.

Apart from curate, since lengths follow from the traces and thresholds change daily.

Reads   data/prompts/<domain>.parquet, data/traces/<domain>.parquet; a model's folder for its tokenizer
Writes  data/counts/<domain>.parquet
Params  count
Run     python -m stages.count --domain math
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from stages.shared import chat
from stages.shared.command import Domain, run
from stages.shared.files import Row, iterate_rows, write_sorted_rows
from stages.shared.params import Params, read_params
from stages.shared.records import COUNT, PROMPT, TRACE

_BATCH = 4096


class CountParams(Params):
    """Whose tokens are counted.

    Args:
        tokenizer: Folder of the model that learns: its tokenizer and chat template.
    """

    tokenizer: Path


def main(domain: Domain) -> None:
    """Count the tokens of each trace with its prompt, stop token included."""
    params = read_params(CountParams, "count")
    questions = {
        row["prompt_id"]: row["question"] for row in iterate_rows(Path(f"data/prompts/{domain}.parquet"), PROMPT)
    }
    traces = iterate_rows(Path(f"data/traces/{domain}.parquet"), TRACE)
    write_sorted_rows(Path(f"data/counts/{domain}.parquet"), COUNT, _counts(params.tokenizer, questions, traces))


def _counts(folder: Path, questions: dict[str, str], traces: Iterator[Row]) -> Iterator[Row]:
    from transformers import AutoTokenizer  # here, since it takes seconds and missing inputs are told at once

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    for batch in iter(lambda: list(islice(traces, _BATCH)), []):
        exchanges = [(questions[trace["prompt_id"]], trace["response"] or "") for trace in batch]
        for trace, n_tokens in zip(batch, chat.lengths(tokenizer, exchanges), strict=True):
            yield {"trace_id": trace["trace_id"], "n_tokens": n_tokens}


if __name__ == "__main__":
    run(main)
