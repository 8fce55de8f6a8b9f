"""The tickets: for admins all of them, for a client its own, and what each may do there."""

from __future__ import annotations

from starlette.responses import Response

from tocsin.daemon import queries
from tocsin.daemon.queries import listings
from tocsin.daemon.queries.selection import Selection
from tocsin.daemon.queries.tickets import ClientFacts, TicketDetail
from tocsin.daemon.store.models import Ticket
from tocsin.daemon.tickets.conversation import Conversation, Sender
from tocsin.daemon.tickets.manual import PRIORITIES, Manual, ManualError
from tocsin.reports.console import answers, listing
from tocsin.reports.console.request import ConsoleRequest

ROWS = 50
OWN = 200
"""Tickets on a client's first page, the newest first."""


def tickets(request: ConsoleRequest) -> Response:
    """One page of the tickets, for admins."""
    store = request.site.store
    asked, choices = listing.asked(request), listing.choices(request)
    part = listings.tickets(store, asked, listing.page_number(request), ROWS)
    found = {one.id: one for one in queries.tickets(store, ticket_ids=part.ids)}
    _, open_count = listings.counts(store)
    text = answers.pages(request, asked, choices).tickets(
        [found[one] for one in part.ids if one in found], open_count, part.total, page=part.page,
        pages=part.pages, services=choices.services,
    )  # fmt: skip
    return answers.html(request, text)


def ticket(request: ConsoleRequest) -> Response:
    """One ticket, for admins."""
    found = _ticket(request)
    return (
        answers.refusal(request, 404)
        if found is None
        else answers.html(request, answers.pages(request).ticket(found))
    )


def change(request: ConsoleRequest) -> Response:
    """Sets what the form changed of subject, priority, category and state; what is as it was stays."""
    site, ticket_id = request.site, request.path["ticket_id"]
    manual = Manual(site.store, site.config)
    with site.store.transaction():
        before = Ticket.get_or_none(Ticket.id == ticket_id)
        if before is None:
            return answers.refusal(request, 404)
        columns = {
            name: request.field(name).strip()
            for name in ("subject", "priority", "category")
            if name in request.form and request.field(name).strip() != getattr(before, name)
        }
        if columns:
            manual.change(ticket_id, request.who.name, request.now, **columns)
        status = request.field("status")
        if status in ("open", "in_progress", "monitoring", "closed") and status != before.status:
            manual.set_status(ticket_id, status, request.who.name, request.now)
    return _back(request, request.say("Saved."))


def note(request: ConsoleRequest) -> Response:
    """Writes down what the team only reads."""
    manual = Manual(request.site.store, request.site.config)
    manual.note(request.path["ticket_id"], request.field("text"), request.who.name, request.now)
    return _back(request, request.say("Written down."))


def close(request: ConsoleRequest) -> Response:
    """Closes a ticket by hand; the client is told, with the reason."""
    manual = Manual(request.site.store, request.site.config)
    manual.close(request.path["ticket_id"], request.who.name, request.now, request.field("note"))
    return _back(request, request.say("The ticket is closed."))


def reopen(request: ConsoleRequest) -> Response:
    """Opens a closed ticket again; the client is told, with the reason."""
    manual = Manual(request.site.store, request.site.config)
    manual.reopen(request.path["ticket_id"], request.who.name, request.now, request.field("note"))
    return _back(request, request.say("The ticket is open again."))


def open_ticket(request: ConsoleRequest) -> Response:
    """Opens a ticket by hand, for a client or for the team alone."""
    site, subject = request.site, request.field("subject").strip()
    if not subject or not request.field("text").strip():
        raise ManualError(request.say("Write a subject and a message."))
    manual = Manual(site.store, site.config)
    ticket_id = manual.open(
        subject, request.field("text").strip(), request.who.name, request.now,
        client_id=request.field("client") or None, priority=_priority(request),
    )  # fmt: skip
    return answers.go(request, f"/tickets/{ticket_id}", request.say("The ticket is open."))


def answer(request: ConsoleRequest) -> Response:
    """Writes to the client, who gets it by mail."""
    _write(request, "team")
    return _back(request, request.say("Sent."))


def assign(request: ConsoleRequest) -> Response:
    """Says who sees to the ticket."""
    conversation = Conversation(request.site.store, request.site.config)
    conversation.assign(request.path["ticket_id"], request.field("name"), request.who.name, request.now)
    return _back(request, request.say("Saved."))


def open_own_ticket(request: ConsoleRequest) -> Response:
    """Opens the ticket that a client has written."""
    conversation = Conversation(request.site.store, request.site.config)
    assert request.who.client_id is not None
    ticket_id = conversation.open_for_client(
        request.who.client_id, request.field("subject"), request.field("text"), request.who.name, request.now,
        priority=_priority(request),
    )  # fmt: skip
    return answers.go(request, f"/my/tickets/{ticket_id}", request.say("Our team has your ticket."))


def write(request: ConsoleRequest) -> Response:
    """Writes what a client has to say on its ticket."""
    _write(request, "client")
    return answers.go(request, f"/my/tickets/{request.path['ticket_id']}", request.say("Sent."))


def _write(request: ConsoleRequest, sender: Sender) -> None:
    conversation = Conversation(request.site.store, request.site.config)
    text, by = request.field("text"), request.who.name
    conversation.write(request.path["ticket_id"], text, by, request.now, sender=sender)


def _priority(request: ConsoleRequest) -> str | None:
    """Raises ManualError for a word that is none."""
    given = request.field("priority") or None
    if given is not None and given not in PRIORITIES:
        raise ManualError(
            "priority %(priority)r: write one of %(known)s", priority=given[:40], known=", ".join(PRIORITIES)
        )
    return given


def own_tickets(request: ConsoleRequest) -> Response:
    """A client's tickets, for itself."""
    client = _client(request)
    found = queries.tickets(request.site.store, client_id=client.id, selection=Selection(limit=OWN))
    return answers.html(request, answers.pages(request).client(client, found))


def own_ticket(request: ConsoleRequest) -> Response:
    """One ticket, as its client sees it."""
    found = _ticket(request)
    if found is None:
        return answers.refusal(request, 404)
    return answers.html(request, answers.pages(request).client_ticket(_client(request), found))


def _ticket(request: ConsoleRequest) -> TicketDetail | None:
    site = request.site
    return queries.ticket(site.store, request.path["ticket_id"], site.config, request.now)


def _client(request: ConsoleRequest) -> ClientFacts:
    """The client that asks: it is there, or nobody could have signed in for it."""
    return next(one for one in queries.clients(request.site.store) if one.id == request.who.client_id)


def _back(request: ConsoleRequest, said: str) -> Response:
    return answers.go(request, f"/tickets/{request.path['ticket_id']}", said)
