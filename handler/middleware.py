"""Each request's client, method and path, bound while it is served: WSGI, ASGI, Django. Imports none of them.

The path goes without its query; like every bound value it is scrubbed when an error is logged.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from typing import Any

from tocsin.handler.context import Binding, bind

Client = Callable[[Any], str | None]
"""From the framework's request (WSGI: environ, ASGI: scope) to the client's id, None when it has none."""
Scope = MutableMapping[str, Any]


class WsgiMiddleware:
    """`application = WsgiMiddleware(application, client=lambda environ: environ.get("REMOTE_USER"))`."""

    def __init__(self, application: Callable[..., Iterable[bytes]], client: Client | None = None) -> None:
        self._application = application
        self._client = client

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = str(environ.get("SCRIPT_NAME", "")) + str(environ.get("PATH_INFO", ""))
        binding = _bound(self._client, environ, str(environ.get("REQUEST_METHOD", "")), path)
        try:
            return _Body(self._application(environ, start_response), binding)
        except BaseException:
            binding.restore()
            raise


class _Body:
    """A response that is still being made while the server reads it; the binding lasts until it is closed."""

    def __init__(self, body: Iterable[bytes], binding: Binding) -> None:
        self._body = body
        self._binding = binding

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        """Servers call it in every case, as PEP 3333 demands."""
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            self._binding.restore()


class AsgiMiddleware:
    """`app.add_middleware(AsgiMiddleware, client=lambda scope: ...)`, or around the application itself."""

    def __init__(self, app: Callable[..., Awaitable[None]], client: Client | None = None) -> None:
        self._app = app
        self._client = client

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope.get("type") not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        method = str(scope.get("method", "WEBSOCKET"))
        with _bound(self._client, scope, method, str(scope.get("path", ""))):
            await self._app(scope, receive, send)


def django_user(request: Any) -> str | None:
    """The name of a Django request's user, None for nobody. Loads the session, as `request.user` does."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return None
    return str(user.get_username())


def django_middleware(
    get_response: Callable[[Any], Any], client: Client = django_user
) -> Callable[[Any], Any]:
    """For MIDDLEWARE, below AuthenticationMiddleware: `"tocsin.handler.middleware.django_middleware"`.

    The client is the request's user; for another, name a function of your own that returns
    `django_middleware(get_response, client=...)`.
    """
    if inspect.iscoroutinefunction(get_response):

        async def later(request: Any) -> Any:
            with _bound(client, request, request.method or "", request.path):
                return await get_response(request)

        return later

    def middleware(request: Any) -> Any:
        with _bound(client, request, request.method or "", request.path):
            return get_response(request)

    return middleware


# What Django asks of a middleware that is a function.
django_middleware.sync_capable = True  # type: ignore[attr-defined]
django_middleware.async_capable = True  # type: ignore[attr-defined]


def _bound(client: Client | None, request: Any, method: str, path: str) -> Binding:
    return bind(client=_asked(client, request), method=method, path=path)


def _asked(client: Client | None, request: Any) -> str | None:
    """Whose request it is. A fault in the application's own function must not cost it the request."""
    if client is None:
        return None
    try:
        found = client(request)
    except Exception:
        return None
    return None if found is None else str(found)
