"""Signing in and out: by password, by a link that lets in once, by a mail's link to one ticket."""

from __future__ import annotations

import re

from starlette.responses import Response

from tocsin.daemon.accounts import browser_sessions, one_time_links, ticket_links, users
from tocsin.daemon.accounts.one_time_links import FIRST_ADMIN, PASSWORD, SIGN_IN, Link
from tocsin.daemon.accounts.users import UserError
from tocsin.reports.console import answers, cookies, mailed_links, passwords
from tocsin.reports.console.authorisation import Role
from tocsin.reports.console.request import ConsoleRequest

_OURS = re.compile(r"(/[A-Za-z0-9_-]{1,40}){1,4}")
"""Where somebody may be sent after signing in: a page of ours, whatever the link said."""


def home(request: ConsoleRequest) -> Response:
    """The first page of whoever it is."""
    who = request.who
    if who.role is Role.ADMIN:
        return answers.go(request, "/errors")
    return answers.go(
        request, "/my/tickets" if who.role is Role.CLIENT and who.ticket_id is None else "/sign-in"
    )


def form(request: ConsoleRequest) -> Response:
    """Where one signs in."""
    return page(request)


def by_password(request: ConsoleRequest) -> Response:
    """Signs a user in. It takes as long, and says the same, when there is no such user."""
    site, now, email = request.site, request.now, request.field("email").strip().lower()[:254]
    pair = f"{request.client_network} {email}"
    wait = max(site.wrong_passwords.wait(pair, now), site.attempts.wait(request.client_network, now))
    if wait:
        response = page(request, 429, "wait", email)
        response.headers["Retry-After"] = str(int(wait) + 1)
        return response
    user = users.by_email(site.store, email)
    if not passwords.fits(user.password_hash if user else None, request.field("password")) or user is None:
        site.wrong_passwords.count(pair, now)
        site.attempts.count(request.client_network, now)
        return page(request, 403, "wrong", email)
    site.wrong_passwords.clear(pair)
    return let_in(request, browser_sessions.begin_user(site.store, user.id, now))


def ask_for_link(request: ConsoleRequest) -> Response:
    """Mails a link to whoever has that address. The answer, and when it comes, is the same for a stranger."""
    site, now = request.site, request.now
    if site.attempts.wait(request.client_network, now):
        return page(request, 429, "wait")
    site.attempts.count(request.client_network, now)
    site.workers.later(mailed_links.send, site, request.field("email")[:254], request.language, now)
    return answers.go(
        request, "/sign-in", request.say("If we know this address, a mail with a link is on its way.")
    )


def sign_out(request: ConsoleRequest) -> Response:
    """Ends this browser's session."""
    name = cookies.session_name(request.https)
    browser_sessions.end(request.site.store, request.cookies.get(name, ""))
    response = answers.go(request, "/sign-in")
    cookies.drop(response, name, https=request.https)
    return response


def one_time(request: ConsoleRequest) -> Response:
    """What a one-time link is for, with the button that uses it. Looking uses nothing up."""
    link = one_time_links.look(request.site.store, request.path["token"], request.now)
    return _one_time(request, link) if link is not None else _gone(request)


def use_one_time(request: ConsoleRequest) -> Response:
    """Uses a one-time link up: makes the first admin, sets a password, or lets a client in."""
    store, now, token = request.site.store, request.now, request.path["token"]
    link = one_time_links.look(store, token, now)
    if link is None or (link.purpose == FIRST_ADMIN and users.is_admin_there(store)):
        return _gone(request)
    password = request.field("password")
    if link.purpose != SIGN_IN and not passwords.is_acceptable(password):
        return _one_time(request, link, 422, "short")
    stored = passwords.made(password) if link.purpose != SIGN_IN else ""
    try:
        with store.transaction():
            if one_time_links.use(store, token, now) is None:
                return _gone(request)
            session = _begin(request, link, stored)
    except UserError as error:
        return _one_time(request, link, 422, request.why(error))
    return let_in(request, session)


def ticket_link(request: ConsoleRequest) -> Response:
    """What a mail's link opens, with the button that opens it."""
    link = ticket_links.read(request.site.store, request.path["text"], request.now)
    if link is None:
        return _gone(request)
    return answers.page(request, "console/ticket_link.html", ticket_id=link.ticket_id)


def open_ticket(request: ConsoleRequest) -> Response:
    """Lets this browser read and answer the one ticket, until the link ends."""
    link = ticket_links.read(request.site.store, request.path["text"], request.now)
    if link is None:
        return _gone(request)
    token = browser_sessions.begin_ticket(request.site.store, link, request.now)
    path = cookies.ticket_path(link.ticket_id)
    response = answers.go(request, path)
    seconds = int(link.ends_at - request.now)
    cookies.put(response, cookies.TICKET, token, https=request.https, path=path, seconds=seconds)
    return response


def page(request: ConsoleRequest, status: int = 200, wrong: str = "", email: str = "") -> Response:
    """Where one signs in; `wrong` names what was the matter with the last attempt."""
    openid = request.site.config.openid
    return answers.page(
        request, "console/sign_in.html", "", status, wrong=wrong, email=email, then=then(request),
        no_admin=not users.is_admin_there(request.site.store), provider=openid.name if openid.issuer else "",
    )  # fmt: skip


def then(request: ConsoleRequest) -> str:
    """The page of ours to go on to, '' for the first one."""
    return ours(request.field("then") or request.query.get("then", ""))


def ours(wanted: str) -> str:
    """The address if it is a page of ours, else ''."""
    return wanted if _OURS.fullmatch(wanted) else ""


def _one_time(request: ConsoleRequest, link: Link, status: int = 200, wrong: str = "") -> Response:
    given = {name: request.field(name)[:200] for name in ("email", "name")}
    return answers.page(
        request, "console/one_time.html", "", status, link=link, wrong=wrong, given=given,
        shortest=passwords.SHORTEST,
    )  # fmt: skip


def _gone(request: ConsoleRequest) -> Response:
    return answers.refusal(request, 410)


def _begin(request: ConsoleRequest, link: Link, stored: str) -> str:
    """What the link permits, and a fresh session for whoever it is now."""
    store, now = request.site.store, request.now
    if link.purpose == SIGN_IN and link.user_id is None:
        assert link.client_id is not None
        return browser_sessions.begin_client(store, link.client_id, link.email, now)
    user_id = link.user_id
    if link.purpose == FIRST_ADMIN:
        user_id = users.add(
            store, request.field("email"), now, name=request.field("name"), language=request.language
        )
    assert user_id is not None
    if link.purpose in (FIRST_ADMIN, PASSWORD):
        users.set_password(store, user_id, stored)
    return browser_sessions.begin_user(store, user_id, now)


def let_in(request: ConsoleRequest, session: str, wanted: str = "") -> Response:
    """With a new cookie: whatever this browser held before is worth nothing. `wanted` is the page to go on to."""
    response = answers.go(request, wanted or then(request) or "/")
    days = max(browser_sessions.USER_DAYS, browser_sessions.CLIENT_DAYS)
    name = cookies.session_name(request.https)
    cookies.put(response, name, session, https=request.https, seconds=int(days * browser_sessions.DAY))
    cookies.drop(response, cookies.VISIT, https=request.https)
    return response
