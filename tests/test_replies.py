"""What a server says between its answers: how long it wants to be left alone."""

import email.utils
import time

import pytest

from branchmerge.engines.replies import retry_after_s


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
