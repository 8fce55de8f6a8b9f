"""The MCP server on standard input and output, for an agent on the daemon's machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
from mcp.server.stdio import stdio_server

from tocsin.daemon.config import Config
from tocsin.daemon.store.database import Store
from tocsin.reports.mcp.server import Access, Caller, make_server


def serve(store: Store, config: Config, by: str, now: Callable[[], float], *, write: bool) -> None:
    """Answers until standard input ends. Without `write` nothing can be changed."""
    caller = Caller(by, frozenset({"read", "correct"} if write else {"read"}))

    async def at_once(call: Callable[[], Any]) -> Any:
        return call()

    server = make_server(Access(store, config, now, lambda _context: caller, at_once))

    async def answer() -> None:
        async with stdio_server() as (given, answers):
            await server.run(given, answers, server.create_initialization_options())

    anyio.run(answer)
