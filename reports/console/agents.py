"""`/mcp`: the MCP server over HTTP, for agents elsewhere. Who asks is told by a token; what it may, by its scopes."""

from __future__ import annotations

import asyncio
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from tocsin.reports.console import identity
from tocsin.reports.console.answers import problem
from tocsin.reports.console.authorisation import Role, Who
from tocsin.reports.console.body import Refused, read_body
from tocsin.reports.console.site import Site

PATH = "/mcp"
CALLER = "tocsin.caller"
"""Under this name a request's scope holds who sent it."""


class Agents:
    """An ASGI endpoint. What speaks the protocol is loaded at the first request: it takes memory."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._end = asyncio.Event()
        self._manager: Any = None
        self._running: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        who = await self._site.workers.run(
            identity.by_token, self._site.store, Headers(scope=scope), self._site.now()
        )
        refused = self._refusal(scope, who)
        if refused is None and not find_spec("mcp"):
            refused = problem(
                404, "There is no such thing", "pip install 'tocsin[agents]' beside the console"
            )
        if refused is not None:
            await refused(scope, receive, send)
            return
        try:
            body = await read_body(Request(scope, receive))
        except Refused as error:
            await problem(error.status, "The body is too large, or comes too slowly")(scope, receive, send)
            return
        scope[CALLER] = who
        await self._start()

        async def again() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        await self._manager.handle_request(scope, again, send)

    async def close(self) -> None:
        """Ends what the first request began."""
        self._end.set()
        if self._running is not None:
            await self._running

    def _refusal(self, scope: Scope, who: Who) -> Response | None:
        """The answer to a request that is not let in. A browser's page elsewhere has an Origin of its own."""
        headers, site = Headers(scope=scope), self._site
        origin = headers.get("origin")
        if origin is not None and origin.lower() != f"{scope['scheme']}://{headers.get('host', '')}".lower():
            return problem(403, "This origin may not ask")
        if who.role is not Role.TOKEN:
            response = problem(401, "A valid token is needed")
            response.headers["WWW-Authenticate"] = "Bearer"
            return response
        if who.client_id is not None:
            return problem(403, "A client's token reads its tickets by the API")
        if waits := site.calls.wait(who.name, site.now()):
            response = problem(429, "Too many calls; Retry-After says when to go on")
            response.headers["Retry-After"] = str(int(waits) + 1)
            return response
        site.calls.count(who.name, site.now())
        return None

    async def _start(self) -> None:
        async with self._starting:
            if self._manager is not None:
                return
            mcp = import_module("tocsin.reports.mcp.server")
            transport = import_module("mcp.server.streamable_http_manager")
            site = self._site
            access = mcp.Access(site.store, site.config, site.now, _caller, site.workers.run)
            # Each request stands alone: nothing is kept between them, and nothing is streamed.
            manager = transport.StreamableHTTPSessionManager(
                app=mcp.make_server(access), json_response=True, stateless=True
            )
            up = asyncio.Event()
            self._running = asyncio.create_task(self._run(manager, up))
            await up.wait()
            self._manager = manager

    async def _run(self, manager: Any, up: asyncio.Event) -> None:
        async with manager.run():
            up.set()
            await self._end.wait()


def _caller(context: Any) -> Any:
    who = context.request.scope[CALLER]
    return import_module("tocsin.reports.mcp.server").Caller(who.name, who.scopes)
