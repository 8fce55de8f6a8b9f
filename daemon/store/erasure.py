"""Queries that erase a client, table by table. Called inside the caller's transaction; it says what texts become."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tocsin.daemon.store import errors
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import (
    BrowserSession,
    Client,
    ErrorHistory,
    ErrorLog,
    History,
    HourCount,
    Mail,
    Message,
    OneTimeLink,
    Quarantined,
    Sample,
    Ticket,
    User,
)
from tocsin.daemon.store.tokens import Token

_TEXTS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (Ticket, ("subject", "message", "resolution")),
    (History, ("description", "created_by")),
    (ErrorHistory, ("description", "created_by")),
    (ErrorLog, ("title", "message", "client_text")),
)
"""Columns that may name a client in words."""


def known(client_id: str) -> bool:
    """Whether occurrences are counted for this client."""
    return bool(HourCount.select().where(HourCount.client_id == client_id).exists())


def tickets_of(client_id: str) -> list[Ticket]:
    """The client's tickets."""
    return list(Ticket.select().where(Ticket.client_id == client_id))


def delete_client(client_id: str) -> int:
    """Deletes the client's row, with all that signs in for it; returns how many clients there were."""
    users = User.select(User.id).where(User.client_id == client_id)
    for table in (BrowserSession, OneTimeLink):
        table.delete().where((table.client_id == client_id) | table.user.in_(users)).execute()
    User.delete().where(User.client_id == client_id).execute()
    return int(Client.delete().where(Client.id == client_id).execute())


def delete_messages(tickets: Iterable[Ticket]) -> int:
    """Deletes the conversations on the tickets; returns how many messages there were."""
    ids = [ticket.id for ticket in tickets]
    return int(Message.delete().where(Message.ticket.in_(ids)).execute())


def delete_tokens(client_id: str) -> int:
    """Deletes the tokens that see the client's tickets; returns how many there were."""
    return int(Token.delete().where(Token.client_id == client_id).execute())


def rename_tickets(tickets: Iterable[Ticket], name: str) -> None:
    """Gives the tickets to a client of this name, without an address and without the logged text."""
    for ticket in tickets:
        ticket.client_id = name
        ticket.client_email = None
        if ticket.error is not None:
            # The logged text is one of this client's events; the title is masked.
            ticket.message = ticket.error.title
        ticket.save()


def rewrite_texts(rewritten: Callable[[str], str]) -> int:
    """Puts what `rewritten` makes of a text in its place; returns how many rows changed."""
    changed = 0
    for table, columns in _TEXTS:
        for row in table.select():
            before = {column: getattr(row, column) for column in columns}
            after = {column: text and rewritten(text) for column, text in before.items()}
            if after != before:
                table.update(after).where(table.id == row.id).execute()
                changed += 1
    return changed


def rewrite_details(rewritten: Callable[[Any], Any]) -> list[str]:
    """Does so with the facts of history rows; returns the descriptions of those that changed."""
    changed = []
    for entry in History.select():
        details = rewritten(entry.details)
        if details != entry.details:
            History.update(details=details).where(History.id == entry.id).execute()
            changed.append(entry.description)
    return changed


def delete_samples(client_id: str) -> int:
    """Deletes the client's full events, and each error is told how many it has left."""
    of_client = Sample.client_id == client_id
    ids = [row.error_id for row in Sample.select(Sample.error).where(of_client).distinct()]
    gone = int(Sample.delete().where(of_client).execute())
    for error_id in ids:
        left = Sample.select().where(Sample.error == error_id).count()
        ErrorLog.update(samples=left).where(ErrorLog.id == error_id).execute()
    return gone


def release_counts(store: Store, client_id: str) -> int:
    """Adds the client's counts to those without a client, so that every sum stays what it was."""
    found = list(HourCount.select().where(HourCount.client_id == client_id))
    errors.add_counts(store, [(row.error_id, "", row.hour, row.count) for row in found])
    HourCount.delete().where(HourCount.client_id == client_id).execute()
    for error in ErrorLog.select().where(ErrorLog.recent.is_null(False)):
        recent = [[at, "" if client == client_id else client] for at, client in error.recent]
        if recent != error.recent:
            ErrorLog.update(recent=recent).where(ErrorLog.id == error.id).execute()
    return len(found)


def erase_mails(deleted: Callable[[Mail], bool], rewritten: Callable[[Any], Any]) -> int:
    """Deletes mails, and of the others puts in place what `rewritten` makes of the facts; returns how many."""
    touched = 0
    for mail in Mail.select():
        facts = None if deleted(mail) else rewritten(mail.facts)
        if facts is None:
            touched += int(Mail.delete().where(Mail.id == mail.id).execute())
        elif facts != mail.facts:
            Mail.update(facts=facts).where(Mail.id == mail.id).execute()
            touched += 1
    return touched


def delete_quarantined(holds: Callable[[bytes], bool]) -> int:
    """Deletes the quarantined records whose bytes are such; returns how many."""
    ids = [row.id for row in Quarantined.select() if holds(bytes(row.body))]
    return int(Quarantined.delete().where(Quarantined.id.in_(ids)).execute()) if ids else 0
