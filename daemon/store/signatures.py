"""Queries on what signatures mean beside their error. Called inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from peewee import fn

from tocsin.daemon.store.errors import Key, chunks, point
from tocsin.daemon.store.models import Signature, Ticket
from tocsin.daemon.store.split_models import Split


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


def has_version(version: str) -> bool:
    """Whether a signature of this version of the rule (`1:`) is known."""
    return bool(Signature.select().where(version_of(Signature.signature) == version).exists())


def version_of(signature: Any) -> Any:
    """`12:` of `12:0a9f...`, as a condition: the rest is hexadecimal digits."""
    return fn.RTRIM(signature, "0123456789abcdef")


def has_open_aliases() -> bool:
    """Whether an error that the newer version calls another's still has an open ticket."""
    return bool(
        Signature.select()
        .join(Ticket, on=(Ticket.error == Signature.error))
        .where(
            (version_of(Signature.signature) == "1:")
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


def splits() -> dict[Key, str]:
    """By what the events of these signatures are told apart."""
    query = Split.select(Split.service, Split.environment, Split.signature, Split.by)
    return {Key(*row[:3]): row[3] for row in query.tuples()}


def split(error_id: int, by: str, created_by: str, now: float) -> None:
    """Tells the events of all of an error's signatures apart from now on."""
    for known in Signature.select().where(Signature.error == error_id):
        identity = {"service": known.service, "environment": known.environment, "signature": known.signature}
        Split.delete().where((Split.service == known.service) & (Split.environment == known.environment)
                             & (Split.signature == known.signature)).execute()  # fmt: skip
        Split.create(**identity, by=by, created_by=created_by, created_at=now)


def keep_first(origin: Key, part: str) -> None:
    """Lets the first part after a split be the error itself, so that its tickets go on with that one."""
    known = Signature.get_or_none(_is(origin))
    parts = (Signature.service == origin.service) & (Signature.environment == origin.environment)
    if known is None or Signature.select().where(parts & (Signature.split_of == origin.signature)).exists():
        return
    point(origin._replace(signature=part), known.error, split_of=origin.signature)


def note_part(origin: Key, part: str) -> None:
    """Remembers what a part was split from."""
    Signature.update({Signature.split_of: origin.signature}).where(
        _is(origin._replace(signature=part)) & (Signature.split_of == "")
    ).execute()


def end_splits(error_id: int) -> None:
    """Ends the splits of an error of which every part is again the error."""
    for known in Signature.select().where(Signature.error == error_id):
        parts = (
            (Signature.service == known.service)
            & (Signature.environment == known.environment)
            & (Signature.split_of == known.signature)
        )
        if not Signature.select().where(parts & (Signature.error != error_id)).exists():
            Split.delete().where((Split.service == known.service) & (Split.environment == known.environment)
                                 & (Split.signature == known.signature)).execute()  # fmt: skip
