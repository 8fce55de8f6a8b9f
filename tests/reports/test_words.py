"""The reader's language for what the daemon itself writes."""

from __future__ import annotations

from typing import Any

import pytest

from tocsin.daemon import ticket_wording
from tocsin.daemon.corrections.validation.judge import NAMES as judge_names
from tocsin.daemon.queries.moment import Moment
from tocsin.daemon.queries.tickets import HistoryFacts, WatchFacts
from tocsin.daemon.tickets.chance import Before
from tocsin.daemon.tickets.evidence import NotSeen, Process, Restart, Rule, Silence, WaitingFor, judge
from tocsin.reports.wording import IN_PLACE, WORDS, Words

DAY = 86400.0
QUIET = {"quiet_since": 0.0, "seen": [(0.0, DAY)], "up": [(0.0, DAY)], "last_seen_alive": DAY}
CASES = {
    "tests": ({"failed_tests": True}, {}),
    "time": ({}, {"duration": 2 * DAY}),
    "backlog": ({"held_back": Process(7, "web1", 0.0, 9.0, 1.0, 100)}, {}),
    "run": ({}, {"batch": True}),
    "seen": ({"seen": []}, {}),
    "chance": ({"before": Before(1.0, 71.0)}, {"max_chance": 0.01}),
    "loss": ({"restarts": [Restart(WaitingFor.LOSS, 60.0)]}, {}),
    "release": ({"restarts": [Restart(WaitingFor.RELEASE, None, "2.0")]}, {}),
    "next release": ({"restarts": [Restart(WaitingFor.RELEASE, None)]}, {}),
    "hand": ({}, {"by_hand": True}),
    "program": ({"seen": [], "not_seen": NotSeen("celery worker")}, {}),
    "logger": ({"seen": [], "not_seen": NotSeen("", "shop")}, {}),
    "job": ({"not_seen": NotSeen("import.py")}, {"batch": True}),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_watch_waits_for_is_said_in_french(case: str) -> None:
    known, settings = CASES[case]
    rule = Rule(**{"duration": DAY, "min_seen": 0.9, "max_chance": 1.0, "unseen_after": 9 * DAY, **settings})
    waiting = judge(Silence(**{**QUIET, **known}), rule, DAY).waiting
    assert waiting is not None
    watch = watched(waiting_for="", waiting=waiting.facts)
    english, french = (Words(one).waiting(watch) for one in ("en", "fr"))
    assert english
    assert french != english
    assert ("processus 7 sur web1" in french) is ("process 7 on web1" in english)


def test_a_watch_noted_by_an_older_version_is_shown_as_it_was_stored() -> None:
    watch = watched(waiting_for="errors that nobody has seen")
    assert Words("fr").waiting(watch) == "errors that nobody has seen"


def watched(**more: Any) -> WatchFacts:
    at = Moment(DAY)
    return WatchFacts(at, DAY, 0.0, at, at, **more)


@pytest.mark.parametrize("action", sorted(ticket_wording.ACTIONS))
def test_every_action_of_a_history_has_a_word_of_its_own(action):
    assert action in WORDS


def happened(action: str, by: str, **details: str) -> HistoryFacts:
    return HistoryFacts(1, 1, action, "", by, Moment(0.0), details)


def test_a_client_reads_a_note_only_where_it_was_written_for_clients() -> None:
    """`note` is the key of a time when closing notes were the team's own."""
    words = Words("en")
    assert words.client_note(happened("resolved", "ada", note="he never pays")) == ""
    assert words.client_note(happened("resolved", "ada", client_note="It works again.")) == "It works again."


@pytest.mark.parametrize(("by", "said"), [
    ("ada", "Our team opened the ticket again."), ("system", "The error came back, so the ticket is open again."),
])  # fmt: skip
def test_a_client_reads_who_opened_its_ticket_again_also_of_a_row_without_facts(by: str, said: str) -> None:
    assert Words("en").client_history(happened("reopened", by)) == said


def test_what_a_validation_calls_its_runs_and_checks_is_said_in_french() -> None:
    french = Words("fr")
    for name in (*judge_names.values(), "old code", "corrected code", f"{IN_PLACE}shop/views.py"):
        assert french.validation_name(name) != name
        assert Words("en").validation_name(name) == name


@pytest.mark.parametrize(("details", "said"), [
    ({"by_client": True}, "You opened the ticket."), ({"by_client": False}, "The ticket was opened."),
    ({}, "The ticket was opened."),
])  # fmt: skip
def test_a_client_reads_that_it_opened_its_ticket_itself(details: dict[str, bool], said: str) -> None:
    row = HistoryFacts(1, 1, "created", "", "zoé", Moment(0.0), details)
    assert Words("en").client_history(row) == said


@pytest.mark.parametrize(("action", "said"), [
    ("resolved", "Résolu à la main"), ("muted", "Mis en sourdine"), ("created", "Ticket ouvert"),
])  # fmt: skip
def test_what_happened_is_not_said_as_a_state(action: str, said: str) -> None:
    assert Words("fr").happened(action) == said
