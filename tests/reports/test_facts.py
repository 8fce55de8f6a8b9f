"""The facts: what the database says, in the documented shapes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_data import DAY, HOUR, NOW, fill
from support.world import an_error

from tocsin.daemon import config as configuration
from tocsin.daemon import queries
from tocsin.daemon.queries.samples import EventFacts, event_facts
from tocsin.daemon.store.bodies import SampleBody, decode_body, encode_body
from tocsin.daemon.store.database import Store, open_store
from tocsin.daemon.store.models import Correction, ErrorLog, History, Run, Session, Ticket
from tocsin.handler.protocol.event import CodeLocation, Event

KEYS = {
    "error": """id signature coarse title message source line service occurrences first_seen last_seen
        resolved open_tickets corrections""",
    "ticket": """id error_id error_signature client_id client_email subject status priority category source
        resolution created_at closed_at metadata""",
    "correction": """id error_id file_path old_code new_code description applied_by applied_at test_status
        test_results""",
    "metrics": """auto_tickets auto_closed_percent mean_hours_to_resolution median_hours_to_resolution
        top_corrected false_closing_percent""",
    "status": """alive database sessions events_counted lost quarantined backlog outbox last_check
        problems""",
    "watch": "started_at required_seconds seen_seconds quiet_since earliest_close waiting_for",
    "history": "action description created_by created_at",
}
SPEC_QUERIES = (
    "SELECT COUNT(*) FROM support_tickets WHERE source = 'auto_detection'",
    "SELECT COUNT(CASE WHEN metadata->>'auto_closed' = 'true' THEN 1 END) * 100.0 / COUNT(*), COUNT(*) "
    "FROM support_tickets WHERE source = 'auto_detection'",
    "SELECT AVG(EXTRACT(EPOCH FROM (closed_at - created_at))/3600) AS avg_hours "
    "FROM support_tickets WHERE source = 'auto_detection' AND closed_at IS NOT NULL",
    "SELECT e.source, e.message, COUNT(c.id) AS corrections_count "
    "FROM error_logs e JOIN error_corrections c ON c.error_id = e.id "
    "GROUP BY e.source, e.message ORDER BY corrections_count DESC LIMIT 10",
)


def has(value: Any, shape: str) -> None:
    assert set(KEYS[shape].split()) <= set(queries.to_builtins(value)), shape


def test_every_shape_has_its_documented_keys(site: Any) -> None:
    has(queries.errors(site.store)[0], "error")
    has(queries.tickets(site.store)[0], "ticket")
    has(queries.corrections(site.store)[0], "correction")
    has(queries.metrics(site.store), "metrics")
    has(queries.status(site.store, site.config, NOW), "status")
    ticket = queries.ticket(site.store, 1, site.config, NOW)
    assert ticket is not None
    has(ticket.watch, "watch")
    has(ticket.history[0], "history")


def test_moments_are_iso_8601_in_utc(site: Any) -> None:
    first = json.loads(queries.to_json(queries.errors(site.store)))[0]
    assert first["last_seen"] == "2026-11-22T13:59:20Z"


def test_errors_come_newest_first_and_open_ones_on_request(site: Any) -> None:
    everything = queries.errors(site.store)
    assert [one.last_seen for one in everything] == sorted(
        (one.last_seen for one in everything), reverse=True
    )
    assert len(everything) == 8
    assert all(not one.resolved for one in queries.errors(site.store, open_only=True))


def test_a_merged_error_is_not_listed_but_can_be_read(site: Any) -> None:
    ErrorLog.update(merged_into=1).where(ErrorLog.id == 2).execute()
    assert 2 not in [one.id for one in queries.errors(site.store)]
    merged = queries.error(site.store, 2)
    assert merged is not None
    assert merged.merged_into == 1


def test_an_error_counts_its_tickets_corrections_and_clients(site: Any) -> None:
    one = queries.error(site.store, 1)
    assert one is not None
    assert (one.open_tickets, one.corrections, one.clients_hit) == (2, 2, 2)
    assert [(client.name, client.count) for client in one.clients] == [
        ("Bakery Lindqvist", 431),
        ("Garage Moreau", 5),
    ]
    assert sum(hour.count for hour in one.hours) == 436


def test_a_sample_joins_its_frames_with_their_source(site: Any) -> None:
    one = queries.error(site.store, 1)
    assert one is not None
    event = one.samples[0].event
    assert event is not None
    assert [raised.type for raised in event.exceptions] == [
        "KeyError",
        "sqlite3.OperationalError",
        "OSError",
    ]
    assert [raised.relation for raised in event.exceptions] == ["raised", "cause", "root"]
    frame = event.exceptions[0].frames[-1]
    assert frame.source[frame.line - frame.first] == '    item = cart["item"]  # the line that fails'
    assert not event.exceptions[0].frames[0].in_app


PRINTED = """Failed [golf-winter] - 'coffee' : Traceback (most recent call last):
  File "/srv/cluster.py", line 13, in run
    price("coffee")
  File "/usr/lib/python3.12/json/decoder.py", line 7, in price
    return prices[sku]
KeyError: 'coffee'
"""


def printed_facts(*places: CodeLocation) -> EventFacts:
    return event_facts(SampleBody(an_error(PRINTED, at=0.0), list(places)))


def test_a_printed_traceback_is_shown_as_an_exception() -> None:
    (raised,) = printed_facts().exceptions
    assert (raised.type, raised.text, raised.relation) == ("KeyError", "'coffee'", "raised")
    assert [(frame.line, frame.function, frame.source, frame.in_app) for frame in raised.frames] == [
        (13, "run", ['price("coffee")'], True),
        (7, "price", ["return prices[sku]"], False),
    ]


def test_a_printed_traceback_s_frames_have_the_source_around_them() -> None:
    known = CodeLocation(
        "/srv/cluster.py", 13, first=12, source=("try:", '    price("coffee")'), module="cluster"
    )
    frame = printed_facts(known).exceptions[0].frames[0]
    assert (frame.module, frame.first, frame.source) == ("cluster", 12, ["try:", '    price("coffee")'])


def test_a_text_does_not_show_a_file_of_which_it_does_not_know_the_line() -> None:
    secret = CodeLocation("/srv/cluster.py", 13, "KEY=1", first=12, source=("# keys", "KEY = 1"))
    frame = printed_facts(secret).exceptions[0].frames[0]
    assert (frame.source, frame.statement) == (['price("coffee")'], None)


def test_a_printed_line_stands_where_the_source_is_not_known() -> None:
    frame = printed_facts(CodeLocation("/srv/cluster.py", 13, module="cluster")).exceptions[0].frames[0]
    assert (frame.module, frame.source) == ("cluster", ['price("coffee")'])


def test_a_damaged_sample_does_not_hide_its_error(site: Any) -> None:
    one = queries.error(site.store, 1)
    assert one is not None
    assert [sample.event is None for sample in one.samples] == [False, False, False, False, True]


def test_what_is_not_there_is_none(site: Any) -> None:
    assert queries.error(site.store, 999) is None
    assert queries.ticket(site.store, 999, site.config, NOW) is None


def test_the_timeline_is_in_order_and_names_who(site: Any) -> None:
    one = queries.error(site.store, 1)
    assert one is not None
    assert [entry.at for entry in one.timeline] == sorted(entry.at for entry in one.timeline)
    assert one.timeline[0].kind == "first_seen"
    assert {entry.by for entry in one.timeline} == {"system", "copilot"}


def test_the_watch_says_when_it_can_close(site: Any) -> None:
    ticket = queries.ticket(site.store, 3, site.config, NOW)
    assert ticket is not None
    assert ticket.watch is not None
    assert ticket.watch.required_seconds == DAY
    noted = NOW - 4  # the daemon's last note that it is up; the application was not seen alive yet
    assert ticket.watch.earliest_close == noted + 0.9 * DAY


def test_the_daemon_is_alive_while_its_run_is_fresh(site: Any) -> None:
    assert queries.status(site.store, site.config, NOW).alive
    assert not queries.status(site.store, site.config, NOW + 60).alive
    Run.update(stopped=True).execute()
    assert not queries.status(site.store, site.config, NOW).alive


def test_a_process_is_alive_for_three_of_its_intervals(site: Any) -> None:
    Session.update(last_heard=NOW - 45, interval=15.0).where(Session.id == "s-web-1").execute()
    Session.update(last_heard=NOW - 46, interval=15.0).where(Session.id == "s-web-2").execute()
    alive = {one.id: one.alive for one in queries.status(site.store, site.config, NOW).sessions}
    assert alive == {"s-web-1": True, "s-web-2": False, "s-worker": True, "s-batch": False}


def test_the_status_sums_and_names_what_needs_a_person(site: Any) -> None:
    status = queries.status(site.store, site.config, NOW)
    assert status.events_counted == 431 + 27 + 1912 + 3 + 2 + 58 + 19 + 640
    assert status.lost == {"spool full": 3}
    assert (status.quarantined, status.backlog) == (1, 20480)
    mails = queries.to_builtins(status.outbox)
    assert {state: mails[state] for state in ("waiting", "sent", "failed", "held")} == {
        "waiting": 1,
        "sent": 1,
        "failed": 1,
        "held": 1,
    }
    for word in ("SMTP_HOST", "could not be delivered", "release", "spool full", "could not be read"):
        assert any(word in problem for problem in status.problems), word


def test_an_overdue_check_is_a_problem(site: Any) -> None:
    Run.update(alive_until=NOW + 3 * HOUR).execute()
    assert any(
        "overdue" in problem for problem in queries.status(site.store, site.config, NOW + 3 * HOUR).problems
    )


def test_an_empty_database_has_no_numbers(make_site: Callable[..., Any]) -> None:
    numbers = queries.metrics(make_site().store)
    assert numbers.auto_tickets == 0
    assert (
        numbers.auto_closed_percent
        is numbers.mean_hours_to_resolution
        is numbers.false_closing_percent
        is None
    )


def test_a_ticket_reopened_within_a_week_was_closed_falsely(site: Any) -> None:
    closed = Ticket.get(Ticket.status == "closed")
    assert queries.metrics(site.store).false_closing_percent == 0.0
    History.create(ticket=closed, action="reopened", created_at=NOW - 3 * DAY + 6 * DAY)
    assert queries.metrics(site.store).false_closing_percent == 100.0


def test_a_ticket_reopened_after_a_week_was_not(site: Any) -> None:
    closed = Ticket.get(Ticket.status == "closed")
    History.create(ticket=closed, action="reopened", created_at=NOW - 3 * DAY + 8 * DAY)
    assert queries.metrics(site.store).false_closing_percent == 0.0


def test_a_correction_held_when_its_error_closed_and_stayed_away(site: Any) -> None:
    verdicts = {one.applied_by: one for one in queries.metrics(site.store).by_applied_by}
    copilot = verdicts["copilot"]
    assert (copilot.corrections, copilot.held, copilot.came_back, copilot.hold_percent) == (3, 1, 1, 50.0)
    assert verdicts["Ada"].hold_percent is None


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Store]:
    store = open_store(postgres_url)
    yield store
    store.close()


def test_both_databases_give_the_same_numbers_and_those_of_the_specification(
    make_site: Callable[..., Any], tmp_path: Path, postgres: Store
) -> None:
    with postgres.transaction():
        fill()
    theirs = queries.to_builtins(queries.metrics(postgres))
    config = configuration.parse({}, {})
    their_status = queries.to_builtins(queries.status(postgres, config, NOW))
    run: Any = postgres.database
    total, percent, hours, top = (run.execute_sql(query).fetchall() for query in SPEC_QUERIES)
    site = make_site()
    site.fill()
    assert queries.to_builtins(queries.metrics(site.store)) == theirs
    ours = queries.to_builtins(queries.status(site.store, config, NOW))
    assert {**ours, "database": ""} == {**their_status, "database": ""}
    assert theirs["auto_tickets"] == total[0][0]
    assert theirs["auto_closed_percent"] == round(float(percent[0][0]), 2)
    assert theirs["mean_hours_to_resolution"] == round(float(hours[0][0]), 4)
    assert [row[2] for row in top] == [one["corrections_count"] for one in theirs["top_corrected"]]
    assert {tuple(row) for row in top} == {tuple(one.values()) for one in theirs["top_corrected"]}


def test_equally_corrected_errors_come_in_a_fixed_order(site: Any) -> None:
    Correction.update(error=2).where(Correction.error == 1).execute()
    first = queries.metrics(site.store).top_corrected
    assert [one.corrections_count for one in first] == [3, 1, 1]
    assert first == queries.metrics(site.store).top_corrected


@given(st.binary(max_size=200))
def test_any_bytes_are_a_sample_or_none(data: bytes) -> None:
    decode_body(data)


@given(st.text(max_size=30).filter(lambda text: text.isprintable()), st.floats(0, 4e9))
def test_a_sample_is_read_as_it_was_written(text: str, at: float) -> None:
    event = Event(at, 40, text, text, None, text, text, text, 1)
    body = decode_body(encode_body(event, []))
    assert body is not None
    assert body.event == event


@given(st.floats(allow_nan=False))
def test_any_moment_can_be_written(at: float) -> None:
    assert queries.Moment(at).iso.endswith("Z")
