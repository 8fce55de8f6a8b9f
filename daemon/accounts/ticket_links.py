"""The links of mails to one ticket: signed, good for 90 days, revoked with the client or its address."""

from __future__ import annotations

import secrets

from itsdangerous import BadData, URLSafeTimedSerializer
from msgspec import Struct

from tocsin.daemon.store import accounts as rows
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Client, KeyValue, Ticket

DAYS = 90
_KEY = "ticket_link_key"


class TicketLink(Struct, frozen=True):
    """What a valid link permits: this client's one ticket. `ends_at` in epoch seconds."""

    ticket_id: int
    client_id: str
    email: str
    ends_at: float


def sign(ticket_id: int, client_id: str, email: str) -> str:
    """The text of a link to the ticket, for whoever reads the client's mail. In the caller's transaction."""
    key = rows.keep_value(_KEY, secrets.token_hex(32))
    return str(_serializer(key).dumps([ticket_id, client_id, email]))


def read(store: Store, text: str, now: float) -> TicketLink | None:
    """What the text permits at `now`; None when it is not ours, has ended or was revoked."""
    if len(text) > 1000:
        return None
    with store.reading():
        key = KeyValue.get_or_none(KeyValue.key == _KEY)
        try:
            known = _serializer(key.value if key else secrets.token_hex(32))
            (ticket_id, client_id, email), signed = known.loads(text, return_timestamp=True)
        except (BadData, ValueError, TypeError):
            return None
        signed_at = signed.timestamp()
        link = TicketLink(ticket_id, client_id, email, signed_at + DAYS * 86400)
        return link if now < link.ends_at and holds(link, signed_at) else None


def holds(link: TicketLink, since: float) -> bool:
    """Whether the ticket is still this client's, the address too, and no link of then was revoked."""
    client = Client.get_or_none(Client.id == link.client_id)
    ticket = Ticket.get_or_none(Ticket.id == link.ticket_id)
    return (
        client is not None
        and ticket is not None
        and ticket.client_id == client.id
        and client.email == link.email
        # A signature knows whole seconds.
        and (client.links_from is None or int(client.links_from) < since)
    )


def _serializer(key: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(key, salt="ticket")
