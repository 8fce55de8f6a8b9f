"""A world with an error, and the MCP server on its database as an agent's program starts it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import StdioServerParameters
from mcp.client.client import Client
from support.world import World, an_error

from tocsin.daemon.store.database import open_store
from tocsin.handler.protocol.event import Frame, Raised

Ask = Callable[..., Any]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """One error with a ticket, in `tocsin.db` beside `tocsin.toml`."""
    (tmp_path / "tocsin.toml").write_text(f'[daemon]\nstate_dir = "{tmp_path}"\n')
    store = open_store(f"sqlite:///{tmp_path / 'tocsin.db'}")
    made = World(store)
    frame = Frame("/srv/shop/orders.py", "shop.orders", "price", 5, {"sku": "'B'"}, {"sku": "B"})
    event = an_error(at=made.now, exception=Raised("KeyError", "'B'", (frame,)))
    made.app("shop").log(event, event, event)
    yield made
    store.close()


@pytest.fixture
def agent(world: World, tmp_path: Path) -> Callable[..., AbstractAsyncContextManager[Client]]:
    """Starts `tocsin mcp` and gives the official client of it."""

    def start(*words: str) -> Client:
        command = [
            "-m",
            "tocsin.daemon",
            "--config",
            str(tmp_path / "tocsin.toml"),
            "mcp",
            "--by",
            "robot",
            *words,
        ]
        return Client(StdioServerParameters(command=sys.executable, args=command))

    return start


@pytest.fixture
def ask(agent: Callable[..., Any]) -> Ask:
    """Calls one tool of a fresh server; gives (whether it was refused, the structured answer)."""

    def asked(tool: str, /, *words: str, **arguments: Any) -> tuple[bool, Any]:
        async def run() -> tuple[bool, Any]:
            async with agent(*words) as client:
                done = await client.call_tool(tool, arguments)
                return bool(done.is_error), done.structured_content

        return anyio.run(run)

    return asked
