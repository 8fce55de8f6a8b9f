"""Queries on what signatures mean beside their error. Called inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from peewee import fn

from tocsin.daemon.store.errors import Key, chunks
from tocsin.daemon.store.models import Signature, Ticket


def unpoint(key: Key) -> None:
    """Lets a signature mean no error any more."""
    Signature.delete().where(_is(key)).execute()


def provisional(keys: Collection[Key]) -> set[Key]:
    """Those of the signatures that mean their error only while it has an open ticket."""
    found: set[Key] = set()
    for chunk in chunks(sorted(keys)):
        query = Signature.select(Signature.service, Signature.environment, Signature.signature).where(
            Signature.signature.in_([key.signature for key in chunk]) & Signature.provisional
        )
        found.update(Key(*row) for row in query.tuples())
    return found


def has_counterpart(key: Key) -> bool:
    """Whether the older signature's error has a signature of the newer version that came from it."""
    query = Signature.select().where(
        (Signature.counterpart == key.older)
        & (Signature.service == key.service)
        & (Signature.environment == key.environment)
    )
    return bool(query.exists())


def note_alias(key: Key) -> None:
    """Remembers that the older signature's error is, under the newer version, another error's."""
    Signature.update({Signature.counterpart: key.signature}).where(_is(key.before)).execute()


def has_open_aliases() -> bool:
    """Whether an error that the newer version calls another's still has an open ticket."""
    return bool(
        Signature.select()
        .join(Ticket, on=(Ticket.error == Signature.error))
        .where(
            (fn.SUBSTR(Signature.signature, 1, 2) == "1:")
            & (Signature.counterpart != "")
            & (Ticket.status != "closed")
        )
        .exists()
    )


def end_provisional() -> None:
    """Lets what was one error under the older version only be several from now on."""
    Signature.delete().where(Signature.provisional).execute()


def _is(key: Key) -> Any:
    return (
        (Signature.service == key.service)
        & (Signature.environment == key.environment)
        & (Signature.signature == key.signature)
    )
