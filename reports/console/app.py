"""The application: each route of the table read, decided, answered in a thread, and what goes wrong told."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, quote

from peewee import PeeweeException
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route as StarletteRoute

from tocsin.daemon.failure import Failed, Meanwhile, NotThere
from tocsin.daemon.log import log
from tocsin.daemon.store.database import StoreError, StoreReplaced
from tocsin.daemon.store.models import Ticket
from tocsin.reports.api.operation import LARGEST_NUMBER
from tocsin.reports.console import answers, cookies, identity
from tocsin.reports.console.agents import PATH, Agents
from tocsin.reports.console.authorisation import NOBODY, Of, Owned, Verdict, Who, decide
from tocsin.reports.console.body import Refused, read_body
from tocsin.reports.console.guard import Guard
from tocsin.reports.console.request import ConsoleRequest
from tocsin.reports.console.routes import API_ROUTES, ROUTES, Route
from tocsin.reports.console.site import Site

FIELDS = 200
FORM = "application/x-www-form-urlencoded"


def make_app(site: Site, routes: tuple[Route, ...] = (*ROUTES, *API_ROUTES)) -> Starlette:
    """The ASGI application. Its threads end with it."""
    agents = Agents(site)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> Any:
        yield
        await agents.close()
        site.changes.close()
        site.workers.close()

    async def not_found(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        return await site.workers.run(_refuse, site, request, status, request.url.path.startswith("/api/"))

    return Starlette(
        routes=[
            *(StarletteRoute(route.path, _endpoint(site, route), methods=[route.method]) for route in routes),
            StarletteRoute(PATH, agents, methods=["POST"]),
        ],
        middleware=[Middleware(Guard, site=site)],
        exception_handlers={HTTPException: not_found},
        lifespan=lifespan,
    )


def _endpoint(site: Site, route: Route) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            body = await read_body(request)
        except Refused as error:
            return await site.workers.run(_refuse, site, request, error.status, route.api)
        return await site.workers.run(_answer, site, route, request, body)

    return endpoint


def _answer(site: Site, route: Route, request: Request, body: bytes) -> Response:
    """Decides and answers. In a thread of the workers."""
    now = site.now()
    if any(isinstance(value, int) and value > LARGEST_NUMBER for value in request.path_params.values()):
        return _refuse(site, request, 404, route.api)
    try:
        site.store.check_file()
        who, token = _sender(site, route, request, now)
    except StoreReplaced as error:
        # Read on, it would be the old file: whoever watches over the console starts it on the new one.
        log.error("console_ends", reason=str(error))
        site.end()
        return _refuse(site, request, 503, route.api)
    except (PeeweeException, StoreError) as error:
        log.warning("console_without_database", reason=str(error))
        return _refuse(site, request, 503, route.api)
    visit = "" if token or route.api or request.method not in ("GET", "POST") else secrets.token_urlsafe(24)
    asked = _asked(site, request, body, who, token or visit, now)
    if asked is None:
        return _refuse(site, request, 415, route.api)
    try:
        response = _permitted(route, asked, token)
    except (PeeweeException, StoreError) as error:
        log.warning("console_without_database", reason=str(error))
        response = _told(route, asked, 503)
    except Failed as error:
        response = _told(route, asked, _status(error), str(error) if route.api else asked.why(error))
    except Exception as error:
        log.error("console_failed", path=route.path, exc_info=error)
        response = _told(route, asked, 500)
    if visit and response.media_type == "text/html":
        cookies.put(response, cookies.VISIT, visit, https=asked.https)
    return response


def _status(error: Failed) -> int:
    """404 for what is not there, 409 for what another has done meanwhile, 422 for what cannot be."""
    if isinstance(error, NotThere):
        return 404
    return 409 if isinstance(error, Meanwhile) else 422


def _sender(site: Site, route: Route, request: Request, now: float) -> tuple[Who, str]:
    """Who asks, and the token of its browser: of those it may speak as the first that may do this."""
    if route.api:
        return identity.by_token(site.store, request.headers, now), ""
    known = identity.signed_in(site.store, request.cookies, request.url.scheme == "https", now)
    owned = _owned(site, route, request.path_params)
    allowed = [one for one in known if decide(one[0], route.right, route.of, owned) is Verdict.ALLOWED]
    return (allowed or known)[0]


def _owned(site: Site, route: Route, path: dict[str, Any]) -> Owned | None:
    """What the route is about, None where there is no such thing."""
    if route.of is not Of.TICKET:
        return None
    with site.store.reading():
        ticket = Ticket.get_or_none(Ticket.id == int(path["ticket_id"]))
    return None if ticket is None else Owned(ticket.client_id, ticket.id)


def _permitted(route: Route, asked: ConsoleRequest, token: str) -> Response:
    owned = _owned(asked.site, route, dict(asked.path))
    verdict = decide(asked.who, route.right, route.of, owned)
    if verdict is Verdict.UNKNOWN:
        return _told(route, asked, 401) if route.api else _to_sign_in(asked)
    if verdict is not Verdict.ALLOWED:
        return _told(route, asked, 403 if verdict is Verdict.FORBIDDEN else 404)
    if route.method != "GET" and not route.api and not _is_from_our_page(asked, token):
        return _told(route, asked, 403)
    return route.answer(asked)


def _to_sign_in(asked: ConsoleRequest) -> Response:
    """Where one signs in, and comes back from to the page that was asked for."""
    wanted = asked.raw.url.path if asked.raw.method == "GET" else ""
    return RedirectResponse(f"/sign-in?then={quote(wanted)}" if wanted else "/sign-in", 303)


def _is_from_our_page(asked: ConsoleRequest, token: str) -> bool:
    """A form of ours, in this browser: it brings the token back, and no browser says that it is another site's."""
    origin = asked.headers.get("origin")
    ours = f"{'https' if asked.https else 'http'}://{asked.headers.get('host', '')}"
    if origin is not None and origin.lower() != ours.lower():
        return False
    if asked.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    return bool(token) and hmac.compare_digest(asked.field("csrf").encode(), cookies.csrf(token).encode())


def _asked(
    site: Site, request: Request, body: bytes, who: Who, token: str, now: float
) -> ConsoleRequest | None:
    """The request as handlers get it; None where its body is of a kind that no form has."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    form: dict[str, list[str]] = {}
    if request.method == "POST" and body and not request.url.path.startswith("/api/"):
        if kind != FORM:
            return None
        try:
            form = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=FIELDS)
        except ValueError:
            return None
    language = who.language or site.language(request.headers.get("accept-language", ""))
    return ConsoleRequest(site, who, now, request, form, body, language, cookies.csrf(token))


def _refuse(site: Site, request: Request, status: int, api: bool) -> Response:
    """The answer to what was not read: whoever asks is told nothing else."""
    if api:
        return answers.problem(status, _TITLES.get(status, "Error"))
    asked = _asked(site, request, b"", NOBODY, "", site.now())
    assert asked is not None
    return answers.refusal(asked, status)


def _told(route: Route, asked: ConsoleRequest, status: int, detail: str = "") -> Response:
    if not route.api:
        return answers.refusal(asked, status, detail=detail)
    response = answers.problem(status, _TITLES.get(status, "Error"), detail)
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


_TITLES = {
    400: "Bad request",
    401: "A valid token is needed",
    403: "The token lacks the scope",
    404: "There is no such thing",
    405: "Not that way",
    408: "Too slow",
    409: "It cannot be done",
    413: "Too large",
    415: "Not a type that is read here",
    500: "Something went wrong here",
    503: "The database cannot be reached",
}
"""What is wrong, by status, for programs."""
