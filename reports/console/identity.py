"""Who sends a request: by the cookie of a session, by that of a ticket's link, or by a token."""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.daemon.accounts import browser_sessions, tokens
from tocsin.daemon.accounts.browser_sessions import SignedIn
from tocsin.daemon.store.database import Store
from tocsin.reports.console import cookies
from tocsin.reports.console.authorisation import NOBODY, Role, Who


def signed_in(store: Store, given: Mapping[str, str], https: bool, now: float) -> list[tuple[Who, str]]:
    """Those that this browser may speak as, each with the token of its session: the session's comes first."""
    found = []
    for name in (cookies.session_name(https), cookies.TICKET):
        token = given.get(name, "")
        someone = browser_sessions.who(store, token, now) if token else None
        if someone is not None and (name == cookies.TICKET) == (someone.ticket_id is not None):
            found.append((_who(someone), token))
    return found or [(NOBODY, given.get(cookies.VISIT, ""))]


def by_token(store: Store, headers: Mapping[str, str], now: float) -> Who:
    """Whom `Authorization: Bearer TOKEN` stands for."""
    kind, _, text = headers.get("authorization", "").partition(" ")
    found = tokens.bearer(store, text.strip(), now) if kind.lower() == "bearer" else None
    if found is None:
        return NOBODY
    return Who(Role.TOKEN, found.name, found.client_id, scopes=found.scopes)


def _who(someone: SignedIn) -> Who:
    return Who(
        Role(someone.role), someone.name, someone.client_id, someone.ticket_id, someone.user_id,
        language=someone.language, timezone=someone.timezone,
    )  # fmt: skip
