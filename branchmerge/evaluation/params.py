"""Which benchmarks are run, and how, as params.yaml says it."""

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveInt

from branchmerge.core.machine import Machine
from branchmerge.core.params import Params


class BenchmarkParams(Params):
    """How one benchmark is run.

    Args:
        samples_per_question: k; more than one needs a temperature above 0.
        temperature: 0 for greedy.
        top_p: Share of the probability that is sampled from; 1 for all.
        max_tokens: Longest answer; a longer one counts as truncated.
    """

    samples_per_question: PositiveInt
    temperature: NonNegativeFloat
    top_p: float = Field(gt=0, le=1)
    max_tokens: PositiveInt


class EvaluateParams(Params):
    """The benchmarks, by the domain whose held-out questions they ask.

    Args:
        benchmarks: By domain; each is run as its section says.
        dtype: Of the weights; auto as they are saved. bfloat16 crawls on a CPU without its instructions.
    """

    sections = ("evaluate",)
    of_the_machine = frozenset({"batch_size"})

    dtype: Literal["auto", "float32", "bfloat16"]
    benchmarks: dict[str, BenchmarkParams] = Field(min_length=1)


class EvaluateMachine(Machine):
    """How models are asked here.

    Args:
        batch_size: Answers at once; null for as many as have room, at most 40: a batch lasts as long as its longest.
    """

    sections = ("evaluate",)

    batch_size: PositiveInt | None = None
