"""Queries that write users, one-time links and browser sessions. Called inside the caller's transaction."""

from __future__ import annotations

from typing import Any

from tocsin.daemon.store.models import BrowserSession, Client, KeyValue, OneTimeLink, User


def add_user(values: dict[str, Any]) -> User:
    return User.create(**values)


def set_user(user_id: int, **columns: Any) -> None:
    """Sets columns of a user."""
    User.update(**columns).where(User.id == user_id).execute()


def add_link(token_hash: str, purpose: str, ends_at: float, **whose: Any) -> None:
    OneTimeLink.create(token_hash=token_hash, purpose=purpose, ends_at=ends_at, **whose)


def use_link(token_hash: str) -> bool:
    """Takes a link away; False when somebody has used it meanwhile."""
    return bool(OneTimeLink.delete().where(OneTimeLink.token_hash == token_hash).execute())


def drop_links(user_id: int | None, purpose: str) -> None:
    """Takes away the unused links of a user (None: those that are nobody's) for one purpose."""
    whose = OneTimeLink.user.is_null() if user_id is None else (OneTimeLink.user == user_id)
    OneTimeLink.delete().where(whose, OneTimeLink.purpose == purpose).execute()


def begin_session(token_hash: str, now: float, ends_at: float, **whose: Any) -> None:
    """Notes a browser's session, and forgets those that are over."""
    BrowserSession.delete().where(BrowserSession.ends_at <= now).execute()
    OneTimeLink.delete().where(OneTimeLink.ends_at <= now).execute()
    BrowserSession.create(token_hash=token_hash, signed_in_at=now, ends_at=ends_at, **whose)


def end_session(token_hash: str) -> None:
    BrowserSession.delete().where(BrowserSession.token_hash == token_hash).execute()


def end_sessions_of(user_id: int) -> None:
    """Signs a user out everywhere."""
    BrowserSession.delete().where(BrowserSession.user == user_id).execute()


def revoke_links(client_id: str, now: float) -> None:
    """Ends what was mailed to a client: links to its tickets, and its browsers' sessions."""
    Client.update(links_from=now).where(Client.id == client_id).execute()
    BrowserSession.delete().where(BrowserSession.client_id == client_id).execute()
    OneTimeLink.delete().where(OneTimeLink.client_id == client_id).execute()


def keep_value(key: str, value: str) -> str:
    """The value under this key; the one given when there is none yet."""
    KeyValue.insert(key=key, value=value).on_conflict_ignore().execute()
    return str(KeyValue.get_by_id(key).value)
