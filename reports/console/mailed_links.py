"""Links by mail: a client signs in by one, a user who forgot its password sets a new one."""

from __future__ import annotations

from tocsin.daemon.accounts import one_time_links, users
from tocsin.daemon.accounts.one_time_links import ENDS_AFTER, PASSWORD, SIGN_IN
from tocsin.daemon.store import outbox
from tocsin.daemon.store.models import Client
from tocsin.reports.console.site import Site


def send(site: Site, email: str, language: str, now: float) -> None:
    """Queues a link for whoever has this address, as a user or as a client; nothing for a stranger."""
    email = email.strip()
    if site.mailed_links.wait(email.lower(), now):
        return
    site.mailed_links.count(email.lower(), now)
    user = users.by_email(site.store, email)
    if user is not None:
        purpose = PASSWORD if user.role == users.ADMIN or user.password_hash else SIGN_IN
        token = one_time_links.make(site.store, purpose, now, user_id=user.id, email=user.email)
        _queue(site, purpose, token, user.email, user.language or language, user.role, now)
        return
    for client in _clients(site, email):
        token = one_time_links.make(site.store, SIGN_IN, now, client_id=client.id, email=client.email)
        _queue(site, SIGN_IN, token, client.email, client.language or language, "client", now)


def invite(site: Site, user_id: int, language: str, now: float) -> str:
    """The address of a link by which a user sets its password; it is mailed too."""
    token = users.link(site.store, user_id, now)
    user = users.known(site.store, user_id)
    _queue(site, PASSWORD, token, user.email, user.language or language, user.role, now)
    return f"{site.address}/one-time/{token}"


def _clients(site: Site, email: str) -> list[Client]:
    """Those that are mailed at this address."""
    with site.store.reading():
        return [
            one
            for one in Client.select().where(Client.email.is_null(False))
            if one.email.lower() == email.lower()
        ]


def _queue(site: Site, purpose: str, token: str, email: str, language: str, role: str, now: float) -> None:
    facts = {"url": f"{site.address}/one-time/{token}", "purpose": purpose, "lasts": ENDS_AFTER[purpose]}
    with site.store.transaction():
        outbox.queue(
            "access", audience="admin" if role == users.ADMIN else "client", recipient=email, language=language,
            ticket_id=None, facts=facts, now=now,
        )  # fmt: skip
