"""The numbers of one training run, named as TRL names them."""

from typing import Literal, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from branchmerge.core.params import Params


class LoraParams(Params):
    """Low-rank adapters, trained in place of the weights and merged into them at the end.

    Args:
        rank: Inner width of the adapters.
        alpha: The adapters' product is scaled by alpha / rank.
        dropout: Share of an adapter's inputs that is set to zero while training.
        target_modules: Names of the linear layers that get adapters; null for all but the output layer.
    """

    rank: PositiveInt
    alpha: PositiveInt
    dropout: float = Field(default=0, ge=0, lt=1)
    target_modules: tuple[str, ...] | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _no_output_layer(self) -> Self:
        # TRL multiplies by its weight directly, past an adapter, which would then learn nothing
        if self.target_modules and "lm_head" in self.target_modules:
            raise ValueError("target_modules without lm_head, which TRL cannot train by an adapter")
        return self


class TrainingParams(Params):
    """Hyper-parameters of one training run.

    Args:
        max_steps: Optimiser steps; either these or epochs.
        epochs: Times that every row is seen.
        batch_size: Rows (with packing: packed sequences) that an optimiser step sees over all processes.
        learning_rate: The highest; the schedule goes up to it and down from it.
        lr_scheduler: How it goes on after the warm-up.
        weight_decay: Of AdamW.
        adam_beta2: Of AdamW; its first beta is 0.9.
        max_grad_norm: A larger gradient is scaled down to it.
        logging_steps: Optimiser steps between points of the curves.
        warmup_ratio: Share of the steps over which the learning rate rises.
        max_length: Longest row, and with packing longest packed sequence, in tokens.
        packing: Fill sequences of max_length with whole rows, which do not see each other.
        overlong: What becomes of a row above max_length: the stage fails, or drops and counts it. None is ever cut.
        lora: Adapters in place of full fine-tuning; null for full.
        held_out_rows: Rows that are not learnt: the loss on them is measured before, after each epoch and at the end.
        dtype: Of the arithmetic and of the saved model. bfloat16 still trains float32 copies of the weights, since a
            small learning rate changes nothing in a number of eight bits.
    """

    of_the_machine = frozenset(
        {"max_batch_size_per_device", "gradient_checkpointing", "liger", "attention", "checkpoint_steps"}
    )

    max_steps: PositiveInt | None = None
    epochs: PositiveInt | None = None
    batch_size: PositiveInt
    learning_rate: PositiveFloat
    lr_scheduler: Literal["constant", "constant_with_warmup", "linear", "cosine"]
    warmup_ratio: float = Field(ge=0, lt=1)
    weight_decay: NonNegativeFloat
    adam_beta2: float = Field(gt=0, lt=1)
    max_grad_norm: PositiveFloat
    max_length: PositiveInt
    packing: bool = False
    overlong: Literal["fail", "drop"] = "fail"
    lora: LoraParams | None = None
    held_out_rows: NonNegativeInt = 0
    dtype: Literal["float32", "bfloat16"]
    logging_steps: PositiveInt

    @model_validator(mode="after")
    def _one_length_of_training(self) -> Self:
        given = [name for name in ("max_steps", "epochs") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"exactly one of max_steps and epochs, the other null (found {' and '.join(given) or 'none'})"
            )
        return self


class SftParams(TrainingParams):
    """Training of one branch: the section sft, and over it the domain's own."""

    sections = ("sft", "domains.{domain}.sft")


class MixtureParams(TrainingParams):
    """Training as in the section sft, on the rows of several domains.

    Args:
        domains: Whose SFT sets are mixed, row by row.
    """

    sections = ("sft", "mixture.{name}")

    domains: tuple[str, ...] = Field(min_length=1)
