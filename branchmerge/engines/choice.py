"""Which engine runs a model that answers: what machine.yaml says, else what this machine has."""

import importlib.util
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from branchmerge.core.errors import InputError
from branchmerge.core.machine import Machine, gpus
from branchmerge.engines.engine import Engine, Sampling
from branchmerge.engines.openai import OpenAIMachine
from branchmerge.engines.ray import RayMachine
from branchmerge.engines.transformers import TransformersMachine

Name = Literal["transformers", "vllm", "openai", "ray"]
# arguments of vllm.LLM that would change what is asked for, which params.yaml says
_ASKED_FOR = {
    "model", "tokenizer", "revision", "tokenizer_revision", "dtype", "quantization", "kv_cache_dtype", "seed",
    "hf_overrides", "generation_config", "override_generation_config", "chat_template", "logits_processors",
}  # fmt: skip


def found_engine() -> Name:
    """vLLM where it is installed and a GPU is at hand, else transformers."""
    return "vllm" if gpus() and importlib.util.find_spec("vllm") else "transformers"


class EngineMachine(Machine):
    """What runs a model that answers here. None of it changes an answer's place in the row store.

    Args:
        engine: Null looks: vllm where it is installed and a GPU is at hand, else transformers.
        transformers: How the engine transformers runs.
        openai: The server of the engine openai.
        ray: The cluster of the engine ray.
        vllm: Arguments of vllm.LLM, by vLLM's names; for the engines vllm and ray.
    """

    engine: Name = Field(default_factory=found_engine)
    transformers: TransformersMachine = TransformersMachine()
    vllm: dict[str, Any] = Field(default_factory=dict)
    openai: OpenAIMachine | None = None
    ray: RayMachine = RayMachine()

    @property
    def max_attempts(self) -> int:
        """Calls that a row may cost: only a server is asked again."""
        return self.openai.max_attempts if self.engine == "openai" and self.openai else 1

    @field_validator("vllm")
    @classmethod
    def _asks_for_the_same(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        if wrong := sorted(_ASKED_FOR & arguments.keys()):
            raise ValueError(f"how vLLM runs, without {', '.join(wrong)}: what is asked for stands in params.yaml")
        return arguments

    @model_validator(mode="after")
    def _server_is_named(self) -> Self:
        if self.engine == "openai" and self.openai is None:
            raise ValueError("a section openai with the server's url, since the engine is openai")
        return self


class TracesMachine(EngineMachine):
    """What runs the teacher here. None of it changes an answer's place in the row store."""

    sections = ("traces",)


def make_engine(machine: EngineMachine, folder: Path, model: str, sampling: Sampling, threads: int) -> Engine:
    """The engine of this machine, with the model loaded.

    Args:
        model: Its name at a server.

    Raises:
        InputError: The engine is not installed, or cannot give what is asked for.
    """
    if machine.engine != "vllm" and machine.engine != "ray" and sampling.quantization:
        raise _cannot(machine, "quantization", "vllm or ray, which quantise")
    if machine.engine == "openai" and sampling.dtype != "auto":
        raise _cannot(machine, "dtype", "an engine that loads the model, or auto")
    if machine.engine == "vllm":
        from branchmerge.engines.vllm import VllmEngine

        return VllmEngine(folder, sampling, machine.vllm)
    if machine.engine == "openai":
        from branchmerge.engines.openai import OpenAIEngine

        assert machine.openai is not None
        return OpenAIEngine(folder, model, sampling, machine.openai)
    if machine.engine == "ray":
        from branchmerge.engines.ray import RayEngine

        return RayEngine(folder, sampling, machine.ray, machine.vllm)
    from branchmerge.engines.transformers import TransformersEngine

    return TransformersEngine(folder, sampling, machine.transformers, threads)


def _cannot(machine: EngineMachine, key: str, expected: str) -> InputError:
    (section,) = machine.sections
    return InputError(
        where=f"{section}.{key}",
        expected=expected,
        got=f"the engine {machine.engine}",
        do=f"set {section}.engine in machine.yaml, or {section}.{key} in params.yaml",
    )
