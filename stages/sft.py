"""One branch: a copy of the student, fine-tuned on the curated traces of one domain.

Reads   models/student, data/sft/<domain>.parquet
Writes  models/branches/<domain>, reports/training/<domain>, reports/cost/sft-<domain>.json
Params  run, sft, domains.<domain>.sft
Run     python -m stages.sft --domain math
"""

from pathlib import Path

from branchmerge.core.arithmetic import read_run
from branchmerge.core.command import Domain, run
from branchmerge.core.params import read_params
from branchmerge.training.hyperparameters import SftParams
from branchmerge.training.machine import read_setup
from branchmerge.training.run import fine_tune


def main(domain: Domain) -> None:
    """Fine-tune one branch."""
    fine_tune(
        name=f"sft-{domain}",
        datasets=[Path(f"data/sft/{domain}.parquet")],
        params=read_params(SftParams, domain=domain),
        seed=read_run().seed,
        setup=read_setup(),
        output=Path("models/branches") / domain,
        metrics=Path("reports/training") / domain,
    )


if __name__ == "__main__":
    run(main)
