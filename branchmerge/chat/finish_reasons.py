"""Why an answer ended, in the words of servers and of trace sets, made one of ours."""

import re
import sys
from functools import cache
from typing import Literal

from branchmerge.chat.faults import is_unclosed

FinishReason = Literal["stop", "length", "empty", "refused", "malformed", "error"]

# ours -> what others call it: OpenAI, Anthropic, Google, Cohere, Mistral, Bedrock, vLLM, SGLang, llama.cpp, TGI
_SAID: dict[FinishReason, str] = {
    "stop": "stop stopped stop_sequence stop_token stop_str eos eos_token eos_token_id end_of_sequence end end_turn"
    " end_of_turn end_of_text eot turn_complete complete completed completion finish finished done success normal"
    " s im_end eot_id endoftext end_of_sentence return",  # tokens, as </s> and <|im_end|>
    "length": "length max_tokens max_token max_length max_new_tokens max_output_tokens max_completion_tokens limit"
    " length_capped token_limit length_limit model_length model_context_window_exceeded context_length_exceeded"
    " context_length max_context_length truncated truncation incomplete cut cut_off",
    "refused": "content_filter content_filtered refused refusal safety recitation blocklist prohibited_content spii"
    " guardrail_intervened guardrails moderation error_toxic",
    "empty": "empty",
    "malformed": "malformed malformed_function_call",
    "error": "error failed failure abort aborted cancelled canceled timeout error_limit network_error",
}
_KNOWN = {word: reason for reason, words in _SAID.items() for word in words.split()}
_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")  # of endTurn
_BETWEEN = re.compile(r"[-. ▁]+")


def known_reason(said: object) -> FinishReason | None:
    """Ours for a word of theirs, whatever its case; None for one that is not known."""
    word = _CAPITAL.sub("_", str(said).strip().strip("<|｜>/")).lower()
    return _KNOWN.get(
        _BETWEEN.sub("_", word).removeprefix("finish_reason_").removeprefix("finished_").removeprefix("stop_reason_")
    )


def reason_of_text(said: object, text: str) -> Literal["stop", "length"]:
    """Ours for an answer whose end has no known reason: it stopped if it is whole; which is told once for each reason.

    Args:
        text: The answer; one that ends within its thought is not whole.
    """
    reason: Literal["stop", "length"] = "length" if is_unclosed(text) else "stop"
    _tell(str(said))
    return reason


@cache
def _tell(said: str) -> None:
    print(
        f"note: the finish reason {said} is not known: answers with it count as ended (stop) where they are whole,"
        " as cut off (length) where a thought in them does not end",
        file=sys.stderr,
    )
