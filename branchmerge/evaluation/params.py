"""Which benchmarks are run, and how, as params.yaml says it."""

from typing import Any, Literal, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator

from branchmerge.core.params import Params
from branchmerge.engines.choice import EngineMachine


class BenchmarkParams(Params):
    """How one benchmark is run.

    Args:
        samples_per_question: k; more than one needs a temperature above 0.
        temperature: 0 for greedy.
        top_p: Share of the probability that is sampled from; 1 for all.
        max_tokens: Longest answer; a longer one counts as truncated.
        overlong: What becomes of a question whose prompt and max_tokens exceed the model's positions: fail, or skip it,
            which the report counts.
    """

    samples_per_question: PositiveInt
    temperature: NonNegativeFloat
    top_p: float = Field(gt=0, le=1)
    max_tokens: PositiveInt
    overlong: Literal["fail", "skip"] = "fail"

    @model_validator(mode="after")
    def _greedy_is_sampled_once(self) -> Self:
        if self.temperature == 0 and self.samples_per_question > 1:
            raise ValueError(
                "a temperature above 0 for samples_per_question above 1, since greedy answers are all alike"
            )
        return self


class TaskParams(Params):
    """How a task of lm-eval is run: its own prompts, data and metrics.

    Args:
        num_fewshot: Examples before each question; null for the task's own number.
        limit: Questions asked, the first ones; null for all.
        apply_chat_template: Put questions as messages; false for a base model.
        metric: The task's metric that says whether an answer is right, 0 or 1; null for its first.
        filter: The task's filter whose answers are scored, such as strict-match; null for its only one.
        generation: Over the task's generation_kwargs, by their names, such as max_gen_toks.
    """

    num_fewshot: NonNegativeInt | None = None
    limit: PositiveInt | None = None
    apply_chat_template: bool = True
    metric: str | None = None
    filter: str | None = None
    generation: dict[str, Any] = Field(default_factory=dict)


class EvaluateParams(Params):
    """The benchmarks, by the domain whose held-out questions they ask, and tasks of lm-eval.

    Args:
        benchmarks: By domain; each is run as its section says.
        tasks: By their names in lm-eval, or of the folder tasks/; columns of the report beside the benchmarks.
        dtype: Of the weights; auto as they are saved. bfloat16 crawls on a CPU without its instructions.
    """

    sections = ("evaluate",)
    of_the_machine = frozenset({"batch_size"})

    dtype: Literal["auto", "float32", "bfloat16"]
    benchmarks: dict[str, BenchmarkParams] = Field(min_length=1)
    tasks: dict[str, TaskParams] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names_are_one(self) -> Self:
        if both := sorted(self.benchmarks.keys() & self.tasks.keys()):
            raise ValueError(f"a name of its own for each benchmark and task (found {', '.join(both)} twice)")
        return self


class EvaluateMachine(EngineMachine):
    """What runs the models that are evaluated here. None of it changes an answer's place in the row store."""

    sections = ("evaluate",)

    @model_validator(mode="after")
    def _a_server_is_asked_for_each_model(self) -> Self:
        if self.openai and self.openai.model:
            raise ValueError(
                "openai without model: a server is asked for each model as <name in models>@<first eight characters of"
                " its folder's hash>, so that none answers for another"
            )
        return self
