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
from tocsin.daemon.store import erasure
from tocsin.daemon.store import tickets as rows
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Client, Mail, Ticket

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
        tickets = erasure.tickets_of(client_id)
        if client is None and not tickets and not erasure.known(client_id):
            raise ForgetError(f"no client {client_id!r} is known; `tocsin clients list` names them")
        words = _words(client_id, client, tickets)
        erasure.delete_messages(tickets)
        erasure.delete_tokens(client_id)
        clients, mails = erasure.delete_client(client_id), _mails(client_id, words)
        # They stay, for the metrics, under a name that says nothing; nameless, two open ones could clash.
        erasure.rename_tickets(tickets, f"forgotten-{secrets.token_hex(4)}")
        erased = Erased(
            clients=clients,
            mails=mails,
            tickets=len(tickets),
            texts=_texts(words),
            samples=erasure.delete_samples(client_id),
            counts=erasure.release_counts(store, client_id),
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


def _texts(words: list[str]) -> int:
    changed = erasure.rewrite_texts(lambda text: _without(text, words))
    described = erasure.rewrite_details(lambda details: _blotted(details, "", words))
    return changed + sum(FORGOTTEN not in description for description in described)


def _mails(client_id: str, words: list[str]) -> int:
    """Mails to the client and of what it wrote go, sent or not; of the admins' others only what names the client."""

    def own(mail: Mail) -> bool:
        meant = mail.facts.get("client_id") == client_id or mail.recipient in words
        return bool(meant and (mail.audience == "client" or mail.kind == "message"))

    return erasure.erase_mails(own, lambda facts: _blotted(facts, client_id, words))


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
    return erasure.delete_quarantined(lambda body: any(needle in body for needle in needles))
