"""How the teacher answers, as params.yaml says it."""

from pathlib import Path

from branchmerge.engines.engine import SamplesParams
from branchmerge.rowstore.asking import LimitsParams


class TracesParams(SamplesParams, LimitsParams):
    """How the teacher answers; machine.yaml says what runs it.

    Args:
        teacher: A model folder; or data/sources, for the ready-made answers there (then nothing else here is used).
    """

    sections = ("traces", "domains.{domain}.traces")
    of_the_machine = frozenset({"engine", "transformers", "vllm", "openai", "ray"})

    teacher: Path
