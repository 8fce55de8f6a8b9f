"""Requests' clients, methods and paths are bound while they are served, and not a moment longer."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils.functional import SimpleLazyObject

from tocsin.handler import TocsinHandler
from tocsin.handler.capture.context import current, unbind
from tocsin.handler.middleware import AsgiMiddleware, WsgiMiddleware, django_middleware

ENVIRON = {
    "REQUEST_METHOD": "POST",
    "SCRIPT_NAME": "/shop",
    "PATH_INFO": "/cart",
    "QUERY_STRING": "token=s3cret",
    "HTTP_X_CLIENT": "acme",
}
SEEN = ("acme", {"method": "POST", "path": "/shop/cart"})
NOTHING: tuple[None, dict[str, str]] = (None, {})


def bound() -> tuple[str | None, dict[str, Any]]:
    client, context = current()
    return client, dict(context)


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    unbind()
    yield
    unbind()


def by_header(environ: dict[str, str]) -> str:
    return environ["HTTP_X_CLIENT"]


def test_a_wsgi_request_is_bound_until_its_body_is_closed() -> None:
    seen = []

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        seen.append(bound())
        yield b"one"
        seen.append(bound())

    body = WsgiMiddleware(application, by_header)(dict(ENVIRON), None)
    assert list(body) == [b"one"]
    assert seen == [SEEN, SEEN]
    body.close()  # type: ignore[attr-defined]
    assert bound() == NOTHING


def test_a_wsgi_application_that_raises_leaves_nothing_bound() -> None:
    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        WsgiMiddleware(application, by_header)(dict(ENVIRON), None)
    assert bound() == NOTHING


def test_concurrent_asgi_requests_each_see_their_own() -> None:
    seen: dict[str, Any] = {}

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await scope["all_in"].wait()
        seen[scope["client_id"]] = bound()

    middleware = AsgiMiddleware(application, lambda scope: str(scope["client_id"]))

    async def serve() -> None:
        every = {"type": "http", "method": "GET", "all_in": asyncio.Barrier(20)}
        scopes = [{**every, "path": f"/{n}", "client_id": f"c{n}"} for n in range(20)]
        await asyncio.gather(*(middleware(scope, None, None) for scope in scopes))

    asyncio.run(serve())
    assert seen == {f"c{n}": (f"c{n}", {"method": "GET", "path": f"/{n}"}) for n in range(20)}


def test_an_asgi_lifespan_is_passed_through() -> None:
    seen = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.append(bound())

    asyncio.run(AsgiMiddleware(application)({"type": "lifespan"}, None, None))
    assert seen == [NOTHING]


def a_request(name: str | None) -> Any:
    user = SimpleNamespace(is_authenticated=name is not None, get_username=lambda: name)
    return SimpleNamespace(user=user, method="GET", path="/cart")


def test_a_django_requests_user_is_the_client() -> None:
    assert django_middleware(lambda request: bound())(a_request("martin"))[0] == "martin"
    assert django_middleware(lambda request: bound())(a_request(None))[0] is None
    assert bound() == NOTHING


def test_an_asynchronous_django_view_is_awaited_within_the_binding() -> None:
    async def view(request: Any) -> Any:
        await asyncio.sleep(0)  # The scenario: a view that gives its turn away.
        return bound()

    async def serve() -> Any:
        return await django_middleware(view)(a_request("martin"))

    assert asyncio.run(serve()) == ("martin", {"method": "GET", "path": "/cart"})


def test_a_request_in_the_context_of_an_earlier_one_is_not_its_clients() -> None:
    contexts = []
    seen = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        contexts.append(contextvars.copy_context())
        seen.append(bound()[0])

    middleware = AsgiMiddleware(application, lambda scope: scope["client_id"])
    first = {"type": "http", "method": "GET", "path": "/", "client_id": "acme"}

    async def serve() -> None:
        await middleware(first, None, None)
        await asyncio.create_task(middleware({**first, "client_id": None}, None, None), context=contexts[0])

    asyncio.run(serve())
    assert seen == ["acme", None]


class Kept(TocsinHandler):
    """Keeps the records instead of shipping them."""

    def __init__(self) -> None:
        logging.Handler.__init__(self, logging.ERROR)
        self.kept: list[tuple[str | None, logging.LogRecord]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.kept.append((current()[0], record))

    def close(self) -> None:
        logging.Handler.close(self)

    def flush(self) -> None:
        return


@pytest.fixture
def kept() -> Iterator[Kept]:
    handler = Kept()
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)


async def fails(scope: Any, receive: Any, send: Any) -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize("reaches", [False, True])
def test_an_exception_that_leaves_an_asgi_application_is_logged_once_as_its_clients(
    kept: Kept, reaches: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = logging.getLogger("uvicorn.error")
    monkeypatch.setattr(server, "propagate", reaches)
    scope = {"type": "http", "method": "GET", "path": "/"}
    try:
        asyncio.run(AsgiMiddleware(fails, lambda scope: "acme")(scope, None, None))
    except ZeroDivisionError:
        server.exception("Exception in ASGI application")
    assert [client for client, _ in kept.kept] == ["acme"]


@pytest.mark.parametrize("late", [False, True])
def test_an_exception_that_leaves_a_wsgi_application_is_logged_as_its_clients(
    kept: Kept, late: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("gunicorn.error"), "propagate", False)

    def body() -> Iterator[bytes]:
        yield b"one"
        raise ZeroDivisionError

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if not late:
            raise ZeroDivisionError
        return body()

    with pytest.raises(ZeroDivisionError):
        list(WsgiMiddleware(application, by_header)(dict(ENVIRON), None))
    assert [client for client, _ in kept.kept] == ["acme"]


def test_an_application_that_cannot_start_is_reported(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("uvicorn.error"), "propagate", False)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(AsgiMiddleware(fails)({"type": "lifespan"}, None, None))
    assert [client for client, _ in kept.kept] == [None]


def test_a_visitor_without_a_session_is_not_asked_for_a_user() -> None:
    user = SimpleLazyObject(lambda: pytest.fail("asked"))
    request = SimpleNamespace(user=user, session=SimpleNamespace(session_key=None), method="GET", path="/")
    assert django_middleware(lambda request: bound())(request)[0] is None


def test_a_django_user_found_in_the_view_is_the_client_when_the_view_raises() -> None:
    request = a_request(None)

    def get_response(request: Any) -> Any:
        request.user = a_request("martin").user
        middleware.process_exception(request, ValueError())  # type: ignore[attr-defined]
        return bound()

    middleware = django_middleware(get_response)
    assert middleware(request)[0] == "martin"


def test_a_client_function_that_fails_does_not_cost_the_request() -> None:
    def broken(request: Any) -> str:
        raise KeyError("user")

    assert django_middleware(lambda request: bound(), client=broken)(a_request("martin"))[0] is None
