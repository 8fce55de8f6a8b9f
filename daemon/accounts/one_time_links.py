"""Links that let somebody in once: the first admin, a user who sets a password, a client that signs in.

Looking at one changes nothing: scanners of mails follow links. A button uses it up.
"""

from __future__ import annotations

from msgspec import Struct

from tocsin.daemon.accounts import random_token
from tocsin.daemon.store import accounts as rows
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import OneTimeLink

FIRST_ADMIN = "first_admin"
PASSWORD = "password"  # noqa: S105  (a purpose)
SIGN_IN = "sign_in"
ENDS_AFTER = {FIRST_ADMIN: 15 * 60.0, PASSWORD: 24 * 3600.0, SIGN_IN: 30 * 60.0}
"""Seconds, by purpose."""


class Link(Struct, frozen=True):
    """A link that can still be used."""

    purpose: str
    user_id: int | None
    client_id: str | None
    email: str


def make(
    store: Store,
    purpose: str,
    now: float,
    *,
    user_id: int | None = None,
    client_id: str | None = None,
    email: str = "",
) -> str:
    """The token of a new link. A password's or a first admin's takes the place of the one before."""
    token = random_token.new()
    with store.transaction():
        if purpose != SIGN_IN:
            rows.drop_links(user_id, purpose)
        rows.add_link(
            random_token.hashed(token), purpose, now + ENDS_AFTER[purpose],
            user=user_id, client_id=client_id, email=email,
        )  # fmt: skip
    return token


def look(store: Store, token: str, now: float) -> Link | None:
    """The link of a token, None when it has been used, has ended or never was. Changes nothing."""
    with store.reading():
        row = OneTimeLink.get_or_none(OneTimeLink.token_hash == random_token.hashed(token))
    if row is None or row.ends_at <= now:
        return None
    return Link(row.purpose, row.user_id, row.client_id, row.email)


def use(store: Store, token: str, now: float) -> Link | None:
    """Uses a link up, inside the caller's transaction with what it permits; None when it cannot be used."""
    link = look(store, token, now)
    return link if link is not None and rows.use_link(random_token.hashed(token)) else None
