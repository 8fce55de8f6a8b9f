"""What is sent back: a page, a way on, or what is wrong, as HTML for people and problem+json for programs."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, unquote

from msgspec import Struct
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tocsin.daemon.queries.listings import Asked, Choices
from tocsin.reports.addresses import ServedAddresses
from tocsin.reports.console import cookies, listing
from tocsin.reports.console.authorisation import Role
from tocsin.reports.console.request import ConsoleRequest
from tocsin.reports.pages import Pages

AT = ServedAddresses()
SAID_SECONDS = 20
PROBLEM = "application/problem+json"


class Served(Struct, frozen=True):
    """What a template knows of whom it is served to; the files' pages have None in its place."""

    csrf: str
    role: str
    name: str = ""
    said: str = ""
    """What the last button did."""
    asked: Asked | None = None
    """What a listing is narrowed to, and what it could be."""
    choices: Choices | None = None
    stream: str = ""
    """Where the page hears of changes, and what it is as new as."""
    stamp: str = ""


def pages(request: ConsoleRequest, asked: Asked | None = None, choices: Choices | None = None) -> Pages:
    """The pages in the reader's language; of a listing with what it is narrowed to."""
    who = request.who
    served = Served(
        request.csrf, str(who.role), who.name, _said(request), asked, choices,
        _stream(request), request.site.changes.stamp_for(who.client_id),
    )  # fmt: skip
    at = listing.addresses(asked) if asked is not None else AT
    return request.site.pages(request.language).served(at, served, who.timezone)


def html(request: ConsoleRequest, text: str, status: int = 200) -> Response:
    """A page that was written."""
    response = HTMLResponse(text, status)
    if _said(request):
        cookies.drop(response, cookies.SAID, https=request.https)
    return response


def page(
    request: ConsoleRequest, template: str, section: str = "", http_status: int = 200, **values: Any
) -> Response:
    """A page that only the console has, in the reader's language."""
    return html(request, pages(request).page(template, section, **values), http_status)


def _stream(request: ConsoleRequest) -> str:
    """Of an admin everything, of a client its tickets, of a mailed link its one."""
    who = request.who
    if who.ticket_id is not None:
        return f"/my/tickets/{who.ticket_id}/live"
    return {Role.ADMIN: "/live", Role.CLIENT: "/my/live"}.get(who.role, "")


def _said(request: ConsoleRequest) -> str:
    return unquote(request.cookies.get(cookies.SAID, ""))[:500]


def go(request: ConsoleRequest, address: str, said: str = "") -> Response:
    """On to another page of ours, which says what was done."""
    response = RedirectResponse(address, 303)
    if said:
        cookies.put(response, cookies.SAID, quote(said[:500]), https=request.https, seconds=SAID_SECONDS)
    return response


def problem(status: int, title: str, detail: str = "", **more: Any) -> Response:
    """What is wrong, for a program (RFC 9457)."""
    body = {
        "type": "about:blank",
        "title": title,
        "status": status,
        **({"detail": detail} if detail else {}),
        **more,
    }
    return Response(json.dumps(body), status, media_type=PROBLEM)


def refusal(request: ConsoleRequest, status: int, *, detail: str = "") -> Response:
    """What is wrong, for a person; `detail` is a text of ours on this case."""
    home = {Role.ADMIN: "/errors", Role.CLIENT: "/my/tickets"}.get(request.who.role, "/sign-in")
    return page(request, "console/refusal.html", "", status, code=status, detail=detail, home=home)
