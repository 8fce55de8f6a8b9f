"""Erases a client: what names it, what it was told, and what its users met. The counts stay, as nobody's."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from msgspec import Struct

from tocsin.daemon.config import Config
from tocsin.daemon.failure import Failed
from tocsin.daemon.store import errors
from tocsin.daemon.store import tickets as rows
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import (
    Client,
    ErrorLog,
    History,
    HourCount,
    Mail,
    Quarantined,
    Sample,
    Ticket,
)

FORGOTTEN = "[forgotten]"
SHORTEST = 3
"""Characters of a name or id below which it is not looked for in texts: it would be found in every word."""
_NAMED = ("client_id", "client_name", "client_email")


class ForgetError(Failed):
    """Nothing was erased; the text says why and what to do."""


class Erased(Struct, frozen=True):
    """How many of each were erased or made nobody's."""

    clients: int
    tickets: int
    texts: int
    """Texts of other rows in which the client's name, id or address was blotted out."""
    samples: int
    counts: int
    mails: int
    quarantined: int
    folders: int


def forget(store: Store, config: Config, client_id: str) -> Erased:
    """Erases the client in one transaction, then its pages.

    Raises ForgetError when it is unknown, or declared.
    """
    if any(client.id == client_id for client in config.client) or any(
        service.client == client_id for service in config.service
    ):
        raise ForgetError(
            f"client {client_id!r} stands in the configuration and would come back: "
            "take it out and restart the daemon"
        )
    with store.transaction():
        client = rows.client(client_id)
        tickets = list(Ticket.select().where(Ticket.client_id == client_id))
        known = HourCount.select().where(HourCount.client_id == client_id).exists()
        if client is None and not tickets and not known:
            raise ForgetError(f"no client {client_id!r} is known; `tocsin clients list` names them")
        words = _words(client_id, client, tickets)
        erased = Erased(
            clients=Client.delete().where(Client.id == client_id).execute(),
            mails=_mails(client_id, words),
            tickets=_tickets(tickets),
            texts=_texts(words),
            samples=_samples(client_id),
            counts=_counts(store, client_id),
            quarantined=_quarantined(words),
            folders=int(client is not None),
        )
    if client is not None:
        shutil.rmtree(_folder(config.report_dir, client.folder), ignore_errors=True)
    return erased


def _folder(report_dir: Path, name: str) -> Path:
    return report_dir / "clients" / Path(name).name


def _words(client_id: str, client: Client | None, tickets: Iterable[Ticket]) -> list[str]:
    """What gives the client away in a text, longest first."""
    found = {client_id, *(ticket.client_email for ticket in tickets)}
    if client is not None:
        found |= {client.name, client.email}
    return sorted((word for word in found if word and len(word) >= SHORTEST), key=len, reverse=True)


def _without(text: str, words: list[str]) -> str:
    for word in words:
        text = text.replace(word, FORGOTTEN)
    return text


def _tickets(tickets: list[Ticket]) -> int:
    """They stay, for the metrics, under a name that says nothing; nameless, two open ones could clash."""
    nobody = f"forgotten-{secrets.token_hex(4)}"
    for ticket in tickets:
        ticket.client_id = nobody
        ticket.client_email = None
        if ticket.error is not None:
            # The logged text is one of this client's events; the title is masked.
            ticket.message = ticket.error.title
        ticket.save()
    return len(tickets)


def _texts(words: list[str]) -> int:
    changed = 0
    for table, columns in (
        (Ticket, ("subject", "message", "resolution")),
        (History, ("description",)),
        (ErrorLog, ("title", "message")),
    ):
        for row in table.select():
            before = {column: getattr(row, column) for column in columns}
            after = {column: text and _without(text, words) for column, text in before.items()}
            if after != before:
                table.update(after).where(table.id == row.id).execute()
                changed += 1
    for entry in History.select():
        blotted = _blotted(entry.details, "", words)
        if blotted != entry.details:
            History.update(details=blotted).where(History.id == entry.id).execute()
            changed += int(FORGOTTEN not in entry.description)
    return changed


def _samples(client_id: str) -> int:
    """The client's full events go; each error is told how many it has left."""
    ids = [
        row.error_id for row in Sample.select(Sample.error).where(Sample.client_id == client_id).distinct()
    ]
    gone = int(Sample.delete().where(Sample.client_id == client_id).execute())
    for error_id in ids:
        left = Sample.select().where(Sample.error == error_id).count()
        ErrorLog.update(samples=left).where(ErrorLog.id == error_id).execute()
    return gone


def _counts(store: Store, client_id: str) -> int:
    """Added to those without a client, so that every sum stays what it was."""
    found = list(HourCount.select().where(HourCount.client_id == client_id))
    errors.add_counts(store, [(row.error_id, "", row.hour, row.count) for row in found])
    HourCount.delete().where(HourCount.client_id == client_id).execute()
    for error in ErrorLog.select().where(ErrorLog.recent.is_null(False)):
        recent = [[at, "" if client == client_id else client] for at, client in error.recent]
        if recent != error.recent:
            ErrorLog.update(recent=recent).where(ErrorLog.id == error.id).execute()
    return len(found)


def _mails(client_id: str, words: list[str]) -> int:
    """Mails to the client go, sent or not; of the admins' mails only what names the client."""
    gone = 0
    for mail in Mail.select():
        own = mail.facts.get("client_id") == client_id or mail.recipient in words
        if own and mail.audience == "client":
            gone += int(Mail.delete().where(Mail.id == mail.id).execute())
            continue
        facts = _blotted(mail.facts, client_id, words)
        if facts != mail.facts:
            Mail.update(facts=facts).where(Mail.id == mail.id).execute()
            gone += 1
    return gone


def _blotted(value: Any, client_id: str, words: list[str]) -> Any:
    if isinstance(value, str):
        return _without(value, words)
    if isinstance(value, list):
        return [_blotted(one, client_id, words) for one in value]
    if isinstance(value, dict):
        own = value.get("client_id") == client_id
        return {
            key: None if own and key in _NAMED else _blotted(one, client_id, words)
            for key, one in value.items()
        }
    return value


def _quarantined(words: list[str]) -> int:
    """Records nobody could read: those in which the client's name stands."""
    needles = [word.encode() for word in words]
    ids = [row.id for row in Quarantined.select() if any(needle in bytes(row.body) for needle in needles)]
    return int(Quarantined.delete().where(Quarantined.id.in_(ids)).execute()) if ids else 0
