"""The operations that read: the same values that the commands' `--json` prints."""

from __future__ import annotations

from typing import Any

from tocsin.daemon import queries
from tocsin.daemon.corrections.handoff import report
from tocsin.daemon.failure import NotThere
from tocsin.daemon.queries.status import SessionFacts
from tocsin.daemon.tickets.manual import UnknownNumber
from tocsin.reports.api import client_view
from tocsin.reports.api.operation import Call, Page
from tocsin.reports.api.paging import page, selection
from tocsin.reports.api.shapes import ValidationFacts


def errors(call: Call) -> Page:
    found = queries.errors(call.store, open_only=call.query.open, selection=selection(call.query, call.now))
    return page(found, call.query, lambda row: (row.last_seen, row.id))


def error(call: Call) -> queries.ErrorDetail:
    found = queries.error(call.store, call.error_id)
    if found is None:
        raise UnknownNumber(f"there is no error {call.error_id}")
    return found


def tickets(call: Call) -> Page:
    chosen = selection(call.query, call.now, client=call.client_id)
    found = queries.tickets(call.store, open_only=call.query.open, selection=chosen)
    shown = page(found, call.query, lambda row: (row.created_at, row.id))
    if call.client_id is None:
        return shown
    said = client_view.words(call.store, call.config, call.client_id)
    return Page([client_view.outline(row, said) for row in shown.items], shown.cursor)


def ticket(call: Call, ticket_id: int | None = None) -> queries.TicketDetail:
    """The ticket that the call names, or another one, as the caller may read it."""
    number = call.ticket_id if ticket_id is None else ticket_id
    found = queries.ticket(call.store, number, call.config, call.now)
    if found is None:
        raise UnknownNumber(f"there is no ticket {number}")
    if call.client_id is None:
        return found
    said = client_view.words(call.store, call.config, call.client_id)
    return client_view.detail(found, said, call.config.organisation.name)


def corrections(call: Call) -> Page:
    chosen = selection(call.query, call.now)
    found = queries.corrections(call.store, call.query.error_id, selection=chosen, withdrawn=True)
    return page(found, call.query, lambda row: (row.applied_at, row.id))


def validations(call: Call) -> Page:
    chosen = selection(call.query, call.now)
    found = queries.corrections(call.store, call.query.error_id, selection=chosen)
    shown = page(found, call.query, lambda row: (row.applied_at, row.id))
    return Page([validated(row) for row in shown.items], shown.cursor)


def validated(row: queries.CorrectionFacts) -> ValidationFacts:
    return ValidationFacts(
        row.id, row.error_id, row.test_status, row.test_results, row.applied_by, row.applied_at
    )


def clients(call: Call) -> list[queries.ClientFacts]:
    return queries.clients(call.store)


def metrics(call: Call) -> queries.MetricsFacts:
    return queries.metrics(call.store)


def status(call: Call) -> queries.StatusFacts:
    return queries.status(call.store, call.config, call.now)


def sessions(call: Call) -> list[SessionFacts]:
    found = queries.status(call.store, call.config, call.now).sessions
    return [one for one in found if call.query.service in (None, one.service)]


def mails(call: Call) -> Page:
    states = [call.query.state] if call.query.state else []
    found = queries.outbox(call.store, states, selection(call.query, call.now))
    return page(found, call.query, lambda row: (0.0, row.id))


def mail(call: Call) -> queries.OutboxMail:
    found = queries.outbox(call.store, mail_ids=[int(call.path["mail_id"])])
    if not found:
        raise NotThere(f"there is no mail {call.path['mail_id']}")
    return found[0]


def claims(call: Call) -> list[queries.ClaimFacts]:
    return queries.claims(call.store, now=call.now)


def requests(call: Call) -> list[queries.RequestFacts]:
    return queries.requests(call.store, call.now)


def tries(call: Call) -> Page:
    wanted = [call.query.error_id] if call.query.error_id else None
    found = queries.tries(call.store, error_ids=wanted, selection=selection(call.query, call.now))
    return page(found, call.query, lambda row: (row.begun_at, row.id))


def autofix(call: Call) -> str:
    chosen: Any = [call.query.error_id] if call.query.error_id else []
    if chosen and not queries.errors(call.store, error_ids=chosen, merged=True):
        raise UnknownNumber(f"there is no error {chosen[0]}")
    return report.report(report.chosen(call.store, chosen), command=call.config.command)
