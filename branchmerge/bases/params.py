"""Where a base model comes from, as params.yaml says it."""

from pathlib import Path
from typing import Self

from pydantic import Field, PositiveInt, model_validator

from branchmerge.core.params import Params
from branchmerge.training.hyperparameters import TrainingParams

HEAD_WIDTH = 32  # of a model made here; vLLM on a CPU takes 32 and 64


class Architecture(Params):
    """Shape of a Qwen2 model, in transformers' words. Its attention heads are 32 wide.

    Args:
        vocab_size: Tokens.
        hidden_size: Width of a layer.
        intermediate_size: Width inside its MLP.
        num_hidden_layers: Layers.
        max_position_embeddings: Longest row that it can read, in tokens.
    """

    vocab_size: int = Field(ge=384)
    hidden_size: int = Field(ge=64, multiple_of=32)
    intermediate_size: PositiveInt
    num_hidden_layers: PositiveInt
    max_position_embeddings: PositiveInt


class ScratchParams(Params):
    """A model that starts from random weights.

    Args:
        problems: File of a generator -> training problems drawn from it; their shares are the mix.
        architecture: Shape of the model.
        training: As in the section sft.
    """

    problems: dict[Path, PositiveInt] = Field(min_length=1)
    architecture: Architecture
    training: TrainingParams

    @model_validator(mode="after")
    def _whole_training(self) -> Self:
        if self.training.lora or self.training.held_out_rows or self.training.overlong != "fail":
            raise ValueError("training from scratch without lora, held_out_rows and overlong: drop")
        return self


class HubParams(Params):
    """A model on the Hugging Face hub at a pinned revision, or in a local folder.

    Args:
        source: Name on the hub, or path of the folder.
        revision: A commit; null for a folder.
    """

    source: str
    revision: str | None


class GgufParams(Params):
    """A quantised model inside an installed Python package, read back to ordinary weights.

    Args:
        package: Its import name.
        version: The one that must be installed.
        file: The .gguf beside its code.
    """

    package: str
    version: str
    file: str


class ServedParams(Params):
    """A model whose weights only a server has: it can answer as teacher through the engine openai.

    Args:
        model: What the server calls it.
        revision: Ours to name; another one means other answers.
    """

    model: str
    revision: str


class BaseParams(Params):
    """Where a model comes from: exactly one of the four.

    Args:
        scratch: Trained here from random weights.
        hub: From a hub or a folder.
        gguf: From an installed package.
        served: Only a server has it.
    """

    sections = ("base.{model}",)

    scratch: ScratchParams | None = None
    hub: HubParams | None = None
    gguf: GgufParams | None = None
    served: ServedParams | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"exactly one of scratch, hub, gguf, served (found {', '.join(given) or 'none'})")
        return self
