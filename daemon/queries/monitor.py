"""What the monitoring page shows of each error: its numbers, its ticket, its watch, its last 24 hours."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from tocsin.daemon.config import Config
from tocsin.daemon.queries.errors import ErrorFacts, errors, recent_hours
from tocsin.daemon.queries.rows import tuples
from tocsin.daemon.queries.tickets import WatchFacts, watches
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import ErrorLog, Ticket
from tocsin.daemon.store.muting import is_muted
from tocsin.daemon.store.table import among

HOURS = 24
WEEK = 168
WEEK_STEP = 6
"""Hours in one bar of the week."""
URGENCY = ("open", "in_progress", "monitoring")
"""States of a ticket, the most urgent first: an error with several tickets shows the most urgent."""


class ErrorRow(Struct, frozen=True):
    """One line of the monitoring page.

    `state`: open, in_progress, monitoring (by its ticket), new (below the threshold), muted, resolved.
    """

    error: ErrorFacts
    state: str
    ticket_id: int | None
    watch: WatchFacts | None
    hours: list[int]
    """Occurrences in each of the last 24 hours, the running hour last."""
    week: list[int]
    """Occurrences in each quarter of the last 7 days, ending with the running hour."""


def rows(store: Store, config: Config, error_ids: Iterable[int], now: float) -> list[ErrorRow]:
    """The lines of some errors, in the order given. `now` in epoch seconds."""
    wanted = list(error_ids)
    last = int(now // 3600)
    with store.reading():
        by_id = {one.id: one for one in errors(store, error_ids=wanted)}
        tickets = _tickets(wanted)
        watched = watches(store, config, wanted, now)
        hours = recent_hours(store, last - WEEK + 1, wanted)
    found = []
    for one in (by_id[error_id] for error_id in wanted if error_id in by_id):
        status, ticket_id = tickets.get(one.id, ("", None))
        week = [0] * WEEK
        for hour, count in hours.get(one.id, {}).items():
            if hour <= last:
                week[hour - last - 1] = count
        found.append(
            ErrorRow(
                error=one,
                state=state(one, status, now),
                ticket_id=ticket_id,
                watch=watched.get(one.id) if status in URGENCY else None,
                hours=week[-HOURS:],
                week=[sum(week[at : at + WEEK_STEP]) for at in range(0, WEEK, WEEK_STEP)],
            )
        )
    return found


def state(one: ErrorFacts, ticket_status: str, now: float) -> str:
    """In one word, what an error needs. `ticket_status` is the most urgent of its tickets, '' without."""
    return _state(one.resolved, is_muted(one.muted_until, one.muted_rate, now), ticket_status)


def most_urgent(ticket_statuses: Iterable[str]) -> str:
    """The most urgent state of some tickets, '' where none is open."""
    found = set(ticket_statuses)
    return next((status for status in URGENCY if status in found), "")


def _state(resolved: bool, muted: bool, ticket_status: str) -> str:
    if resolved:
        return "resolved"
    if muted:
        return "muted"
    return ticket_status if ticket_status in URGENCY else "new"


def _tickets(error_ids: list[int] | None) -> dict[int, tuple[str, int]]:
    """(status, number) of each error's most urgent ticket, the newest among equals; closed ones last."""
    query = Ticket.select(Ticket.error, Ticket.status, Ticket.id)
    if error_ids is not None:
        query = query.where(among(Ticket.error, error_ids))
    rank = {status: -place for place, status in enumerate(URGENCY)}
    found: dict[int, tuple[int, int, str]] = {}
    for error_id, status, ticket_id in tuples(query):
        found[error_id] = max(found.get(error_id, (-99, 0, "")), (rank.get(status, -9), ticket_id, status))
    return {error_id: (status, ticket_id) for error_id, (_, ticket_id, status) in found.items()}


def services(store: Store) -> list[str]:
    """The services that ever logged an error."""
    with store.reading():
        return [
            name
            for (name,) in tuples(ErrorLog.select(ErrorLog.service).distinct().order_by(ErrorLog.service))
        ]


def titles(store: Store, now: float) -> list[tuple[int, str, str, str, str]]:
    """(number, title, service, state, file) of every error, newest first: for a search over all pages."""
    query = ErrorLog.select(
        ErrorLog.id, ErrorLog.title, ErrorLog.service, ErrorLog.resolved, ErrorLog.muted_until,
        ErrorLog.muted_rate, ErrorLog.source,
    )  # fmt: skip
    with store.reading():
        statuses = _tickets(None)
        ordered = tuples(query.where(ErrorLog.merged_into.is_null()).order_by(ErrorLog.last_seen.desc()))
    return [
        (
            number,
            title[:160],
            service,
            _state(resolved, is_muted(until, rate, now), statuses.get(number, ("", 0))[0]),
            source[-80:],
        )
        for number, title, service, resolved, until, rate, source in ordered
    ]
