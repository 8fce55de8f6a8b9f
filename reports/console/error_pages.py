"""The errors as admins see them: the listing, one of them, and the report for a coding agent."""

from __future__ import annotations

from starlette.responses import Response

from tocsin.daemon import queries
from tocsin.daemon.corrections.handoff import report
from tocsin.daemon.queries import listings, monitor
from tocsin.daemon.queries.moment import moment, to_json
from tocsin.daemon.store.models import ErrorLog
from tocsin.reports.console import answers, listing
from tocsin.reports.console.request import ConsoleRequest
from tocsin.reports.pages import SAMPLES

ROWS = 50
MOST_CHOSEN = 200


def errors(request: ConsoleRequest) -> Response:
    """One page of the errors, narrowed to what was asked."""
    site, now = request.site, request.now
    asked, choices = listing.asked(request), listing.choices(request)
    part = listings.errors(site.store, asked, now, listing.page_number(request), ROWS)
    unresolved, open_tickets = listings.counts(site.store)
    pages = answers.pages(request, asked, choices)
    rows = site.lines.of(monitor.rows(site.store, site.config, part.ids, now), pages)
    # Only the first page shows how all is.
    status = queries.status(site.store, site.config, now) if part.page == 1 else None
    text = pages.monitoring(
        rows, status, now, page=part.page, pages=part.pages, services=choices.services, unresolved=unresolved,
        open_tickets=open_tickets,
    )  # fmt: skip
    return answers.html(request, text)


def error(request: ConsoleRequest) -> Response:
    """Everything about one error; one that was merged leads to the one that it is part of."""
    site, error_id = request.site, request.path["error_id"]
    found = queries.details(site.store, [error_id], samples=SAMPLES).get(error_id)
    if found is None:
        return answers.refusal(request, 404)
    with site.store.reading():
        watch = queries.watches(site.store, site.config, [error_id], request.now).get(error_id)
        client_text = ErrorLog.get_by_id(error_id).client_text
    urgent = monitor.most_urgent(ticket.status for ticket in found.tickets)
    state = monitor.state(found, urgent, request.now)
    page, _ = answers.pages(request).error(found, state, watch, client_text)
    return answers.html(request, page)


def auto_fix(request: ConsoleRequest) -> Response:
    """The report over the chosen errors, to copy, to download or to hand to an agent."""
    chosen = chosen_ids(request)
    if not chosen:
        return answers.refusal(request, 422, detail=request.say("Choose errors first"))
    found = report.chosen(request.site.store, chosen)
    text = report.report(found, command=request.site.config.command)
    return answers.page(request, "console/auto_fix.html", "errors", report=text, chosen=chosen)


def bundle(request: ConsoleRequest) -> Response:
    """The chosen errors as a bundle, for work away from the server."""
    found = report.chosen(request.site.store, chosen_ids(request))
    made = report.bundle(found, moment(request.now).iso)
    headers = {"Content-Disposition": 'attachment; filename="tocsin-bundle.json"'}
    return Response(to_json(made, indent=2), media_type="application/json", headers=headers)


def chosen_ids(request: ConsoleRequest) -> list[int]:
    """The numbers of the errors that the form names, each once."""
    given = request.form.get("id", [])[:MOST_CHOSEN]
    return list(dict.fromkeys(int(one) for one in given if one.isascii() and one.isdigit() and len(one) < 10))
