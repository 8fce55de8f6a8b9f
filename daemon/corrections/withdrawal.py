"""Taking a correction back: it is kept as withdrawn, and counts nowhere as applied."""

from __future__ import annotations

from tocsin.daemon.config import Config
from tocsin.daemon.corrections.recording import Changed, CorrectionError
from tocsin.daemon.failure import NotThere
from tocsin.daemon.store import corrections, errors
from tocsin.daemon.store import tickets as rows
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Correction, ErrorLog, WithdrawnCorrection
from tocsin.daemon.tickets.lifecycle import EventType, State, TicketEvent
from tocsin.daemon.tickets.steps import Tickets


class UnknownCorrection(CorrectionError, NotThere):
    """There is no such correction."""


def withdraw(store: Store, config: Config, correction_id: int, by: str, now: float) -> int:
    """Withdraws a correction; returns its error. The error's silence counts from now on. Raises CorrectionError.

    The tickets of an error whose last correction it was are open again.
    """
    with store.transaction():
        error_id = Correction.select(Correction.error).where(Correction.id == correction_id).scalar()
        if error_id is not None:
            errors.lock(store, [error_id])
        correction = Correction.get_or_none(Correction.id == correction_id)
        if correction is None:
            raise _reason(correction_id)
        error = ErrorLog.get_by_id(correction.error_id)
        corrections.withdraw(correction, by, now)
        _take_back(config, error, {"correction": correction_id, "file": correction.file_path}, by, now)
    return int(error.id)


def _reason(correction_id: int) -> CorrectionError:
    gone = WithdrawnCorrection.get_or_none(WithdrawnCorrection.id == correction_id)
    if gone is not None:
        return Changed(
            "correction %(correction_id)s was withdrawn already, by %(withdrawn_by)s",
            correction_id=correction_id,
            withdrawn_by=gone.withdrawn_by,
        )
    return UnknownCorrection(
        "there is no correction %(correction_id)s; `tocsin corrections` lists them",
        correction_id=correction_id,
    )


def _take_back(config: Config, error: ErrorLog, what: dict[str, object], by: str, now: float) -> None:
    tickets = rows.of_errors([error.id]).get(error.id, [])
    fact = TicketEvent(EventType.WITHDRAWN, now)
    if not rows.corrections(error.id):
        Tickets(config).apply(error, tickets, fact, now, by=by, happened=what)
        return
    for ticket in tickets:
        rows.record(ticket, fact.kind, now, what, by)
    if any(ticket.status != State.CLOSED for ticket in tickets):
        rows.restart_watch(error, now)
