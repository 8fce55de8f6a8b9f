"""The cookies: of a session, of one ticket's link, and of a browser that has not signed in yet."""

from __future__ import annotations

import hashlib
import hmac

from starlette.responses import Response

SESSION = "tocsin"
TICKET = "tocsin_ticket"
VISIT = "tocsin_visit"
SAID = "tocsin_said"
OPENID = "tocsin_openid"


def session_name(https: bool) -> str:
    """`__Host-`: the browser takes it over https only, and from no other name of the domain."""
    return f"__Host-{SESSION}" if https else SESSION


def openid_name(https: bool) -> str:
    """Of a sign-in that goes on at the provider: on https no other name of the domain can plant one."""
    return f"__Host-{OPENID}" if https else OPENID


def ticket_path(ticket_id: int) -> str:
    """Where the cookie of a ticket's link is sent to: to this ticket alone."""
    return f"/my/tickets/{ticket_id}"


def put(
    response: Response, name: str, value: str, *, https: bool, path: str = "/", seconds: int | None = None
) -> None:
    """Sets a cookie that no script reads and no other site's form brings along."""
    response.set_cookie(name, value, max_age=seconds, path=path, secure=https, httponly=True, samesite="lax")


def drop(response: Response, name: str, *, https: bool, path: str = "/") -> None:
    response.delete_cookie(name, path=path, secure=https, httponly=True, samesite="lax")


def csrf(token: str) -> str:
    """What a form must bring back: nobody knows it who cannot read the page, and it does not tell the cookie."""
    return hmac.new(token.encode(), b"csrf", hashlib.sha256).hexdigest()
