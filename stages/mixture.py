"""The baseline a merge must be compared with: one copy of the student, fine-tuned on all domains at once.

Reads   models/student, data/sft
Writes  models/mixtures/<name>, reports/training/<name>, reports/cost/mixture-<name>.json
Params  run, sft, mixture.<name>
Run     python -m stages.mixture --name mixture
"""

from pathlib import Path

from branchmerge.core.arithmetic import read_run
from branchmerge.core.command import Name, run
from branchmerge.core.params import read_params
from branchmerge.training.hyperparameters import MixtureParams
from branchmerge.training.machine import read_setup
from branchmerge.training.run import fine_tune


def main(name: Name) -> None:
    """Fine-tune one mixture."""
    params = read_params(MixtureParams, name=name)
    fine_tune(
        name=f"mixture-{name}",
        datasets=[Path(f"data/sft/{domain}.parquet") for domain in params.domains],
        params=params,
        seed=read_run().seed,
        setup=read_setup(),
        output=Path("models/mixtures") / name,
        metrics=Path("reports/training") / name,
    )


if __name__ == "__main__":
    run(main)
