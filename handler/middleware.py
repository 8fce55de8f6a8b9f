"""Each request's client, method and path, bound while it is served: WSGI, ASGI, Django. Imports none of them.

The path goes without its query; like every bound value it is scrubbed when an error is logged. A request
begins with nothing else bound. An exception that leaves the application is logged by the server, to a logger
of its own; where that does not lead to our handler on the root logger, the middleware hands it the exception.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from typing import Any

from tocsin.handler.capture.context import Binding, bind, bind_only, current
from tocsin.handler.capture.values import attributes_of
from tocsin.handler.emit import TocsinHandler
from tocsin.handler.exception_hooks import attached, report_unless_logged
from tocsin.handler.settling import settling

Client = Callable[[Any], Any]
"""From the framework's request (WSGI: environ, ASGI: scope) to the client's id, None when it has none."""
Scope = MutableMapping[str, Any]

_HOST_LIMIT = 255
"""Characters of a host's name; no name in DNS is longer."""
_WSGI_SERVERS = ("gunicorn.error",)
_ASGI_SERVERS = ("uvicorn.error", "hypercorn.error")
"""Loggers that keep what they log from the root logger."""


class WsgiMiddleware:
    """`application = WsgiMiddleware(application, client=lambda environ: environ.get("REMOTE_USER"))`."""

    def __init__(self, application: Callable[..., Iterable[bytes]], client: Client | None = None) -> None:
        self._application = application
        self._client = client

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        __tracebackhide__ = True
        _serving()
        path = str(environ.get("SCRIPT_NAME", "")) + str(environ.get("PATH_INFO", ""))
        client = _asked(self._client, environ)
        binding = bind_only(client=client, method=str(environ.get("REQUEST_METHOD", "")), path=path)
        try:
            return _Body(self._application(environ, start_response), binding)
        except BaseException as error:
            _left(error, _WSGI_SERVERS)
            binding.__exit__(type(error), error, error.__traceback__)
            raise


class _Body:
    """A response that is still being made while the server reads it; the binding lasts until it is closed."""

    def __init__(self, body: Iterable[bytes], binding: Binding) -> None:
        self._body = body
        self._binding = binding

    def __iter__(self) -> Iterator[bytes]:
        __tracebackhide__ = True
        try:
            yield from self._body
        except Exception as error:
            _left(error, _WSGI_SERVERS)
            raise

    def close(self) -> None:
        """Servers call it in every case, as PEP 3333 demands."""
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            error = sys.exc_info()[1]
            self._binding.__exit__(type(error) if error else None, error, None)


class AsgiMiddleware:
    """`app.add_middleware(AsgiMiddleware, client=lambda scope: ...)`, or around the application itself.

    Add it last: the last added is the outermost.
    """

    def __init__(self, app: Callable[..., Awaitable[None]], client: Client | None = None) -> None:
        self._app = app
        self._client = client

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        __tracebackhide__ = True
        if scope.get("type") == "lifespan":
            await self._live(scope, receive, send)
            return
        _serving()
        client = await _awaited(self._client, scope)
        method = str(scope.get("method", "WEBSOCKET"))
        with bind_only(client=client, method=method, path=str(scope.get("path", ""))):
            try:
                await self._app(scope, receive, send)
            except Exception as error:
                _left(error, _ASGI_SERVERS)
                raise

    async def _live(self, scope: Scope, receive: Any, send: Any) -> None:
        """From start to shut-down, after which uvicorn ends its process by a signal: no exit handler runs."""
        __tracebackhide__ = True
        settling.now()
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            _left(error, _ASGI_SERVERS)
            raise
        finally:
            for handler in attached(TocsinHandler):
                handler.flush()


def by_host(request: Any) -> str | None:
    """For `client=`: the host that a request asks for, of a WSGI environ, an ASGI scope or a Django request.

    What a browser says: the daemon makes a client of it only where a `[[client]]` lists it among its `hosts`.
    """
    if not isinstance(request, MutableMapping):
        return str(request.get_host())[:_HOST_LIMIT].lower()
    if "headers" in request:
        headers = dict(request["headers"])
        return str(headers.get(b"host", b"").decode("latin-1"))[:_HOST_LIMIT].lower() or None
    return str(request.get("HTTP_HOST") or request.get("SERVER_NAME") or "")[:_HOST_LIMIT].lower() or None


def django_user(request: Any) -> str | None:
    """The name of a Django request's user, None for nobody. Loads the session, as `request.user` does.

    Not of a visitor who has none: the look alone would make the answer vary by cookie, and no cache keep it.
    """
    user = getattr(request, "user", None)
    if user is None or (_not_loaded(user) and not _has_session(request)) or not user.is_authenticated:
        return None
    return str(user.get_username())


def django_middleware(
    get_response: Callable[[Any], Any], client: Client = django_user
) -> Callable[[Any], Any]:
    """For MIDDLEWARE, below AuthenticationMiddleware, under its full name
    `"tocsin.handler.middleware.django_middleware"`.

    The client is the request's user; for another, name a function of your own that returns
    `django_middleware(get_response, client=...)`. It is asked before the view, and again when the view raised
    and nobody was found: Django REST framework, for one, finds the user in the view.
    """

    def process_exception(request: Any, exception: Exception) -> None:
        if current()[0] is None:
            bind(client=_asked(client, request))

    middleware: Any
    if inspect.iscoroutinefunction(get_response):

        async def later(request: Any) -> Any:
            found = await _awaited(_in_djangos_thread(client), request)
            with bind_only(client=found, method=request.method or "", path=request.path):
                return await get_response(request)

        middleware = later
    else:

        def at_once(request: Any) -> Any:
            with bind_only(client=_asked(client, request), method=request.method or "", path=request.path):
                return get_response(request)

        middleware = at_once
    middleware.process_exception = process_exception
    return middleware  # type: ignore[no-any-return]


# What Django asks of a middleware that is a function.
django_middleware.sync_capable = True  # type: ignore[attr-defined]
django_middleware.async_capable = True  # type: ignore[attr-defined]


def _not_loaded(user: object) -> bool:
    """Whether it is Django's lazy object, which nobody has asked anything yet."""
    return type((attributes_of(user) or {}).get("_wrapped")) is object


def _has_session(request: Any) -> bool:
    return getattr(getattr(request, "session", None), "session_key", None) is not None


def _in_djangos_thread(client: Client) -> Client:
    """A synchronous function as asynchronous Django may ask it: the user comes from the database."""
    asgiref = sys.modules.get("asgiref.sync")
    if asgiref is None or inspect.iscoroutinefunction(client):
        return client
    return asgiref.sync_to_async(client)  # type: ignore[no-any-return]


def _serving() -> None:
    """A request: the program has settled."""
    if settling.pending:
        settling.now()


def _left(error: BaseException, servers: tuple[str, ...]) -> None:
    if isinstance(error, Exception):
        report_unless_logged(error, TocsinHandler, servers)


def _asked(client: Client | None, request: Any) -> str | None:
    """Whose request it is. A fault in the application's own function must not cost it the request."""
    if client is None:
        return None
    try:
        found = client(request)
    except Exception:
        return None
    return None if found is None else str(found)


async def _awaited(client: Client | None, request: Any) -> str | None:
    """As `_asked`; `client` may be asynchronous."""
    if client is None:
        return None
    try:
        found = client(request)
        if inspect.isawaitable(found):
            found = await found
    except Exception:
        return None
    return None if found is None else str(found)
