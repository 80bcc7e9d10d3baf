"""Questions and answers as the student sees them: token ids, and the tokens that carry loss.

A training row is the generation prompt's ids, then the answer's, then the stop token. So training,
traces and evaluation share one prefix by construction, whatever the chat template does. What an answer
says is text: where it names a special token, the model learns to spell it, as a decoder has shown it.
"""

import re
from dataclasses import dataclass
from typing import Any

from branchmerge.core.errors import InputError

Message = dict[str, str]

THINK_OPEN, THINK_CLOSE = "<think>", "</think>"
_THOUGHT = re.compile(rf"\s*(?:{THINK_OPEN})?(.*?){THINK_CLOSE}(.*)", re.DOTALL)


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
    """A model's text taken apart at its think tags; the opening one may stand in the prompt."""
    if match := _THOUGHT.fullmatch(text):
        return Response(text, match[1].strip(), match[2].strip())
    return Response(text, None, None if THINK_OPEN in text else text.strip())


def whole_response(reasoning: str, answer: str) -> str:
    """Reasoning and answer in one text, as a model with think tags writes them."""
    return f"{THINK_OPEN}\n{reasoning.strip()}\n{THINK_CLOSE}\n{answer.strip()}"


def exchange(question: str, answer: str) -> list[Message]:
    """One exchange, as chat templates want it."""
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def exchanges(questions: Any, answers: Any) -> Any:
    """One exchange a row, of Arrow columns of texts (n,): a column of lists of messages (n,)."""
    import numpy as np
    import pyarrow as pa

    n = len(questions)
    texts = pa.chunked_array([*questions.chunks, *answers.chunks], pa.string()).combine_chunks()
    contents = texts.take(np.arange(2 * n).reshape(2, n).T.ravel())  # question, answer, question, answer...
    roles = pa.DictionaryArray.from_arrays(np.tile(np.array([0, 1], np.int8), n), ["user", "assistant"])
    messages = pa.StructArray.from_arrays([roles.cast(pa.string()), contents], ["role", "content"])
    return pa.ListArray.from_arrays(np.arange(0, 2 * n + 1, 2, dtype=np.int32), messages)


@dataclass(frozen=True)
class Prompt:
    """What a model is given.

    Args:
        text: The whole text, after which the model goes on.
        opening: Its end that belongs to the answer: an open think tag of the template, and the prefill.
    """

    text: str
    opening: str


def prompt(tokenizer: Any, question: str, system: str | None = None, prefill: str = "") -> Prompt:
    """The generation prompt of the tokenizer's chat template, and the prefill after it.

    Raises:
        InputError: As `rendered`; or the template leaves the system message out.
    """
    messages = [{"role": "system", "content": system}] if system is not None else []
    return _prompt(tokenizer, [*messages, {"role": "user", "content": question}], prefill)


def _prompt(tokenizer: Any, messages: list[Message], prefill: str = "") -> Prompt:
    text = rendered(tokenizer, messages, add_generation_prompt=True)
    if any(message["role"] == "system" and message["content"].strip() not in text for message in messages):
        raise _without_system(tokenizer, "one that leaves it out")
    thinks = text.rstrip().endswith(THINK_OPEN)
    return Prompt(text + prefill, (text[text.rindex(THINK_OPEN) :] if thinks else "") + prefill)


def rendered(tokenizer: Any, messages: list[Message], add_generation_prompt: bool) -> str:
    """Messages as the tokenizer's chat template writes them.

    Raises:
        InputError: The tokenizer has no chat template or several; or its template refuses the messages.
    """
    from jinja2 import TemplateError

    template = tokenizer.chat_template
    if not template:
        raise InputError(
            where=str(tokenizer.name_or_path),
            expected="a tokenizer with a chat template",
            got="none",
            do="take an instruction model, or put a chat_template.jinja beside its tokenizer",
        )
    if not isinstance(template, str):
        raise InputError(
            where=str(tokenizer.name_or_path),
            expected="a tokenizer with one chat template",
            got=f"templates by name: {', '.join(template)}",
            do="keep the one to train with as chat_template.jinja beside the tokenizer, and remove the others",
        )
    try:
        text: str = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=add_generation_prompt)
    except TemplateError as error:
        if any(message["role"] == "system" for message in messages):
            raise _without_system(tokenizer, str(error)) from None
        raise InputError(
            where=f"chat template of {tokenizer.name_or_path}",
            expected="one that renders a question and its answer",
            got=f"{type(error).__name__}: {error}",
            do="correct the template, or take the one its model was trained with",
        ) from None
    return text


def _without_system(tokenizer: Any, got: str) -> InputError:
    return InputError(
        where=f"chat template of {tokenizer.name_or_path}",
        expected="one that takes a system message, as params.yaml sets it",
        got=got,
        do="remove the key system (traces.system), or put what it says into the questions",
    )


def lengths(tokenizer: Any, exchanges: list[tuple[str, str]]) -> list[int]:
    """Tokens of each (question, answer) as a training row, many at once."""
    prompts = [prompt(tokenizer, question) for question, _ in exchanges]
    answers = [_rest(tokenizer, given.opening, answer) for given, (_, answer) in zip(prompts, exchanges, strict=True)]
    before = tokenizer([given.text for given in prompts], add_special_tokens=False)["input_ids"]
    after = _ids_of_texts(tokenizer, answers)
    return [len(one) + len(other) + 1 for one, other in zip(before, after, strict=True)]


def training_row(tokenizer: Any, messages: list[Message]) -> dict[str, list[int]]:
    """Ids of a conversation (T,) and the mask of those that carry loss (T,): its last answer and the stop token.

    What stands before that answer is the generation prompt, with earlier turns as the template renders them.

    Raises:
        InputError: The template opens a thought, and the answer has none.
    """
    *before, answer = messages
    given = _prompt(tokenizer, before)
    if given.opening.startswith(THINK_OPEN) and THINK_CLOSE not in answer["content"]:
        raise InputError(
            where=f"the answer {answer['content'][:60]!r}",
            expected=f"a thought, since the chat template of {tokenizer.name_or_path} opens one",
            got=f"no {THINK_CLOSE}: the model would learn to answer inside its thought and never leave it",
            do="set curate.require_thought: true",
        )
    prompt_ids = tokenizer(given.text, add_special_tokens=False)["input_ids"]
    (answer_ids,) = _ids_of_texts(tokenizer, [_rest(tokenizer, given.opening, answer["content"])])
    answer_ids.append(tokenizer.eos_token_id)
    return {
        "input_ids": prompt_ids + answer_ids,
        "completion_mask": [0] * len(prompt_ids) + [1] * len(answer_ids),
    }


def _ids_of_texts(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    """Token ids in which the names of special tokens are spelt like any other text."""
    ids: list[list[int]] = tokenizer(texts, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    return ids


def _rest(tokenizer: Any, opening: str, answer: str) -> str:
    """What an answer adds to a prompt that holds its opening already; the opening's spaces may differ.

    A stop token at its very end is what ended it, in sets of traces that keep it, and no part of it.
    """
    while tokenizer.eos_token and answer.rstrip().endswith(tokenizer.eos_token):
        answer = answer.rstrip().removesuffix(tokenizer.eos_token)
    if answer.startswith(opening):
        return answer[len(opening) :]
    start = answer.lstrip()
    return start[len(opening.strip()) :].lstrip() if start.startswith(opening.strip()) else answer
