"""What an OpenAI-compatible server says, made a completion or a reason to ask again."""

import email.utils
import json
import time
from collections.abc import Callable
from typing import Any, Literal

from branchmerge.chat import conversation
from branchmerge.engines.engine import Completion, FinishReason, Request, answered

_FINISHED: dict[str, Literal["stop", "length", "refused"]] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "refused",
}


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


def text_completion(ask: Request, payload: str, opening: str) -> Completion:
    """A reply of /completions.

    Raises:
        TransientError: It has not the promised shape.
    """
    return _completion(ask, payload, opening, lambda choice: (choice["text"], None))


def chat_completion(ask: Request, payload: str, opening: str) -> Completion:
    """A reply of /chat/completions.

    Raises:
        TransientError: It has not the promised shape.
    """
    return _completion(
        ask, payload, opening, lambda choice: (_content(choice["message"]), choice["message"].get("refusal"))
    )


def _completion(ask: Request, payload: str, opening: str, said: Callable[[Any], tuple[Any, Any]]) -> Completion:
    counts = (0, 0)
    try:
        answer = json.loads(payload)
        usage = answer.get("usage") or {}
        counts = int(usage.get("prompt_tokens", 0)), int(usage.get("completion_tokens", 0))
        (choice,) = answer["choices"]
        finish_reason = _FINISHED[choice["finish_reason"]]
        text, refusal = said(choice)
        if not isinstance(text, str):
            raise TypeError(f"the answer is a {type(text).__name__}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problem = f"{type(error).__name__}: {error} in {payload[:300]!r}"
        raise TransientError(problem, finish_reason="malformed", counts=counts) from None
    if refusal or finish_reason == "refused":
        return Completion(ask.trace_id, refusal or text, "refused", *counts)
    return answered(ask, opening, text, finish_reason, counts)


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
