"""The corrections and the metrics, as the files have them."""

from __future__ import annotations

from starlette.responses import Response

from tocsin.daemon import queries
from tocsin.daemon.queries import listings
from tocsin.daemon.queries.moment import to_json
from tocsin.reports.console import answers, listing
from tocsin.reports.console.request import ConsoleRequest
from tocsin.reports.metrics_csv import metrics_csv

CHANGES = 25


def corrections(request: ConsoleRequest) -> Response:
    """One page of the corrections."""
    store = request.site.store
    asked, choices = listing.asked(request), listing.choices(request)
    part = listings.corrections(store, asked, listing.page_number(request), CHANGES)
    found = {one.id: one for one in queries.corrections(store, correction_ids=part.ids)}
    text = answers.pages(request, asked, choices).corrections(
        [found[one] for one in part.ids if one in found], queries.top_corrected(store), part.total,
        page=part.page, pages=part.pages, services=choices.services,
    )  # fmt: skip
    return answers.html(request, text)


def metrics(request: ConsoleRequest) -> Response:
    """The numbers as a page."""
    return answers.html(request, answers.pages(request).metrics(queries.metrics(request.site.store)))


def metrics_file(request: ConsoleRequest) -> Response:
    """The numbers as JSON or CSV."""
    numbers = queries.metrics(request.site.store)
    kind = request.path["kind"]
    if kind not in ("json", "csv"):
        return answers.refusal(request, 404)
    text = to_json(numbers, indent=2) + "\n" if kind == "json" else metrics_csv(numbers)
    media = {"json": "application/json", "csv": "text/csv"}[kind]
    headers = {"Content-Disposition": f'attachment; filename="metrics.{kind}"'}
    return Response(text, media_type=media, headers=headers)
