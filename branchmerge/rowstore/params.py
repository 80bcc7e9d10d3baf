"""How the teacher answers, as params.yaml says it."""

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from branchmerge.engines.engine import SamplesParams
from branchmerge.engines.openai import OpenAIParams
from branchmerge.engines.ray import RayParams
from branchmerge.engines.transformers import TransformersParams
from branchmerge.rowstore.asking import LimitsParams


class TracesParams(SamplesParams, LimitsParams):
    """How the teacher answers.

    Args:
        teacher: A model folder; or data/sources, for the ready-made answers there (then nothing else here is used).
        engine: What runs the teacher. Its own settings never change an answer's place in the row store.
        vllm: Arguments of vllm.LLM, by vLLM's names; for the engines vllm and ray.
    """

    sections = ("traces", "domains.{domain}.traces")

    teacher: Path
    engine: Literal["transformers", "vllm", "openai", "ray"]
    transformers: TransformersParams | None = None
    vllm: dict[str, Any] = Field(default_factory=dict)
    openai: OpenAIParams | None = None
    ray: RayParams | None = None

    @model_validator(mode="after")
    def _engine_is_set(self) -> Self:
        if self.engine != "vllm" and getattr(self, self.engine) is None:
            raise ValueError(f"a section {self.engine}, since the engine is {self.engine}")
        return self
