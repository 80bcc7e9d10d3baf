"""What an OpenAI-compatible server says, made a completion or a reason to ask again."""

import email.utils
import json
import time
from collections.abc import Callable
from typing import Any

from branchmerge.chat import conversation
from branchmerge.chat.finish_reasons import FinishReason, known_reason, reason_of_text
from branchmerge.engines.engine import Completion, Request, answered


class TransientError(Exception):
    """An attempt that may go better next time.

    Args:
        counts: Tokens of prompt and answer that it cost all the same.
    """

    def __init__(
        self,
        message: str,
        finish_reason: FinishReason = "error",
        retry_after_s: float = 0,
        counts: tuple[int, int] = (0, 0),
    ) -> None:
        super().__init__(message)
        self.finish_reason = finish_reason
        self.retry_after_s = retry_after_s
        self.counts = counts


class UnreachableError(TransientError):
    """No connection at all: about the server, not about the row."""


def text_completion(ask: Request, payload: str, opening: str, max_tokens: int) -> Completion:
    """A reply of /completions.

    Raises:
        TransientError: It has not the promised shape, or says that it failed.
    """
    return _completion(ask, payload, opening, max_tokens, lambda choice: (choice["text"], None))


def chat_completion(ask: Request, payload: str, opening: str, max_tokens: int) -> Completion:
    """A reply of /chat/completions.

    Raises:
        TransientError: It has not the promised shape, or says that it failed.
    """
    return _completion(
        ask,
        payload,
        opening,
        max_tokens,
        lambda choice: (_content(choice["message"]), choice["message"].get("refusal")),
    )


def _completion(
    ask: Request, payload: str, opening: str, max_tokens: int, said: Callable[[Any], tuple[Any, Any]]
) -> Completion:
    counts = (0, 0)
    try:
        answer = json.loads(payload)
        usage = answer.get("usage") or {}
        counts = int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
        (choice,) = answer["choices"]
        text, refusal = said(choice)
        if not isinstance(text, str):
            raise TypeError(f"the answer is a {type(text).__name__}")
        ended = choice.get("finish_reason")
        reason = _reason(ended, opening + text.removeprefix(opening), text, counts[1] >= max_tokens)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problem = f"{type(error).__name__}: {error} in {payload[:300]!r}"
        raise TransientError(problem, finish_reason="malformed", counts=counts) from None
    if refusal or reason == "refused":
        return Completion(ask.trace_id, refusal or text, "refused", *counts)
    if reason in ("malformed", "error"):
        raise TransientError(f"the server ended with {ended}", finish_reason=reason, counts=counts)
    return answered(ask, opening, text, "length" if reason == "length" else "stop", counts)


def _reason(said: Any, whole: str, text: str, is_full: bool) -> FinishReason:
    """Why an answer ended; of one that says nothing we know, by its text, since it is paid for.

    Args:
        is_full: Whether it has as many tokens as it may have.

    Raises:
        ValueError: There is neither a reason nor a text.
    """
    if known := known_reason(said):
        return known
    if not text.strip():
        raise ValueError(f"no text, and the finish reason {said!r}")
    return "length" if is_full else reason_of_text(said, whole)


def _content(message: dict[str, Any]) -> Any:
    """A chat message's whole text; reasoning that the server took out is put back in its tags."""
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    content = message.get("content") or ""
    if not reasoning:
        return content
    return conversation.whole_response(reasoning, content) if content else f"{conversation.THINK_OPEN}\n{reasoning}"


def retry_after_s(header: str | None) -> float:
    """Seconds that a Retry-After header asks for: it holds seconds, or a date."""
    if header is None:
        return 0
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return 0
