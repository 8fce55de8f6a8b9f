"""Where a mail's reader finds what it tells of: on the console where it has an address, else among the files."""

from __future__ import annotations

from tocsin.daemon.accounts import ticket_links
from tocsin.daemon.config import Config
from tocsin.daemon.store.models import Client


def ticket(config: Config, ticket_id: int) -> str | None:
    """A ticket's page for admins; None where no page has an address."""
    return _page(config, f"tickets/{ticket_id}")


def error(config: Config, error_id: int) -> str | None:
    """An error's page."""
    return _page(config, f"errors/{error_id}")


def metrics(config: Config) -> str | None:
    """The page of the numbers."""
    return _page(config, "metrics")


def clients_ticket(config: Config, client: Client, ticket_id: int) -> str | None:
    """A ticket's page for its client: on the console through a signed link. In the caller's transaction."""
    if config.console.url and client.email:
        return (
            f"{config.console.url.rstrip('/')}/link/{ticket_links.sign(ticket_id, client.id, client.email)}"
        )
    base = config.report.url
    return f"{base.rstrip('/')}/clients/{client.folder}/tickets/{ticket_id}.html" if base else None


def _page(config: Config, name: str) -> str | None:
    if config.console.url:
        return f"{config.console.url.rstrip('/')}/{name}"
    return f"{config.report.url.rstrip('/')}/admin/{name}.html" if config.report.url else None
