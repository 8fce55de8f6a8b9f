"""What was changed, named so that the wrong error, ticket or database is seen at once."""

from __future__ import annotations

from tocsin.daemon import queries
from tocsin.daemon.cli.context import Context


def error_name(context: Context, error_id: int) -> str:
    """`shop: KeyError: 'sku'`, '' for an error that is not there."""
    found = queries.errors(context.store, error_ids=[error_id], merged=True)
    return f"{found[0].service}: {found[0].title}" if found else ""


def ticket_name(context: Context, ticket_id: int) -> str:
    """Its subject, behind the service of its error; '' for a ticket that is not there."""
    found = queries.tickets(context.store, ticket_ids=[ticket_id])
    return ": ".join(filter(None, (found[0].service, found[0].subject))) if found else ""
