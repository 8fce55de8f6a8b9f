"""The table of everything that the console answers; what is not in it does not exist."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from starlette.responses import Response

from tocsin.reports.console import sign_in, static
from tocsin.reports.console.authorisation import Of, Right
from tocsin.reports.console.request import ConsoleRequest


class Route(Struct, frozen=True):
    """One method of one path, the right it asks for and the function that answers, in a thread.

    `api`: its sender is known by a token alone, never by a cookie, and what is wrong is told as problem+json.
    """

    method: str
    path: str
    right: Right
    answer: Callable[[ConsoleRequest], Response]
    of: Of = Of.EVERYTHING
    api: bool = False


ROUTES: tuple[Route, ...] = (
    Route("GET", "/", Right.EVERYBODY, sign_in.home),
    Route("GET", "/static/{name}", Right.EVERYBODY, static.file),
    Route("GET", "/sign-in", Right.EVERYBODY, sign_in.form),
    Route("POST", "/sign-in", Right.EVERYBODY, sign_in.by_password),
    Route("POST", "/sign-out", Right.SIGNED_IN, sign_in.sign_out),
    Route("GET", "/one-time/{token}", Right.EVERYBODY, sign_in.one_time),
    Route("POST", "/one-time/{token}", Right.EVERYBODY, sign_in.use_one_time),
    Route("GET", "/link/{text}", Right.EVERYBODY, sign_in.ticket_link),
    Route("POST", "/link/{text}", Right.EVERYBODY, sign_in.open_ticket),
)
