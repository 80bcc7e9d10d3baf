"""Prompts of one domain from one or more sources: questions for the teacher, and held-out ones.

The held-out ones of the split test are the domain's benchmark; a search chooses on those of the split dev.

Reads   data/sources/<source>.parquet
Writes  data/prompts/<domain>.parquet, data/dev/<domain>.parquet, data/benchmarks/<domain>.parquet
Params  domains.<domain>.prompts
Run     python -m stages.prompts --domain math
"""

from branchmerge.core.command import Domain, run
from branchmerge.core.files import write_rows
from branchmerge.core.params import read_params
from branchmerge.core.records import PROMPT
from branchmerge.sources.prompts import FOLDERS, PromptsParams, split_prompts


def main(domain: Domain) -> None:
    """Write the prompts, the dev questions and the benchmark of one domain."""
    params = read_params(PromptsParams, domain=domain)
    for split, prompts in split_prompts(domain, params.sources).items():
        write_rows(FOLDERS[split] / f"{domain}.parquet", PROMPT, prompts)


if __name__ == "__main__":
    run(main)
