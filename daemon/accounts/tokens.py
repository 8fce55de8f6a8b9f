"""Tokens of scripts and agents: shown once, kept as a hash, good for what they name and until they end."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from peewee import IntegrityError

from tocsin.daemon.accounts import random_token
from tocsin.daemon.failure import Failed, Meanwhile, NotThere
from tocsin.daemon.store import tokens as rows
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Client
from tocsin.daemon.store.tokens import Token

SCOPES = ("read", "correct", "act", "send")
"""`read`; `correct`: corrections, claims, notes, results of validations; `act`: what an admin's buttons do;
`send`: deployments, and what other senders report."""
PREFIX = "tocsin_"
"""What a token begins with, so that one that was published by mistake is found."""
NAME_LIMIT = 100
DAY = 86400.0
NOTED_EVERY = 60.0
"""Seconds between two notes of when a token was used."""


class TokenError(Failed):
    """A token cannot be made so; the text says why."""


class TokenTaken(TokenError, Meanwhile):
    """There is one of that name."""


class UnknownToken(TokenError, NotThere):
    """There is none of that name."""


class Bearer(Struct, frozen=True):
    """Whom a token stands for, and what it may do."""

    id: int
    name: str
    scopes: frozenset[str]
    client_id: str | None


def add(
    store: Store,
    name: str,
    scopes: Sequence[str],
    by: str,
    now: float,
    *,
    client_id: str | None = None,
    days: int | None = None,
) -> str:
    """Makes a token and returns it: nobody can read it again. Raises TokenError."""
    name = name.strip()
    if not name or len(name) > NAME_LIMIT or not name.isprintable():
        raise TokenError(f"name {name[:NAME_LIMIT]!r}: write 1 to {NAME_LIMIT} printable characters")
    if unknown := sorted(set(scopes) - set(SCOPES)):
        raise TokenError(f"scope {unknown[0]!r}: write one of {', '.join(SCOPES)}")
    if not scopes:
        raise TokenError(f"a token without a scope can do nothing; give --scope {SCOPES[0]}")
    token = PREFIX + random_token.new()
    try:
        with store.transaction():
            if client_id is not None and Client.get_or_none(Client.id == client_id) is None:
                raise TokenError(f"no client {client_id!r} is known; `tocsin clients list` names them")
            rows.add(
                name=name,
                token_hash=random_token.hashed(token),
                scopes=[scope for scope in SCOPES if scope in scopes],
                client_id=client_id,
                created_by=by,
                created_at=now,
                ends_at=None if days is None else now + days * DAY,
            )
    except IntegrityError:
        raise TokenTaken(f"a token {name!r} is there, or was; choose another name") from None
    return token


def revoke(store: Store, name: str, now: float) -> None:
    """Ends a token at once. Raises TokenError."""
    with store.transaction():
        token = Token.get_or_none(Token.name == name)
        if token is None:
            raise UnknownToken(f"there is no token {name!r}; `tocsin tokens list` names them")
        if token.revoked_at is not None:
            raise TokenTaken(f"token {name!r} is revoked already")
        rows.revoke(token, now)


def bearer(store: Store, text: str, now: float) -> Bearer | None:
    """Whom this token stands for now, None when it is not known, revoked or over; notes that it was used."""
    if not text.startswith(PREFIX):
        return None
    with store.reading():
        token = Token.get_or_none(Token.token_hash == random_token.hashed(text))
    if token is None or token.revoked_at is not None or (token.ends_at is not None and token.ends_at <= now):
        return None
    if token.used_at is None or now - token.used_at >= NOTED_EVERY:
        with store.transaction():
            rows.note_use(token, now)
    return Bearer(token.id, token.name, frozenset(token.scopes), token.client_id)
