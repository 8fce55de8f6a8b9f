"""The stream by which an open page hears of changes, for as long as its reader may."""

from __future__ import annotations

from starlette.responses import Response, StreamingResponse

from tocsin.reports.console import answers, identity
from tocsin.reports.console.request import ConsoleRequest

MOST = 1000
"""Streams at once."""


def stream(request: ConsoleRequest) -> Response:
    """The changes that concern whoever asks: of a client those of its own tickets."""
    site, who = request.site, request.who
    if site.changes.streams >= MOST:
        return answers.refusal(request, 503)

    def still() -> bool:
        known = identity.signed_in(site.store, request.cookies, request.https, site.now())
        return any(one == who for one, _ in known)

    events = site.changes.stream(who.client_id, still, site.workers.run)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)
