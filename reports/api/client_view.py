"""What a token that is limited to one client reads of its tickets: what the client's own page shows, in its words.

Nothing of the error behind a ticket, nothing of the team's own, no mail but its own.
"""

from __future__ import annotations

from msgspec import structs

from tocsin.daemon.config import Config
from tocsin.daemon.queries.tickets import (
    HistoryFacts,
    MailFacts,
    MessageFacts,
    TicketDetail,
    TicketFacts,
    WatchFacts,
)
from tocsin.daemon.reason import Reason
from tocsin.daemon.store import tickets as rows
from tocsin.daemon.store.database import Store
from tocsin.reports.pages import for_client
from tocsin.reports.wording import Words

TEAM = "team"


def words(store: Store, config: Config, client_id: str) -> Words:
    """The client's language."""
    with store.reading():
        client = rows.client(client_id)
    return Words((client.language if client else None) or config.mail.language)


def outline(ticket: TicketFacts, said: Words) -> TicketFacts:
    """A ticket in a list."""
    return structs.replace(
        ticket,
        subject=said.client_title(ticket),
        error_id=None,
        error_signature=None,
        title=None,
        client_text=None,
        metadata={},
        assignee="",
    )


def detail(ticket: TicketDetail, said: Words, organisation: str) -> TicketDetail:
    """One ticket with its history, its conversation and its watch."""
    plain = outline(ticket, said)
    return structs.replace(
        ticket,
        **{name: getattr(plain, name) for name in TicketFacts.__struct_fields__},
        message=ticket.message if ticket.source == "manual" else "",
        history=[_happened(row, said) for row in for_client(ticket.history)],
        watch=_watch(ticket.watch) if ticket.watch else None,
        mails=[_mail(mail) for mail in ticket.mails if mail.audience == "client" and mail.channel is None],
        messages=[_message(one, organisation or TEAM) for one in ticket.messages],
    )


def _happened(row: HistoryFacts, said: Words) -> HistoryFacts:
    text = " ".join(filter(None, (said.client_history(row), said.client_note(row))))
    by = row.created_by if row.created_by == "system" else TEAM
    return structs.replace(row, description=text, details={}, created_by=by)


def _watch(watch: WatchFacts) -> WatchFacts:
    return structs.replace(watch, waiting_for="", waiting={}, inconclusive_at=None, runs={})


def _mail(mail: MailFacts) -> MailFacts:
    return structs.replace(mail, last_error=Reason(""))


def _message(message: MessageFacts, team: str) -> MessageFacts:
    return message if message.sender == "client" else structs.replace(message, author=team)
