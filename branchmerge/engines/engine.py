"""The one way to ask a model: requests go in, completions come out, whatever runs the model.

An engine pulls requests as it has room for them and yields completions as they end, in any order; so
memory stays bounded, and who feeds it can stop at any row.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

from pydantic import Field, NonNegativeFloat, PositiveInt, model_validator

from branchmerge.chat import conversation
from branchmerge.chat.conversation import THINK_CLOSE, THINK_OPEN, Prompt
from branchmerge.chat.finish_reasons import FinishReason
from branchmerge.core.params import Params
from branchmerge.core.text import clean

# of finish reasons, stop and length are answers; the others say why there is none, and these may be asked again
FAILED = ("malformed", "error")


class Sampling(Params):
    """What decides an answer besides the question; the same under every engine.

    Args:
        temperature: 0 for greedy.
        top_p: Share of the probability that is sampled from; 1 for all.
        max_tokens: Longest answer; a longer one ends with finish_reason "length".
        stop: Texts at which an answer ends, itself left out.
        system: The system message, if any.
        prefill: Text the answer is made to start with, such as "<think>"; part of the answer.
        dtype: Of the model's weights in the engine; auto as they are saved.
        quantization: How vLLM quantises the weights, by its names; null for not at all.
    """

    temperature: NonNegativeFloat
    top_p: float = Field(gt=0, le=1)
    max_tokens: PositiveInt
    stop: tuple[str, ...] = ()
    system: str | None = None
    prefill: str = ""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    quantization: str | None = None

    def named(self) -> dict[str, Any]:
        """What of it names a row; settings at their defaults are left out, so that a new setting renames no old row."""
        return dict(sorted(self.model_dump(exclude_defaults=True, include=set(Sampling.model_fields)).items()))


class PromptSampling(Sampling):
    """Sampling of texts that are whole prompts already, as lm-eval's tasks make them: no template goes around them."""

    def named(self) -> dict[str, Any]:
        """What of it names a row; a text that is asked as a question is another row."""
        return super().named() | {"is_whole": True}


def prompt_of(tokenizer: Any, question: str, sampling: Sampling) -> Prompt:
    """What a model is given for a question under a sampling; the one rendering of every engine.

    Raises:
        InputError: The tokenizer has no chat template.
    """
    if isinstance(sampling, PromptSampling):
        return Prompt(question, "")
    return conversation.prompt(tokenizer, question, sampling.system, sampling.prefill)


class SamplesParams(Sampling):
    """How many answers a question gets, and how they are sampled.

    Args:
        samples_per_prompt: Answers to each question.
    """

    samples_per_prompt: PositiveInt

    @model_validator(mode="after")
    def _greedy_is_sampled_once(self) -> Self:
        if self.temperature == 0 and self.samples_per_prompt > 1:
            raise ValueError("a temperature above 0 for samples_per_prompt above 1, since greedy answers are all alike")
        return self


@dataclass(frozen=True, slots=True)
class Request:
    """One sample to be drawn: its name in the row store, and the question."""

    trace_id: str
    question: str

    @property
    def seed(self) -> int:
        """The seed of this sample (31 bits): a function of everything that names it, so no other sample moves it."""
        return int(self.trace_id[:8], 16) & 0x7FFFFFFF


@dataclass(frozen=True, slots=True)
class Completion:
    """What came of a request; its texts are cleaned, since every row is stored.

    Args:
        text: The whole answer, a prefill or an opening of the template included; None where there is none.
        prompt_tokens, completion_tokens: As billed: the stop token counts.
        error: What went wrong, for a failed one.
    """

    trace_id: str
    text: str | None
    finish_reason: FinishReason
    prompt_tokens: int = 0
    completion_tokens: int = 0
    error: str | None = None

    def __post_init__(self) -> None:
        for name, text in (("text", self.text), ("error", self.error)):
            if text is not None:
                object.__setattr__(self, name, clean(text))


def answered(
    ask: Request, opening: str, text: str, finish_reason: Literal["stop", "length"], counts: tuple[int, int]
) -> Completion:
    """The completion for what a model wrote.

    Args:
        opening: What of the prompt belongs to the answer.
        text: What came after it.
        counts: Tokens of prompt and answer.
    """
    whole = opening + text.removeprefix(opening)
    if THINK_CLOSE in whole and THINK_OPEN not in whole:  # a server's template opened it unseen
        whole = f"{THINK_OPEN}\n{whole}"
    is_empty = finish_reason == "stop" and not clean(text).strip()
    return Completion(ask.trace_id, whole, "empty" if is_empty else finish_reason, *counts)


class Engine(Protocol):
    """Something that runs a model.

    `made_with` says in a line what may show in its answers: the engine, the dtype, the device, the threads of a CPU.
    """

    made_with: str

    def under(self, sampling: Sampling) -> "Engine":
        """This engine, whose model is loaded, under another sampling of the same dtype and quantisation."""

    def prompt_text(self, question: str) -> str:
        """The text after which the model starts to answer."""

    def complete(self, requests: Iterator[Request]) -> Generator[Completion]:
        """One completion for each request, pulled and yielded as there is room, in any order."""
