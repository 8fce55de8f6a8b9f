"""What people do by hand: resolve and mute errors; open, close, reopen, change and annotate tickets."""

from __future__ import annotations

from typing import Any

from peewee import IntegrityError

from tocsin.daemon.config import Config
from tocsin.daemon.failure import Failed, Meanwhile, NotThere
from tocsin.daemon.reason import Reason
from tocsin.daemon.store import errors
from tocsin.daemon.store import tickets as rows
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import ErrorLog, Ticket
from tocsin.daemon.store.muting import is_muted
from tocsin.daemon.ticket_wording import Facts
from tocsin.daemon.tickets.lifecycle import EventType, State, TicketEvent
from tocsin.daemon.tickets.steps import MANUAL, NewTicket, Tickets

DESCRIPTION_LIMIT = 1000
"""Characters that clients read of one error."""
PRIORITIES = ("low", "medium", "high", "critical")


class ManualError(Failed):
    """What was asked cannot be done; the text says why and what can."""


class UnknownNumber(ManualError, NotThere):
    """There is no such error or ticket."""


class AlreadySo(ManualError, Meanwhile):
    """It is so already: asked twice, or somebody else was quicker."""


def find(error_id: int) -> ErrorLog:
    """An error that is there and was not merged into another. Raises ManualError."""
    error = ErrorLog.get_or_none(ErrorLog.id == error_id)
    if error is None:
        raise UnknownNumber("there is no error %(error_id)s; `tocsin errors` lists them", error_id=error_id)
    if error.merged_into_id is not None:
        raise AlreadySo(
            "error %(error_id)s was merged into error %(into)s; name that one",
            error_id=error_id,
            into=error.merged_into_id,
        )
    return error


def locked_error(store: Store, error_id: int) -> ErrorLog:
    """The error, locked: the digest of a daemon, perhaps another host's, may be counting it. Raises ManualError."""
    errors.lock(store, [error_id])
    return find(error_id)


def locked_ticket(store: Store, ticket_id: int) -> Ticket:
    """The ticket as it is once it and its error are locked. Raises ManualError."""
    error_id = Ticket.select(Ticket.error).where(Ticket.id == ticket_id).scalar()
    if error_id is not None:
        errors.lock(store, [error_id])
    query = Ticket.select().where(Ticket.id == ticket_id)
    ticket: Ticket | None = (query.for_update() if store.postgres else query).first()
    if ticket is None:
        raise UnknownNumber(
            "there is no ticket %(ticket_id)s; `tocsin tickets` lists them", ticket_id=ticket_id
        )
    return ticket


class Manual:
    """Commands of people on one database, each one transaction."""

    def __init__(self, store: Store, config: Config) -> None:
        self._store = store
        self._tickets = Tickets(config)

    def resolve(self, error_id: int, by: str, now: float) -> list[int]:
        """Marks an error resolved and closes its open tickets; returns their ids. Raises ManualError."""
        with self._store.transaction():
            error = self._error(error_id)
            active = [t for t in rows.of_errors([error_id]).get(error_id, []) if t.status != State.CLOSED]
            if active:
                self._close(error, active, by, now, "")
            elif error.resolved:
                raise AlreadySo("error %(error_id)s is resolved already", error_id=error_id)
            else:
                errors.resolve(error, now)
        return [ticket.id for ticket in active]

    def mute(self, error_id: int, by: str, now: float, *, until: float | None, rate: int | None) -> None:
        """Mutes an error until a moment, or until more than `rate` come in an hour. Raises ManualError."""
        with self._store.transaction():
            error = self._error(error_id)
            errors.set_mute(error, until, rate)
            how = {"seconds": until - now} if until is not None else {"rate": rate}
            self._record(error, "muted", now, how, by)

    def unmute(self, error_id: int, by: str, now: float) -> None:
        """Ends a mute: what happens from now on is heard. Raises ManualError."""
        with self._store.transaction():
            error = self._error(error_id)
            if not is_muted(error.muted_until, error.muted_rate, now):
                raise AlreadySo("error %(error_id)s is not muted", error_id=error_id)
            errors.set_mute(error, now, None)
            self._record(error, "unmuted", now, None, by)

    def describe(self, error_id: int, text: str, by: str, now: float) -> None:
        """Sets what clients read of an error in its title's place; '' takes it away. Raises ManualError."""
        if len(text) > DESCRIPTION_LIMIT:
            raise ManualError(
                "the text has %(count)s characters; at most %(limit)s are shown",
                count=len(text),
                limit=DESCRIPTION_LIMIT,
            )
        with self._store.transaction():
            error = self._error(error_id)
            errors.describe(error, text.strip())
            self._record(error, "described", now, {"text": text.strip()}, by)

    def _record(self, error: ErrorLog, action: str, now: float, details: Facts | None, by: str) -> None:
        for ticket in rows.of_errors([error.id]).get(error.id, []):
            rows.record(ticket, action, now, details, by)

    def open(
        self,
        subject: str,
        message: str,
        by: str,
        now: float,
        *,
        client_id: str | None = None,
        error_id: int | None = None,
        priority: str | None = None,
        category: str | None = None,
    ) -> int:
        """Opens a ticket by hand; returns its id. Raises ManualError when the same one is open already."""
        with self._store.transaction():
            error = self._error(error_id) if error_id is not None else None
            try:
                new = NewTicket(
                    error, client_id, subject, message, MANUAL, by, priority=priority, category=category
                )
                ticket = self._tickets.open(new, now)
            except IntegrityError:
                if client_id is None:
                    raise AlreadySo(
                        "error %(error_id)s has an open ticket for the admin already", error_id=error_id
                    ) from None
                raise AlreadySo(
                    "error %(error_id)s has an open ticket for client %(client_id)s already",
                    error_id=error_id,
                    client_id=client_id,
                ) from None
        return int(ticket.id)

    def close(self, ticket_id: int, by: str, now: float, note: str = "") -> None:
        """Closes one ticket by hand. Raises ManualError."""
        with self._store.transaction():
            ticket = self._ticket(ticket_id)
            if ticket.status == State.CLOSED:
                raise AlreadySo("ticket %(ticket_id)s is closed already", ticket_id=ticket_id)
            self._close(ticket.error, [ticket], by, now, note)

    def reopen(self, ticket_id: int, by: str, now: float, note: str = "") -> None:
        """Opens a closed ticket again. Raises ManualError."""
        with self._store.transaction():
            ticket = self._ticket(ticket_id)
            if ticket.status != State.CLOSED:
                raise AlreadySo("ticket %(ticket_id)s is open already", ticket_id=ticket_id)
            try:
                self._tickets.apply(
                    ticket.error, [ticket], TicketEvent(EventType.REOPENED, now), now,
                    by=by, happened={"client_note": note}, details={"by_hand": True, "client_note": note},
                )  # fmt: skip
            except IntegrityError:
                raise AlreadySo(
                    "ticket %(ticket_id)s stays closed: another one of the same error and client is open",
                    ticket_id=ticket_id,
                ) from None

    def set_status(self, ticket_id: int, status: str, by: str, now: float) -> None:
        """Sets a ticket's status: `closed` closes it, any other reopens a closed one. Raises ManualError.

        Among the open states nothing else follows: a failed validation goes on holding the ticket.
        """
        with self._store.transaction():
            before = self._ticket(ticket_id).status
            if status == before:
                raise AlreadySo(
                    "ticket %(ticket_id)s is %(status)s already", ticket_id=ticket_id, status=status
                )
            if status == State.CLOSED:
                self.close(ticket_id, by, now)
                return
            if before == State.CLOSED:
                self.reopen(ticket_id, by, now)
            ticket = self._ticket(ticket_id)
            if ticket.status != status:
                changed = {"before": ticket.status, "after": status}
                rows.record(ticket, "status_changed", now, changed, by)
                rows.set_status(ticket, status)

    def change(self, ticket_id: int, by: str, now: float, **columns: str) -> None:
        """Sets priority, category or the subject that its client reads, with a history row for each that changes.

        Raises ManualError.
        """
        if not all(value.strip() for value in columns.values()):
            raise ManualError(
                "the %(what)s is empty", what=Reason(next(key for key in columns if not columns[key].strip()))
            )
        if columns.get("priority", PRIORITIES[0]) not in PRIORITIES:
            raise ManualError(
                "priority %(priority)r: write one of %(known)s",
                priority=columns["priority"],
                known=", ".join(PRIORITIES),
            )
        with self._store.transaction():
            ticket = self._ticket(ticket_id)
            columns = {name: value for name, value in columns.items() if getattr(ticket, name) != value}
            if "subject" in columns:
                ticket.metadata = {**ticket.metadata, "subject_by": by}
            for column, value in columns.items():
                changed = {"before": getattr(ticket, column), "after": value}
                rows.record(ticket, f"{column}_changed", now, changed, by)
                setattr(ticket, column, value)
            rows.save_ticket(ticket)

    def note(self, ticket_id: int, text: str, by: str, now: float) -> None:
        """Adds a note to a ticket's history. Raises ManualError."""
        if not text.strip():
            raise ManualError("the note is empty")
        with self._store.transaction():
            rows.record(self._ticket(ticket_id), "note", now, by=by, text=text)

    def _close(self, error: ErrorLog | None, tickets: list[Ticket], by: str, now: float, note: str) -> None:
        details: dict[str, Any] = {
            "quiet_since": now,
            "watched_seconds": 0.0,
            "seen_seconds": 0.0,
            "evidence": "manual",
            "chance": None,
            "corrections": len(rows.corrections(error.id)) if error else 0,
            "verified_by_tests": False,
            "resolution": "manual",
            "client_note": note,
        }
        self._tickets.apply(
            error, tickets, TicketEvent(EventType.RESOLVED, now), now,
            by=by, happened={"client_note": note}, details=details, resolution="manual",
        )  # fmt: skip

    def _error(self, error_id: int) -> ErrorLog:
        return locked_error(self._store, error_id)

    def _ticket(self, ticket_id: int) -> Ticket:
        return locked_ticket(self._store, ticket_id)
