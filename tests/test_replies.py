"""What a server says beside its answers: why they ended, and how long it wants to be left alone."""

import email.utils
import json
import time
from typing import Any

import pytest

from branchmerge.engines.engine import Completion, Request
from branchmerge.engines.replies import TransientError, chat_completion, retry_after_s, text_completion

WHOLE = "<think>\nhm\n</think>\n2"


def replied(finish_reason: Any, text: Any = WHOLE, tokens: int = 20, opening: str = "") -> Completion:
    """What becomes of a server's answer of at most 100 tokens."""
    choice = {"message": {"content": text}, "finish_reason": finish_reason}
    reply = {"choices": [choice], "usage": {"prompt_tokens": 10, "completion_tokens": tokens}}
    return chat_completion(Request("t", "q"), json.dumps(reply), opening, 100)


@pytest.mark.parametrize(
    "said",
    [
        "stop",
        "STOP",
        "eos",
        "eos_token",
        "end_turn",
        "FINISH_REASON_STOP",
        "FinishReason.STOP",
        "endTurn",
        "COMPLETE",
        "stop-sequence",
        "</s>",
        "<｜end▁of▁sentence｜>",
        "FINISHED_STOPPED",
    ],
)
def test_words_for_stop_are_stop(said: str):
    assert replied(said).finish_reason == "stop"


@pytest.mark.parametrize("said", ["length", "max_tokens", "MAX_TOKENS", "maxTokens", "model_length", "incomplete"])
def test_words_for_length_are_length(said: str):
    assert replied(said).finish_reason == "length"


@pytest.mark.parametrize("said", ["content_filter", "SAFETY", "refusal", "guardrail_intervened"])
def test_words_for_refused_are_refused(said: str):
    assert replied(said).finish_reason == "refused"


@pytest.mark.parametrize("said", ["error", "abort", "cancelled"])
def test_an_answer_that_failed_by_its_own_word_is_asked_again(said: str):
    with pytest.raises(TransientError, match=f"the server ended with {said}") as caught:
        replied(said)
    assert (caught.value.finish_reason, caught.value.counts) == ("error", (10, 20))


@pytest.mark.parametrize("said", [None, "", "tool_calls", "of_its_own", 3])
def test_an_answer_of_no_known_end_is_kept_by_its_text(said: Any):
    assert replied(said).finish_reason == "stop"
    assert replied(said, "<think>\nhm").finish_reason == "length"
    assert replied(said, "hm", opening="<think>\n").finish_reason == "length"
    assert replied(said, "hm\n</think>\n2").finish_reason == "stop"
    assert replied(said, tokens=100).finish_reason == "length"
    with pytest.raises(TransientError, match="no text"):
        replied(said, " ")


def test_an_unknown_end_is_told_once(capsys: pytest.CaptureFixture[str]):
    for text in (WHOLE, "3", "4"):
        replied("never_heard", text)
    replied("never_heard_either")

    told = capsys.readouterr().err.splitlines()
    assert [line.split()[4] for line in told] == ["never_heard", "never_heard_either"]


@pytest.mark.parametrize("said", ["stop", "content_filter"])
def test_half_an_emoji_and_a_nul_are_cleaned(said: str):
    completion = replied(said, "so \ud83d\0!")

    assert completion.text == "so ?!"
    assert Completion("t", None, "error", error="\ud83d\0").error == "?"


def test_a_completion_of_text_ends_in_the_same_words():
    reply = json.dumps({"choices": [{"text": "2", "finish_reason": "eos_token"}]})

    assert text_completion(Request("t", "q"), reply, "", 100).finish_reason == "stop"


@pytest.mark.parametrize(
    ("header", "wanted_s"),
    [(None, 0), ("0", 0), ("2", 2), ("1.5", 1.5), ("-3", 0), ("nan", 0), ("soon", 0), ("Fri, 99 Nov 2026", 0)],
)
def test_seconds_are_taken_as_they_are_and_nonsense_is_no_wait(header: str | None, wanted_s: float):
    assert retry_after_s(header) == wanted_s


@pytest.mark.parametrize(("ahead_s", "wanted_s"), [(30, 30), (-30, 0)], ids=["to come", "gone by"])
def test_a_date_is_waited_for(ahead_s: float, wanted_s: float):
    header = email.utils.formatdate(time.time() + ahead_s, usegmt=True)

    assert retry_after_s(header) == pytest.approx(wanted_s, abs=2)
