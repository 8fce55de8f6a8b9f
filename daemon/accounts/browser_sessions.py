"""Browsers that have signed in: as a user, as a client by its own address, or for one ticket by a mailed link.

The cookie holds a random token, the database its hash: what is stored signs nobody in.
"""

from __future__ import annotations

from msgspec import Struct

from tocsin.daemon.accounts import random_token, ticket_links
from tocsin.daemon.accounts.ticket_links import TicketLink
from tocsin.daemon.store import accounts as rows
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import BrowserSession, Client, User

DAY = 86400.0
USER_DAYS = 14
CLIENT_DAYS = 30


class SignedIn(Struct, frozen=True):
    """Whom a session stands for, as true at this moment. `ticket_id`: for this one ticket only."""

    role: str
    name: str
    """For the history: the user's address, or the client's."""
    client_id: str | None = None
    ticket_id: int | None = None
    user_id: int | None = None
    language: str | None = None
    timezone: str | None = None


def begin_user(store: Store, user_id: int, now: float) -> str:
    """The token of a fresh session of a user."""
    return _begin(store, now, now + USER_DAYS * DAY, user=user_id)


def begin_client(store: Store, client_id: str, email: str, now: float) -> str:
    """The token of a fresh session of a client."""
    return _begin(store, now, now + CLIENT_DAYS * DAY, client_id=client_id, email=email)


def begin_ticket(store: Store, link: TicketLink, now: float) -> str:
    """The token of a fresh session for the one ticket of a mailed link; it ends with the link."""
    return _begin(
        store, now, link.ends_at, client_id=link.client_id, email=link.email, ticket_id=link.ticket_id
    )


def end(store: Store, token: str) -> None:
    """Ends a session."""
    with store.transaction():
        rows.end_session(random_token.hashed(token))


def who(store: Store, token: str, now: float) -> SignedIn | None:
    """Whom the token stands for; None when the session is over, the user disabled, the client's address new."""
    with store.reading():
        row = BrowserSession.get_or_none(BrowserSession.token_hash == random_token.hashed(token))
        if row is None or row.ends_at <= now:
            return None
        return _user(row.user_id) if row.user_id is not None else _client(row)


def _begin(store: Store, now: float, ends_at: float, **whose: object) -> str:
    token = random_token.new()
    with store.transaction():
        rows.begin_session(random_token.hashed(token), now, ends_at, **whose)
    return token


def _user(user_id: int) -> SignedIn | None:
    user = User.get_or_none(User.id == user_id)
    if user is None or user.disabled_at is not None:
        return None
    return SignedIn(user.role, user.email, user.client_id, None, user.id, user.language, user.timezone)


def _client(row: BrowserSession) -> SignedIn | None:
    client = Client.get_or_none(Client.id == row.client_id)
    if client is None or client.email != row.email:
        return None
    if row.ticket_id is not None:
        link = TicketLink(row.ticket_id, row.client_id, row.email, row.ends_at)
        if not ticket_links.holds(link, row.signed_in_at):
            return None
    return SignedIn("client", client.email, client.id, row.ticket_id, None, client.language, client.timezone)
