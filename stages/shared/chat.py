"""Questions and answers as the student sees them: token ids, and the tokens that carry loss.

A training row is the generation prompt's ids, then the answer's, then the stop token. So training,
traces and evaluation share one prefix by construction, whatever the chat template does.
"""

import re
from dataclasses import dataclass
from typing import Any

Message = dict[str, str]

THINK_OPEN, THINK_CLOSE = "<think>", "</think>"
_THOUGHT = re.compile(rf"\s*{THINK_OPEN}(.*?){THINK_CLOSE}(.*)", re.DOTALL)


@dataclass(frozen=True)
class Response:
    """What a model wrote: the whole text and its parts.

    Args:
        reasoning: Text between the think tags; None where there is none.
        answer: Text after them, or the whole where there are none; None where thinking never ends.
    """

    text: str
    reasoning: str | None
    answer: str | None


def response(text: str) -> Response:
    """A model's text taken apart at its think tags."""
    if match := _THOUGHT.fullmatch(text):
        return Response(text, match[1].strip(), match[2].strip())
    return Response(text, None, None if THINK_OPEN in text else text.strip())


def conversation(question: str, answer: str) -> list[Message]:
    """One exchange, as chat templates want it."""
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def prompt_text(tokenizer: Any, question: str) -> str:
    """The text after which a model starts to answer."""
    text: str = tokenizer.apply_chat_template(
        [{"role": "user", "content": question}], tokenize=False, add_generation_prompt=True
    )
    return text


def training_row(tokenizer: Any, messages: list[Message]) -> dict[str, list[int]]:
    """Ids of one exchange (T,) and the mask of those that carry loss (T,): the answer and the stop token."""
    question, answer = messages
    prompt_ids = tokenizer(prompt_text(tokenizer, question["content"]), add_special_tokens=False)["input_ids"]
    answer_ids = tokenizer(answer["content"], add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
    return {
        "input_ids": prompt_ids + answer_ids,
        "completion_mask": [0] * len(prompt_ids) + [1] * len(answer_ids),
    }
