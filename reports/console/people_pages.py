"""The clients and the users: who they are, what lets them in, and how an admin takes that away."""

from __future__ import annotations

from starlette.responses import Response

from tocsin.daemon import queries
from tocsin.daemon.accounts import users
from tocsin.daemon.queries import accounts
from tocsin.daemon.store import accounts as rows
from tocsin.daemon.tickets import clients as known
from tocsin.reports.console import answers, mailed_links
from tocsin.reports.console.request import ConsoleRequest


def clients(request: ConsoleRequest) -> Response:
    """The clients, and a form for another one."""
    found = queries.clients(request.site.store)
    return answers.page(request, "console/clients.html", "clients", clients=found)


def save_client(request: ConsoleRequest) -> Response:
    """Adds a client, or completes one: what is given replaces what was there.

    With another address the links and sessions of the old one are over.
    """
    given = {name: request.field(name)[:500] for name in known.COLUMNS}
    known.add(request.site.store, [known.client(given)])
    return answers.go(request, "/clients", request.say("Saved."))


def revoke_links(request: ConsoleRequest) -> Response:
    """Ends every link that was mailed to a client, and its browsers' sessions."""
    with request.site.store.transaction():
        rows.revoke_links(request.field("id"), request.now)
    return answers.go(request, "/clients", request.say("The links that were mailed are revoked."))


def user_list(request: ConsoleRequest) -> Response:
    """The users, and a form for another one."""
    return _users(request)


def invite(request: ConsoleRequest) -> Response:
    """Adds a user, mails a link by which it sets a password, and shows it once, for where no mail leaves."""
    site, now = request.site, request.now
    user_id = users.add(
        site.store, request.field("email"), now, role=request.field("role"), name=request.field("name"),
        client_id=request.field("client") or None, language=request.field("language") or None,
        timezone=request.field("timezone").strip() or None,
    )  # fmt: skip
    return _with_link(request, user_id)


def new_link(request: ConsoleRequest) -> Response:
    """Another link for a user; the one before ends."""
    return _with_link(request, request.path["user_id"])


def disable(request: ConsoleRequest) -> Response:
    """Ends all that a user can do, at once."""
    users.disable(request.site.store, request.path["user_id"], request.now)
    return answers.go(request, "/users", request.say("The user is disabled."))


def enable(request: ConsoleRequest) -> Response:
    """Lets a disabled user sign in again."""
    users.enable(request.site.store, request.path["user_id"])
    return answers.go(request, "/users", request.say("The user may sign in again."))


def change_role(request: ConsoleRequest) -> Response:
    """Makes a user an admin, or a client's."""
    role = request.field("role")
    client_id = request.field("client") if role == users.CLIENT else None
    users.change_role(request.site.store, request.path["user_id"], role, client_id or None)
    return answers.go(request, "/users", request.say("Saved."))


def change_reading(request: ConsoleRequest) -> Response:
    """Sets a user's name, language and time zone."""
    name, language, timezone = (request.field(one).strip() for one in ("name", "language", "timezone"))
    users.set_reading(request.site.store, request.path["user_id"], name, language or None, timezone or None)
    return answers.go(request, "/users", request.say("Saved."))


def _with_link(request: ConsoleRequest, user_id: int) -> Response:
    link = mailed_links.invite(request.site, user_id, request.language, request.now)
    return _users(request, link)


def _users(request: ConsoleRequest, link: str = "") -> Response:
    return answers.page(
        request, "console/users.html", "users", users=accounts.users(request.site.store), link=link,
        clients=queries.clients(request.site.store), roles=users.ROLES,
    )  # fmt: skip
