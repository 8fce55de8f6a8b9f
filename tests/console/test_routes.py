"""Every route with everybody who may come: who reaches its function stands in a table, and no route without a row."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from msgspec.structs import replace
from starlette.responses import PlainTextResponse, Response
from support.console import Browser, Console

from tocsin.daemon.accounts import browser_sessions, ticket_links, users
from tocsin.daemon.store.models import Client, Ticket
from tocsin.reports.console import cookies
from tocsin.reports.console.app import make_app
from tocsin.reports.console.request import ConsoleRequest
from tocsin.reports.console.routes import ROUTES

EVERYBODY = "nobody admin client other link disabled ended"
SIGNED_IN = "admin client other"
ADMIN = "admin"
OWN_LIST = "client other"
OWN_TICKET = "client link"

REACHED_BY = {
    "GET /": EVERYBODY,
    "GET /static/{name}": EVERYBODY,
    "GET /sign-in": EVERYBODY,
    "POST /sign-in": EVERYBODY,
    "POST /sign-in/link": EVERYBODY,
    "GET /sign-in/openid": EVERYBODY,
    "GET /sign-in/openid/return": EVERYBODY,
    "POST /sign-out": SIGNED_IN,
    "GET /one-time/{token}": EVERYBODY,
    "POST /one-time/{token}": EVERYBODY,
    "GET /link/{text}": EVERYBODY,
    "POST /link/{text}": EVERYBODY,
    "GET /live": ADMIN,
    "GET /my/live": OWN_LIST,
    "GET /my/tickets/{ticket_id:int}/live": OWN_TICKET,
    "GET /errors": ADMIN,
    "POST /errors/auto-fix": ADMIN,
    "POST /errors/hand-over": ADMIN,
    "POST /errors/bundle": ADMIN,
    "POST /errors/resolve": ADMIN,
    "POST /errors/mute": ADMIN,
    "POST /errors/merge": ADMIN,
    "GET /errors/{error_id:int}": ADMIN,
    "POST /errors/{error_id:int}/resolve": ADMIN,
    "POST /errors/{error_id:int}/mute": ADMIN,
    "POST /errors/{error_id:int}/unmute": ADMIN,
    "POST /errors/{error_id:int}/merge": ADMIN,
    "POST /errors/{error_id:int}/describe": ADMIN,
    "GET /tickets": ADMIN,
    "GET /tickets/{ticket_id:int}": ADMIN,
    "POST /tickets/{ticket_id:int}/change": ADMIN,
    "POST /tickets/{ticket_id:int}/note": ADMIN,
    "POST /tickets/{ticket_id:int}/close": ADMIN,
    "POST /tickets/{ticket_id:int}/reopen": ADMIN,
    "GET /my/tickets": OWN_LIST,
    "GET /my/tickets/{ticket_id:int}": OWN_TICKET,
    "GET /corrections": ADMIN,
    "POST /errors/{error_id:int}/corrections": ADMIN,
    "POST /errors/{error_id:int}/note": ADMIN,
    "POST /errors/{error_id:int}/deployed": ADMIN,
    "POST /errors/{error_id:int}/assign": ADMIN,
    "POST /errors/{error_id:int}/link": ADMIN,
    "POST /corrections/{correction_id:int}/withdraw": ADMIN,
    "POST /tickets": ADMIN,
    "POST /tickets/{ticket_id:int}/messages": ADMIN,
    "POST /tickets/{ticket_id:int}/assign": ADMIN,
    "POST /my/tickets": OWN_LIST,
    "POST /my/tickets/{ticket_id:int}/messages": OWN_TICKET,
    "GET /mails": ADMIN,
    "GET /mails/{mail_id:int}": ADMIN,
    "GET /mails/{mail_id:int}/html": ADMIN,
    "POST /mails/{mail_id:int}/release": ADMIN,
    "POST /mails/{mail_id:int}/retry": ADMIN,
    "POST /mails/{mail_id:int}/drop": ADMIN,
    "POST /mails/{mail_id:int}/rewrite": ADMIN,
    "GET /clients": ADMIN,
    "POST /clients": ADMIN,
    "POST /clients/revoke": ADMIN,
    "GET /users": ADMIN,
    "POST /users": ADMIN,
    "POST /users/{user_id:int}/link": ADMIN,
    "POST /users/{user_id:int}/disable": ADMIN,
    "POST /users/{user_id:int}/enable": ADMIN,
    "POST /users/{user_id:int}/role": ADMIN,
    "POST /users/{user_id:int}/reading": ADMIN,
    "GET /system": ADMIN,
    "POST /system/doctor": ADMIN,
    "POST /system/gone": ADMIN,
    "GET /metrics": ADMIN,
    "GET /metrics.{kind}": ADMIN,
}
"""Who gets through. `client` owns the ticket, `link` opened it by a mailed link, `other` is another client."""


def name(route: object) -> str:
    return f"{route.method} {route.path}"  # type: ignore[attr-defined]


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    assert sorted(map(name, ROUTES)) == sorted(REACHED_BY)


def _reached(_request: ConsoleRequest) -> Response:
    return PlainTextResponse("reached")


@pytest.fixture
def people(console: Console) -> dict[str, Callable[[], str]]:
    """Makes, for each of those who may come, the token that its cookie holds."""
    store, now = console.store, console.now
    ticket = own_ticket()
    client = Client.get_by_id(ticket.client_id)
    other = Client.select().where(Client.id != client.id, Client.email.is_null(False)).get()
    link = ticket_links.TicketLink(ticket.id, client.id, client.email, now + 9999)
    users_made = {email: console.add(email) for email in ("ada@example.org", "bob@example.org")}
    tokens = {
        "nobody": "",
        "admin": browser_sessions.begin_user(store, users_made["ada@example.org"], now),
        "client": browser_sessions.begin_client(store, client.id, client.email, now),
        "other": browser_sessions.begin_client(store, other.id, other.email, now),
        "link": browser_sessions.begin_ticket(store, link, now),
        "disabled": browser_sessions.begin_user(store, users_made["bob@example.org"], now),
        "ended": browser_sessions.begin_user(store, users_made["ada@example.org"], now - 99 * 86400),
    }
    users.disable(store, users_made["bob@example.org"], now)
    return tokens


def own_ticket() -> Ticket:
    return Ticket.select().where(Ticket.client_id.is_null(False)).get()


def test_each_route_is_reached_by_those_of_its_row_and_nobody_else(
    console: Console, people: dict[str, str]
) -> None:
    console.app = make_app(console.site, tuple(replace(route, answer=_reached) for route in ROUTES))
    found = {
        name(route): " ".join(who for who in people if reaches(console, who, people[who], route))
        for route in ROUTES
    }
    assert found == REACHED_BY


def reaches(console: Console, who: str, token: str, route: object) -> bool:
    browser = Browser(console, {})
    browser.cookies.set(cookies.TICKET if who == "link" else cookies.session_name(False), token)
    token = token if who not in ("nobody", "disabled", "ended") else "visit"
    if token == "visit":
        browser.cookies.set(cookies.VISIT, token)
    path = route.path.replace("{ticket_id:int}", str(own_ticket().id)).replace(":int}", "}")  # type: ignore[attr-defined]
    path = re.sub(r"\{\w+_id\}", "1", path)
    path = path.replace("{", "").replace("}", "")
    data = {"csrf": cookies.csrf(token)}
    answer = browser.post(path, data=data) if route.method == "POST" else browser.get(path)  # type: ignore[attr-defined]
    if answer.text != "reached":
        assert answer.status_code in (303, 404), f"{who} {path}: {answer.status_code}"
    return answer.text == "reached"
