"""What is wrong with an answer's text, whatever it says."""

import pytest

from branchmerge.chat.faults import faults


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("<think>\nhm\n</think>\n7", []),
        ("<think>\nhm", ["unclosed"]),
        ("7", []),
        ("so " * 40, ["loop"]),
        ("<think>\n" + "wait, " * 20, ["loop", "unclosed"]),
        ("Die Größe ist π·r², naïve Ω", []),
        ("the answer is 我们需要计算结果", ["script"]),
        ("Ответ: семь", ["script"]),
        ("", []),
    ],
)
def test_an_answer_has_these_faults(text: str, found: list[str]):
    assert faults(text, "How large is the disc?") == found


def test_the_questions_own_script_is_no_fault():
    assert faults("Ответ: семь", "Сколько будет 3+4?") == []
