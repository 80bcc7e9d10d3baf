"""A model by name: trained from scratch on procedural problems, taken from a hub, a folder or a package, or served.

Reads   the generators (scratch) or the named source
Writes  models/<model>, reports/cost/base-<model>.json
Params  run, base.<model>
Run     python -m stages.base --model student
"""

from pathlib import Path

from branchmerge.bases.load import from_gguf, from_hub
from branchmerge.bases.params import BaseParams
from branchmerge.bases.scratch import from_scratch
from branchmerge.chat import contract
from branchmerge.core.arithmetic import read_run
from branchmerge.core.command import Model, run
from branchmerge.core.cost import measured
from branchmerge.core.files import whole_folder
from branchmerge.core.params import read_params
from branchmerge.engines.served import write_served
from branchmerge.training.machine import read_setup


def main(model: Model) -> None:
    """Make one base model, whole, as an ordinary transformers folder."""
    seed = read_run().seed
    params = read_params(BaseParams, model=model)
    with measured(f"base-{model}") as cost, whole_folder(Path("models") / model) as folder:
        if params.served:
            write_served(folder, params.served.model, params.served.revision)
            return
        if params.scratch:
            network, tokenizer = from_scratch(params.scratch, seed, read_setup(), cost)
        elif params.hub:
            network, tokenizer = from_hub(params.hub)
        else:
            assert params.gguf is not None
            network, tokenizer = from_gguf(params.gguf)
        network.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        contract.write_contract(folder, tokenizer)
        contract.check_contract(folder)


if __name__ == "__main__":
    run(main)
