"""The baseline a merge must be compared with: one copy of the student, fine-tuned on all domains at once.

Reads   models/student, data/sft
Writes  models/mixtures/<name>, reports/training/<name>, reports/cost/mixture-<name>.json
Params  run, launch, sft, mixture.<name>
Run     python -m stages.mixture --name mixture
"""

from pathlib import Path

from pydantic import Field

from stages.shared.command import Name, run
from stages.shared.launch import LaunchParams
from stages.shared.params import RunParams, read_params
from stages.shared.training.hyperparameters import TrainingParams
from stages.shared.training.run import fine_tune


class MixtureParams(TrainingParams):
    """Training as in the section sft, on the rows of several domains.

    Args:
        domains: Whose SFT sets are mixed, row by row.
    """

    domains: tuple[str, ...] = Field(min_length=1)


def main(name: Name) -> None:
    """Fine-tune one mixture."""
    params = read_params(MixtureParams, "sft", f"mixture.{name}")
    fine_tune(
        name=f"mixture-{name}",
        datasets=[Path(f"data/sft/{domain}.parquet") for domain in params.domains],
        params=params,
        run_params=read_params(RunParams, "run"),
        launch_params=read_params(LaunchParams, "launch"),
        output=Path("models/mixtures") / name,
        metrics=Path("reports/training") / name,
    )


if __name__ == "__main__":
    run(main)
