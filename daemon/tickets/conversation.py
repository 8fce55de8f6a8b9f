"""A ticket as a conversation: what client and team write to each other, and who of the team sees to it.

A message goes to the other side by mail. What the team notes for itself is `Manual.note`: no client reads it.
"""

from __future__ import annotations

from typing import Literal

from tocsin.daemon.config import Config
from tocsin.daemon.reason import Reason
from tocsin.daemon.store import tickets as rows
from tocsin.daemon.store.database import Store
from tocsin.daemon.tickets.manual import PRIORITIES, ManualError, UnknownNumber, locked_ticket
from tocsin.daemon.tickets.steps import MANUAL, NewTicket, Tickets
from tocsin.handler.capture.values import clean

TEXT_LIMIT = 20_000
"""Characters of one message."""
SUBJECT_LIMIT = 200
NAME_LIMIT = 200

Sender = Literal["client", "team"]


class Conversation:
    """What is written on the tickets of one database, each in one transaction."""

    def __init__(self, store: Store, config: Config) -> None:
        self._store = store
        self._tickets = Tickets(config)

    def write(self, ticket_id: int, text: str, by: str, now: float, *, sender: Sender = "team") -> int:
        """Keeps a message and queues the mail of it to the other side; returns its number. Raises ManualError.

        `by` is who wrote it: somebody of the team, or who of the client.
        """
        text = _checked(Reason("message"), text, TEXT_LIMIT)
        with self._store.transaction():
            ticket = locked_ticket(self._store, ticket_id)
            if sender == "team" and not ticket.client_id:
                raise ManualError(
                    "ticket %(ticket_id)s has no client who could read it; `tocsin ticket note` writes for the team",
                    ticket_id=ticket_id,
                )
            message = rows.add_message(ticket, sender, by, text, now)
            rows.record(ticket, "message", now, {"message": message.id, "sender": sender}, by)
            if sender == "team":
                self._tickets.tell_client(ticket, "message", now, {"text": text})
            else:
                self._tickets.tell_admins(ticket, "message", now, {"text": text})
        return int(message.id)

    def open_for_client(
        self, client_id: str, subject: str, text: str, by: str, now: float, *, priority: str | None = None
    ) -> int:
        """Opens the ticket that a client has written; returns its number. Raises ManualError.

        The client gets a mail that it has arrived, the admins one that it is there.
        """
        subject = " ".join(_checked(Reason("subject"), subject, SUBJECT_LIMIT).split())
        text = _checked(Reason("message"), text, TEXT_LIMIT)
        if priority is not None and priority not in PRIORITIES:
            raise ManualError(
                "priority %(priority)r: write one of %(known)s",
                priority=priority,
                known=", ".join(PRIORITIES),
            )
        with self._store.transaction():
            if rows.client(client_id) is None:
                raise UnknownNumber(
                    "no client %(client_id)r is known; `tocsin clients list` names them", client_id=client_id
                )
            new = NewTicket(
                None, client_id, subject, text, MANUAL, by, priority=priority or "medium", by_client=True
            )
            return int(self._tickets.open(new, now).id)

    def assign(self, ticket_id: int, name: str, by: str, now: float) -> None:
        """Says who sees to a ticket; '' for nobody. Nothing happens where it is so already. Raises ManualError."""
        name = person(name)
        with self._store.transaction():
            ticket = locked_ticket(self._store, ticket_id)
            if ticket.assignee != name:
                rows.record(ticket, "assigned", now, {"before": ticket.assignee, "after": name}, by)
                ticket.assignee = name
                rows.save_ticket(ticket)


def person(name: str) -> str:
    """A name as it is kept: one line. Raises ManualError."""
    name = " ".join(clean(name).split())
    if len(name) > NAME_LIMIT:
        raise ManualError(
            "the name has %(count)s characters; at most %(limit)s are kept", count=len(name), limit=NAME_LIMIT
        )
    return name


def _checked(what: Reason, text: str, limit: int) -> str:
    text = clean(text).strip()
    if not text:
        raise ManualError("the %(what)s is empty", what=what)
    if len(text) > limit:
        raise ManualError(
            "the %(what)s has %(count)s characters; at most %(limit)s are kept",
            what=what,
            count=len(text),
            limit=limit,
        )
    return text
