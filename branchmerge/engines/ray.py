"""Engine `ray`: replicas of the vLLM engine on the machines of a Ray cluster."""

import copy
import os
from collections.abc import Generator, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from branchmerge.core.arithmetic import SHARED
from branchmerge.core.errors import InputError, StageError
from branchmerge.core.machine import Machine
from branchmerge.engines.engine import Completion, Request, Sampling, prompt_of
from branchmerge.engines.vllm import VllmEngine

_LIBRARY = Path(__file__).resolve().parents[1]
_AHEAD = 2  # batches a replica has in hand, so that it never waits for the next


class RayMachine(Machine):
    """Where the replicas run.

    Args:
        address: Of the cluster's head; "auto" finds the one this machine belongs to, null starts one here.
        replicas: Copies of the teacher.
        gpus_per_replica, cpus_per_replica: What each takes; gpus_per_replica is vLLM's tensor_parallel_size.
        batch_size: Rows a replica gets at once.
        start_s: Longest wait for all replicas to have loaded the teacher.
        environment: Environment variables of the replicas.
    """

    address: str | None = None
    replicas: PositiveInt = 1
    gpus_per_replica: NonNegativeFloat = 1
    cpus_per_replica: NonNegativeFloat = 1
    batch_size: PositiveInt = 64
    start_s: PositiveFloat = 1800
    environment: dict[str, str] = Field(default_factory=dict)


class Replica:
    """One copy of the teacher, in a process of its own on some machine of the cluster."""

    def __init__(self, model: str, sampling: Sampling, arguments: dict[str, Any]) -> None:
        self._engine = VllmEngine(Path(model), sampling, arguments)

    def made_with(self) -> str:
        """What may show in its answers, once the model is loaded."""
        return self._engine.made_with

    def complete(self, batch: list[Request], sampling: Sampling) -> list[Completion]:
        """A batch's completions."""
        return list(self._engine.under(sampling).complete(iter(batch)))


class RayEngine:
    """Replicas fed with batches as they end them.

    Args:
        model: A folder that every machine of the cluster sees under the same path.
    """

    def __init__(self, model: Path, sampling: Sampling, params: RayMachine, arguments: dict[str, Any]) -> None:
        try:
            import ray
        except ImportError as error:
            raise InputError(
                where="machine.yaml: engine",
                expected="Ray in this environment",
                got=str(error),
                do="install the extra ray, or take another engine",
            ) from None
        import transformers

        self._ray, self._sampling, self._params = ray, sampling, params
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(model)
        try:
            if not ray.is_initialized():
                ray.init(
                    address=params.address,
                    include_dashboard=False,
                    runtime_env={"py_modules": [str(_LIBRARY)], "env_vars": _kernels() | params.environment},
                )
            actor = ray.remote(num_gpus=params.gpus_per_replica, num_cpus=params.cpus_per_replica)(Replica)
            self._replicas = [
                actor.options(scheduling_strategy="SPREAD").remote(str(model.resolve()), sampling, arguments)
                for _ in range(params.replicas)
            ]
            loaded = ray.get([replica.made_with.remote() for replica in self._replicas], timeout=params.start_s)
        except (ConnectionError, ray.exceptions.RayError) as error:
            raise self._failed(str(error)) from None
        self.made_with = " and ".join(sorted(set(loaded)))

    def under(self, sampling: Sampling) -> "RayEngine":
        """The same replicas under another sampling."""
        other = copy.copy(self)
        other._sampling = sampling
        return other

    def prompt_text(self, question: str) -> str:
        """The text after which the model starts to answer."""
        return prompt_of(self._tokenizer, question, self._sampling).text

    def complete(self, requests: Iterator[Request]) -> Generator[Completion]:
        """Completions batch by batch, from whichever replica ends one first."""
        under_way: dict[Any, Any] = {}  # a batch's reference -> the replica that works on it
        idle = [replica for _ in range(_AHEAD) for replica in self._replicas]
        while True:
            while idle and (batch := list(islice(requests, self._params.batch_size))):
                replica = idle.pop(0)
                under_way[replica.complete.remote(batch, self._sampling)] = replica
            if not under_way:
                return
            (ended,), _ = self._ray.wait(list(under_way), num_returns=1)
            idle.append(under_way.pop(ended))
            try:
                completions = self._ray.get(ended)
            except self._ray.exceptions.RayError as error:
                raise self._failed(str(error)) from None
            yield from completions

    def _failed(self, got: str) -> StageError:
        return StageError(
            where="machine.yaml: ray",
            expected=f"{self._params.replicas} replicas of the teacher at work on the cluster {self._params.address}",
            got=" ".join(got.split())[-500:],
            do="look at ray status; correct ray or vllm of machine.yaml; answers so far are kept",
        )


def _kernels() -> dict[str, str]:
    """What chooses the kernels of a CPU here, for the other machines."""
    return {name: os.environ[name] for name in SHARED if name in os.environ}
