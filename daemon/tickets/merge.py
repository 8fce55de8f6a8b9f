"""Two errors that are one: everything of the first becomes the second's. One transaction, all or nothing."""

from __future__ import annotations

from typing import Any

from tocsin.daemon.config import Config
from tocsin.daemon.store import errors, merging, signatures
from tocsin.daemon.store import tickets as rows
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import ErrorLog
from tocsin.daemon.tickets.lifecycle import RECENT, EventType, State, TicketEvent
from tocsin.daemon.tickets.manual import ManualError, find
from tocsin.daemon.tickets.steps import DUPLICATE, Tickets


def merge(store: Store, config: Config, error_id: int, into_id: int, by: str, now: float) -> list[int]:
    """Makes the first error part of the second; returns the ids of tickets closed as duplicates.

    From then on events of either signature are the second error's. The first stays in the table, marked as
    merged, and is not listed. Raises ManualError.
    """
    if error_id == into_id:
        raise ManualError("an error cannot be merged into itself")
    with store.transaction():
        errors.lock(store, [error_id, into_id])
        error, into = find(error_id), find(into_id)
        if (error.service, error.environment) != (into.service, into.environment):
            raise ManualError(
                "error %(error_id)s is of %(its_place)s, error %(into_id)s of %(other_place)s: "
                "only errors of one service and environment can be one",
                error_id=error_id,
                its_place=_where(error),
                into_id=into_id,
                other_place=_where(into),
            )
        closed = _close_duplicates(config, error, into, by, now)
        join(store, error, into, by, now)
        signatures.end_splits(into.id)
    return closed


def join(store: Store, error: ErrorLog, into: ErrorLog, by: str, now: float) -> None:
    """Everything of the first becomes the second's; of no client may both have an open ticket.

    Called inside the caller's transaction, which has locked both.
    """
    merging.move_rows(store, error.id, into.id)
    _move_tickets(error, into, by, now)
    _add_up(error, into)


def _where(error: ErrorLog) -> str:
    return f"{error.service} {error.environment}".strip()


def _close_duplicates(config: Config, error: ErrorLog, into: ErrorLog, by: str, now: float) -> list[int]:
    """Of two open tickets of one client the younger closes."""
    tickets = rows.of_errors([error.id, into.id])
    open_ = [
        {t.client_id or "": t for t in tickets.get(one.id, []) if t.status != State.CLOSED}
        for one in (error, into)
    ]
    closed = []
    for client in sorted(open_[0].keys() & open_[1].keys()):
        kept, younger = sorted((one[client] for one in open_), key=lambda t: (t.created_at, t.id))
        details: dict[str, Any] = {"quiet_since": now, "resolution": DUPLICATE, "duplicate_of": kept.id}
        Tickets(config).apply(
            None, [younger], TicketEvent(EventType.MERGED, now), now, by=by, details=details, resolution=DUPLICATE,
            happened={"kept": kept.id},
        )  # fmt: skip
        rows.record(kept, EventType.MERGED, now, {"younger": younger.id}, by)
        closed.append(int(younger.id))
    return closed


def _move_tickets(error: ErrorLog, into: ErrorLog, by: str, now: float) -> None:
    for ticket in rows.of_errors([error.id]).get(error.id, []):
        merging.move_ticket(ticket, into)
        if ticket.status != State.CLOSED:
            rows.record(ticket, EventType.MERGED, now, {"error": error.id, "into": into.id}, by)
    watch = rows.watches([error.id]).get(error.id)
    if watch is not None:
        rows.restart_watch(into, watch.quiet_since)
        rows.end_watch(error)


def _add_up(error: ErrorLog, into: ErrorLog) -> None:
    ticketed = bool(rows.of_errors([into.id]))
    recent = sorted([*map(tuple, error.recent), *map(tuple, into.recent)])[-RECENT:]
    merging.add_sums(error, into, [] if ticketed else recent)
    if not _stays_resolved(error, into):
        errors.unresolve(into)
    merging.mark_merged(error, into)


def _stays_resolved(error: ErrorLog, into: ErrorLog) -> bool:
    """Resolved is what has no open ticket and of which nothing is known since it was."""
    if any(ticket.status != State.CLOSED for ticket in rows.of_errors([into.id]).get(into.id, [])):
        return False
    return bool(into.resolved and (error.resolved or error.last_seen <= (into.resolved_at or 0.0)))
