"""Carries out the life-cycle's steps: ticket, history, watch and outbox rows, in the caller's transaction.

Decides nothing: `lifecycle` says what follows, the callers (digest, watch, corrections, commands) say what
became known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from tocsin.daemon.config import Config
from tocsin.daemon.grouping.last_frames import last_frames
from tocsin.daemon.store import errors, outbox
from tocsin.daemon.store import tickets as rows
from tocsin.daemon.store.models import Client, ErrorLog, Ticket
from tocsin.daemon.ticket_wording import Facts
from tocsin.daemon.tickets import addresses, admin, lifecycle
from tocsin.daemon.tickets.lifecycle import Action, EventType, State, Step, TicketEvent

FRAMES_MAILED = 3
"""Calls of the application's own code that an admin's mail shows."""
AUTOMATIC = "auto_detection"
MANUAL = "manual"
DUPLICATE = "duplicate"
"""Resolution of a ticket that was closed because another one of its client means the same error."""


class NewTicket(Struct, frozen=True):
    """A ticket to be opened: for an error, for a client, or for neither."""

    error: ErrorLog | None = None
    client_id: str | None = None
    subject: str = ""
    """The error's title where empty; likewise `message`."""
    message: str = ""
    source: str = AUTOMATIC
    by: str = "system"
    priority: str | None = None
    """The configured one where None; likewise `category`."""
    category: str | None = None
    by_client: bool = False
    """The client wrote it itself: its mail confirms that, and the admins' says so."""
    folded: int | None = None
    """The first error that it stands for beside its own."""
    details: dict[str, Any] = {}
    """What its mails say beside; `unknown_clients` also stands in the history."""


class Tickets:
    """The tickets of one database, under one configuration."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def open(self, new: NewTicket, now: float, *, notify_admin: bool = True) -> Ticket:
        """Opens a ticket. The caller has made sure that there is no open one for this error and client."""
        error = new.error
        client = rows.remember_client(new.client_id) if new.client_id else None
        ticket = rows.add_ticket(
            client_id=new.client_id,
            client_email=client.email if client else None,
            subject=new.subject or (error.title if error else ""),
            message=new.message or (error.message if error else ""),
            priority=new.priority or self._config.tickets.priority,
            category=new.category or self._config.tickets.category,
            error_signature=error.signature if error else None,
            error=error,
            source=new.source,
            status=State.OPEN.value,
            created_at=now,
            metadata={"service": error.service, "environment": error.environment} if error else {},
        )
        step = lifecycle.step(None, TicketEvent(EventType.CREATED, now))
        created = {
            "ticket": ticket.id,
            "error": error.id if error else None,
            "service": error.service if error else "",
            "client": new.client_id,
            "folded": new.folded,
            "strangers": new.details.get("unknown_clients", []),
            "by_client": new.by_client,
        }
        rows.record(ticket, EventType.CREATED, now, created, new.by)
        if error is not None:
            rows.restart_watch(error, now)
            errors.unresolve(error)
        if new.by_client:
            self.tell_client(ticket, "received", now, {})
            self.tell_admins(ticket, "detection", now, {"by_client": True})
        else:
            self._mail(step, error, ticket, client, now, new.details, notify_admin=notify_admin)
        return ticket

    def tell_client(self, ticket: Ticket, mail: str, now: float, details: dict[str, Any]) -> None:
        """Queues a mail to the ticket's client that no step of its life asks for."""
        client = rows.client(ticket.client_id) if ticket.client_id else None
        step = Step(State(ticket.status), (Action.MAIL_CLIENT,), mail)
        self._mail(step, ticket.error, ticket, client, now, details, notify_admin=False)

    def tell_admins(self, ticket: Ticket, event: str, now: float, details: dict[str, Any]) -> None:
        """Queues mails to the admins, and messages to the channels that want such an `event`."""
        client = rows.client(ticket.client_id) if ticket.client_id else None
        step = Step(State(ticket.status), (Action.MAIL_ADMIN,), event)
        self._mail(step, ticket.error, ticket, client, now, details, notify_admin=True)

    def apply(
        self,
        error: ErrorLog | None,
        tickets: Sequence[Ticket],
        fact: TicketEvent,
        now: float,
        *,
        by: str = "system",
        happened: Facts | None = None,
        text: str = "",
        details: dict[str, Any] | None = None,
        resolution: str | None = None,
    ) -> None:
        """Takes the error's tickets through the step `fact` makes; the admins are notified once for all of them.

        `happened` are the facts of the history row, `text` what somebody wrote instead. `details` goes into the
        mails; with a closing it is kept in the ticket's metadata as its evidence.
        Raises LifecycleError, before anything is written, when a ticket cannot take the fact.
        """
        steps = [lifecycle.step(State(ticket.status), fact) for ticket in tickets]
        if error is not None and steps and all(step.actions == (Action.WATCH,) for step in steps):
            rows.restart_watch(error, fact.at)
            return
        details = {"quiet_since": fact.at, **(details or {})}
        for ticket, step in zip(tickets, steps, strict=True):
            self._carry_out(ticket, step, fact, now, by, happened, text, details, resolution)
            if error is not None and Action.WATCH in step.actions:
                rows.restart_watch(error, fact.at)
        if error is not None:
            self._settle(error, steps, fact, now)
        notified = False
        for ticket, step in zip(tickets, steps, strict=True):
            client = rows.client(ticket.client_id) if ticket.client_id else None
            self._mail(step, error, ticket, client, now, details, notify_admin=not notified)
            notified = notified or Action.MAIL_ADMIN in step.actions

    def _carry_out(
        self,
        ticket: Ticket,
        step: Step,
        fact: TicketEvent,
        now: float,
        by: str,
        happened: Facts | None,
        text: str,
        details: dict[str, Any],
        resolution: str | None,
    ) -> None:
        before = ticket.status
        ticket.status = step.state.value
        if Action.CLOSE in step.actions:
            ticket.closed_at = now
            ticket.resolution = resolution
            ticket.metadata = {
                **ticket.metadata,
                "watch": details,
                "auto_closed": fact.kind is EventType.QUIET,
            }
        if Action.REOPEN in step.actions:
            ticket.closed_at = ticket.resolution = None
            ticket.metadata = {k: v for k, v in ticket.metadata.items() if k != "auto_closed"}
        if Action.RECORD in step.actions:
            action = EventType.REOPENED if Action.REOPEN in step.actions else fact.kind
            rows.record(ticket, action, now, happened, by, text)
        if ticket.status != before:
            changed = {"before": before, "after": ticket.status}
            rows.record(ticket, "status_changed", now, changed, by)
        rows.save_ticket(ticket)

    def _settle(self, error: ErrorLog, steps: Sequence[Step], fact: TicketEvent, now: float) -> None:
        """An error is resolved when its last ticket closes, and unresolved when one is reopened."""
        if any(Action.REOPEN in step.actions for step in steps):
            errors.unresolve(error)
        if any(Action.CLOSE in step.actions for step in steps) and not _open_tickets(error):
            errors.resolve(error, now)
            rows.end_watch(error)
        if fact.kind is EventType.CORRECTED:
            rows.note_reappeared(
                error, None
            )  # What comes after a correction is news, however short after another.
        if fact.kind is EventType.REAPPEARED and any(Action.RECORD in step.actions for step in steps):
            rows.note_reappeared(error, fact.at)

    def _mail(
        self,
        step: Step,
        error: ErrorLog | None,
        ticket: Ticket,
        client: Client | None,
        now: float,
        details: dict[str, Any],
        *,
        notify_admin: bool,
    ) -> None:
        mail = self._config.mail
        facts = {**_facts(error, ticket, client, self._config), **details}
        if Action.MAIL_CLIENT in step.actions and client is not None and not client.email:
            self._client_not_notified(error, ticket, client, now, facts)
        if Action.MAIL_CLIENT in step.actions and client is not None and client.email:
            outbox.queue(
                step.mail,
                audience="client",
                recipient=client.email,
                language=client.language or mail.language,
                ticket_id=ticket.id,
                facts={
                    **facts,
                    **_seen_by(client, error),
                    "ticket_url": addresses.clients_ticket(self._config, client, ticket.id),
                },
                now=now,
                # What a person wrote to the client needs nobody's approval.
                held=mail.client == "review" and step.mail != "message",
                gather=self._gather(step, ticket),
            )
        if Action.MAIL_ADMIN in step.actions and notify_admin:
            facts |= {"frames": _last_frames(error)}
            admin.notify(
                self._config,
                step.mail,
                {**facts, "ticket_url": addresses.ticket(self._config, ticket.id)},
                now,
                ticket.id,
            )

    def _gather(self, step: Step, ticket: Ticket) -> float:
        """Seconds in which a client's detections wait for each other; 0 where this one waits for none."""
        waits_for_none = step.mail != "detection" or ticket.source != AUTOMATIC
        gather = self._config.mail.gather
        return 0.0 if waits_for_none or gather < 1.0 else gather

    def _client_not_notified(
        self, error: ErrorLog | None, ticket: Ticket, client: Client, now: float, facts: dict[str, Any]
    ) -> None:
        """Nobody knows the client's address: its ticket says so, and the mail the admins get."""
        rows.record(ticket, "client_not_told", now, {"client": client.name or client.id})
        facts["untold"] = [client.name or client.id]
        if error is not None:
            outbox.note_not_notified(error.id, client.name or client.id, now)


def _open_tickets(error: ErrorLog) -> int:
    return int(Ticket.select().where((Ticket.error == error) & (Ticket.status != State.CLOSED.value)).count())


def _last_frames(error: ErrorLog | None) -> list[list[str]]:
    """Location, function and source line of the last calls of the application's own code, for the admins alone."""
    sample = errors.newest_sample(error.id) if error is not None else None
    return (
        []
        if sample is None
        else [list(call) for call in last_frames(sample.event, sample.places, FRAMES_MAILED)]
    )


def _seen_by(client: Client, error: ErrorLog | None) -> dict[str, Any]:
    """What is the client's own: how often and when it met the error, its time zone."""
    own: dict[str, Any] = {"timezone": client.timezone}
    if error is not None:
        count, first, last = errors.seen_by_client(error.id, client.id)
        own |= {"occurrences": count, "first_seen": first, "last_seen": last}
    return own


def _facts(error: ErrorLog | None, ticket: Ticket, client: Client | None, config: Config) -> dict[str, Any]:
    """What every mail may say, as known now."""
    threshold, window = config.threshold(error.service if error else "")
    return {
        "ticket_id": ticket.id,
        "error_id": error.id if error else None,
        "service": error.service if error else "",
        "environment": error.environment if error else "",
        "service_kind": config.service_named(error.service).kind if error else "",
        "manual": ticket.source == MANUAL,
        "subject": ticket.subject if ticket.source == MANUAL or "subject_by" in ticket.metadata else "",
        "client_text": error.client_text if error else "",
        "title": error.title if error and ticket.source != MANUAL else ticket.subject,
        "message": error.message if error and ticket.source != MANUAL else ticket.message,
        "source": error.source if error else "",
        "line": error.line if error else 0,
        "function": error.function if error else "",
        "occurrences": error.occurrences if error else 0,
        "first_seen": error.first_seen if error else ticket.created_at,
        "last_seen": error.last_seen if error else ticket.created_at,
        "client_id": ticket.client_id,
        "client_name": client.name if client else None,
        "threshold": threshold,
        "window": float(window),
        "watch_seconds": float(config.watch.duration),
        "priority": ticket.priority,
        "created_at": ticket.created_at,
    }
