"""What was changed, named so that the wrong error, ticket or database is seen at once."""

from __future__ import annotations

from tocsin.daemon.cli.context import Context


def error_name(context: Context, error_id: int) -> str:
    """`shop: KeyError: 'sku'`, '' for an error that is not there."""
    return context.source.error_name(error_id)


def ticket_name(context: Context, ticket_id: int) -> str:
    """Its subject, behind the service of its error; '' for a ticket that is not there."""
    return context.source.ticket_name(ticket_id)
