"""The reader's language for what the daemon itself writes."""

from __future__ import annotations

import pytest

from tocsin.daemon.tickets.evidence import Rule, Silence, judge
from tocsin.reports.wording import Words

DAY = 86400.0
QUIET = {"quiet_since": 0.0, "seen": [(0.0, DAY)], "up": [(0.0, DAY)], "last_seen_alive": DAY}
CASES = {
    "tests": ({"failed_tests": True}, {}),
    "time": ({}, {"duration": 2 * DAY}),
    "backlog": ({"held_back": "process 7 on web1"}, {}),
    "run": ({}, {"batch": True}),
    "seen": ({"seen": []}, {}),
    "chance": ({"rate": 1 / DAY}, {"max_chance": 0.01}),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_watch_waits_for_is_said_in_french(case: str) -> None:
    known, settings = CASES[case]
    rule = Rule(**{"duration": DAY, "min_seen": 0.9, "max_chance": 1.0, "unseen_after": 9 * DAY, **settings})
    waiting = judge(Silence(**{**QUIET, **known}), rule, DAY).waiting_for
    french = Words("fr").waiting(waiting)
    assert waiting
    assert french != waiting
    assert Words("en").waiting(waiting) == waiting
    assert ("process 7 on web1" in french) is ("process" in waiting)


def test_a_text_nobody_knows_is_shown_as_it_is() -> None:
    assert Words("fr").waiting("errors that nobody has seen") == "errors that nobody has seen"
