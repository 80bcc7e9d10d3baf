"""The one training run: base models, branches and mixtures all learn here, only their rows and params differ."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.shared import contract
from stages.shared.cost import measured
from stages.shared.errors import StageError
from stages.shared.files import whole_folder
from stages.shared.params import RunParams
from stages.shared.training.hyperparameters import TrainingParams
from stages.shared.training.network import finish, load_student
from stages.shared.training.rows import Examples, sft_examples
from stages.shared.training.trainer import make_trainer

STUDENT = Path("models/student")


@dataclass(frozen=True)
class Trained:
    """What a run used: steps, rows, and tokens (prompts and answers, padding aside)."""

    steps: int
    rows: int
    tokens: int


def fine_tune(
    *, name: str, datasets: list[Path], params: TrainingParams, run_params: RunParams, output: Path, metrics: Path
) -> None:
    """Fine-tune a copy of the student on SFT sets and save it whole.

    Args:
        name: Of the cost file.
        datasets: SFT rows; all of them form one set.
        output: Folder of the model.
        metrics: Folder of DVCLive.
    """
    with measured(name) as cost, whole_folder(output) as folder, whole_folder(metrics) as metrics_folder:
        import transformers

        transformers.set_seed(run_params.seed)
        tokenizer = transformers.AutoTokenizer.from_pretrained(STUDENT)
        contract.check_contract(STUDENT)
        examples = sft_examples(tokenizer, datasets, params, run_params.seed)
        model = load_student(STUDENT, params)
        trained = train(model, tokenizer, examples, params, run_params, metrics_folder, name)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        contract.write_contract(folder, tokenizer)
        cost |= {"steps": trained.steps, "rows": trained.rows, "tokens": trained.tokens}
        cost |= {"overlong_rows": examples.n_overlong}
        cost |= {"held_out_rows": sum(map(len, examples.held_out.values()))}


def train(
    model: Any,
    tokenizer: Any,
    examples: Examples,
    params: TrainingParams,
    run_params: RunParams,
    metrics: Path,
    name: str,
) -> Trained:
    """Train a model in place; afterwards its weights are whole, on the CPU and of the params' dtype.

    Args:
        metrics: Folder for DVCLive's metrics and the curve of the loss.
        name: Of the run, for errors.

    Raises:
        InputError: Params that do not fit this machine, the model or the number of processes.
        StageError: No rows, a row longer than max_length, a loss that is not a number, or packed rows that see
            each other.
    """
    with tempfile.TemporaryDirectory() as scratch:
        trainer = make_trainer(model, tokenizer, examples, params, run_params, metrics, scratch, name)
        result = trainer.train()
    if not result.training_loss < float("inf"):
        raise StageError(
            where=f"training of {name}",
            expected="a finite loss",
            got=str(result.training_loss),
            do="lower the learning rate",
        )
    finish(trainer.accelerator.unwrap_model(trainer.model), params)
    return Trained(
        steps=trainer.state.global_step,
        rows=trainer.rows_seen,
        tokens=int(trainer.state.num_input_tokens_seen),
    )
