"""The length of every trace of one domain, in tokens of the model that will learn from it.

Apart from curate, since lengths follow from the traces and thresholds change daily.

Reads   data/prompts/<domain>.parquet, data/traces/<domain>.parquet; a model's folder for its tokenizer
Writes  data/counts/<domain>.parquet
Params  count
Run     python -m stages.count --domain math
"""

from pathlib import Path

from branchmerge.core.command import Domain, run
from branchmerge.core.files import iterate_rows, write_sorted_rows
from branchmerge.core.params import read_params
from branchmerge.core.records import COUNT, PROMPT, TRACE
from branchmerge.curation.lengths import CountParams, token_counts


def main(domain: Domain) -> None:
    """Count the tokens of each trace with its prompt, stop token included."""
    params = read_params(CountParams)
    questions = {
        row["prompt_id"]: row["question"] for row in iterate_rows(Path(f"data/prompts/{domain}.parquet"), PROMPT)
    }
    traces = iterate_rows(Path(f"data/traces/{domain}.parquet"), TRACE)
    write_sorted_rows(Path(f"data/counts/{domain}.parquet"), COUNT, token_counts(params.tokenizer, questions, traces))


if __name__ == "__main__":
    run(main)
