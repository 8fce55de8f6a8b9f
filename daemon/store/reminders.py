"""Queries on what waits for a person and on what was said of it. All run in the caller's transaction."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, structs
from peewee import JOIN, fn

from tocsin.daemon.store.models import ErrorLog, History, HourCount, Mail, Ticket, Watch
from tocsin.daemon.store.muting import muted
from tocsin.daemon.store.reminder_models import Reminder
from tocsin.daemon.store.table import among, moment

Fact = tuple[str, str]
"""(kind, subject) of a `Reminder`."""


class Waiting(Struct, frozen=True):
    """A ticket that waits, since then; `error` is None for one that was opened by hand."""

    ticket: Ticket
    error: ErrorLog | None
    since: float


def untouched(before: float, now: float) -> list[Waiting]:
    """Open tickets that no person touched since `before`, those of muted errors aside; the oldest first."""
    touched = fn.MAX(History.created_at)
    query = (
        Ticket.select(Ticket, ErrorLog, touched.alias("touched"))
        .join(History, JOIN.LEFT_OUTER, on=(History.ticket == Ticket.id) & (History.created_by != "system"))
        .switch(Ticket)
        .join(ErrorLog, JOIN.LEFT_OUTER)
        .where(Ticket.status << ["open", "in_progress"], Ticket.created_at <= before, _heard(now))
        .group_by(Ticket.id, ErrorLog.id)
        .having(touched.is_null() | (touched <= moment(before)))
        .order_by(Ticket.created_at, Ticket.id)
    )
    return [
        Waiting(ticket, ticket.error, max(float(ticket.created_at), _moment(ticket.touched)))
        for ticket in query
    ]


def held(before: float) -> list[Mail]:
    """Mails that wait for an admin's release since `before`, the oldest first."""
    return list(Mail.select().where(Mail.state == "held", Mail.created_at <= before).order_by(Mail.id))


def inconclusive(before: float, now: float) -> list[Waiting]:
    """The oldest open ticket of each error whose watch proves nothing, the admins told of it before."""
    unclear = Watch.select(Watch.error, Watch.inconclusive_at).where(Watch.inconclusive_at <= before)
    since: dict[int, float] = {watch.error_id: watch.inconclusive_at for watch in unclear}
    waiting = [structs.replace(one, since=since[one.ticket.error_id]) for one in open_tickets([*since], now)]
    return sorted(waiting, key=lambda one: (one.since, one.ticket.error_id))


def busy_errors(hour: int, least: int) -> list[int]:
    """Errors with an open ticket that came at least so often from that hour on, by id."""
    open_ones = Ticket.select(Ticket.error).where((Ticket.status != "closed") & Ticket.error.is_null(False))
    rows: Any = (
        HourCount.select(HourCount.error)
        .where(HourCount.hour >= hour, HourCount.error << open_ones)
        .group_by(HourCount.error)
        .having(fn.SUM(HourCount.count) >= least)
        .order_by(HourCount.error)
    )
    return [error_id for (error_id,) in rows.tuples()]


def hourly(error_ids: list[int], since: int) -> dict[int, dict[int, int]]:
    """Error -> hours since the epoch -> occurrences of all clients, from that hour on."""
    found: dict[int, dict[int, int]] = {error_id: {} for error_id in error_ids}
    rows: Any = (
        HourCount.select(HourCount.error, HourCount.hour, fn.SUM(HourCount.count))
        .where(HourCount.hour >= since, among(HourCount.error, error_ids))
        .group_by(HourCount.error, HourCount.hour)
    )
    for error_id, hour, count in rows.tuples():
        found[error_id][hour] = int(count)
    return found


def open_tickets(error_ids: list[int], now: float) -> list[Waiting]:
    """The oldest open ticket of each of these errors, of those that are not muted."""
    query = (
        Ticket.select(Ticket, ErrorLog)
        .join(ErrorLog)
        .where(Ticket.status != "closed", among(Ticket.error, error_ids), _heard(now))
        .order_by(Ticket.id)
    )
    found: dict[int, Waiting] = {}
    for ticket in query:
        found.setdefault(ticket.error_id, Waiting(ticket, ticket.error, ticket.created_at))
    return list(found.values())


def said(kind: str) -> dict[str, tuple[float, float | None]]:
    """Of a kind: subject -> (when it was said, how large)."""
    return {row.subject: (row.said_at, row.value) for row in Reminder.select().where(Reminder.kind == kind)}


def remember(facts: dict[Fact, float | None], now: float) -> None:
    """These were said at `now`, each with how large it was."""
    for (kind, subject), value in facts.items():
        Reminder.delete().where(Reminder.kind == kind, Reminder.subject == subject).execute()
        Reminder.create(kind=kind, subject=subject, said_at=now, value=value)


def drop_before(moment: float) -> int:
    """Forgets what was said before then; returns how much that was."""
    return int(Reminder.delete().where(Reminder.said_at < moment).execute())


def _heard(now: float) -> Any:
    """Tickets of errors that are not muted, and those of no error."""
    return Ticket.error.is_null() | ~muted(now)


def _moment(value: Any) -> float:
    """What MAX of a moment gives: the driver's own form, or nothing."""
    return 0.0 if value is None else float(History.created_at.python_value(value))
