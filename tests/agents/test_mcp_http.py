"""The same over HTTP: `/mcp` of the real console, with a token; the client is the official one."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import anyio
import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from support.daemon_process import DaemonProcess
from support.waiting import until
from support.world import World

from tocsin.daemon.accounts import tokens
from tocsin.daemon.runtime import clock
from tocsin.reports.mcp.tools import TOOLS

INITIALIZE = {
    "jsonrpc": "2.0", "id": 1, "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}  # fmt: skip
ACCEPT = {"Accept": "application/json, text/event-stream"}


class ConsoleProcess(DaemonProcess):
    """`tocsin console` by itself, on the world's database."""

    def __init__(self, place: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"http://127.0.0.1:{probe.getsockname()[1]}"
        listen = self.address.removeprefix("http://")
        super().__init__(place, f'[daemon]\nstate_dir = "{place}"\n[console]\nlisten = "{listen}"\n')

    def up(self, **environ: str) -> Self:
        """Starts it and waits until it listens."""
        self.process = subprocess.Popen(
            self.command("console"),
            env={**self.environ, **environ},
            cwd=self.place,
            stdout=self.log,
            stderr=self.log,
        )
        assert until(lambda: self.said("console_up") > 0), self.written()
        return self


class Endpoint:
    """`/mcp` of a console, and those who ask it."""

    def __init__(self, address: str, world: World) -> None:
        self.address = f"{address}/mcp"
        self._world = world

    def token(self, *scopes: str, name: str = "robot", client: str | None = None) -> dict[str, str]:
        made = tokens.add(self._world.store, name, scopes, "ana", clock.now(), client_id=client)
        return {"Authorization": f"Bearer {made}"}

    def ask(self, headers: dict[str, str], tool: str, **arguments: Any) -> Any:
        """What a tool answers to the official client."""

        async def run() -> Any:
            async with (
                httpx2.AsyncClient(headers=headers) as http,
                Client(streamable_http_client(self.address, http_client=http)) as client,
            ):
                return await client.call_tool(tool, arguments)

        return anyio.run(run)

    def post(self, headers: dict[str, str], body: Any = INITIALIZE) -> httpx2.Response:
        return httpx2.post(self.address, json=body, headers={**ACCEPT, **headers}, timeout=30)


@pytest.fixture
def endpoint(world: World, tmp_path: Path) -> Iterator[Endpoint]:
    with ConsoleProcess(tmp_path) as console:
        yield Endpoint(console.address, world)


def test_an_agent_elsewhere_asks_with_a_token(endpoint: Endpoint) -> None:
    done = endpoint.ask(endpoint.token("read"), "left_to_do")
    assert [one["id"] for one in done.structured_content["untrusted"]] == [1]


def test_a_token_that_may_correct_claims_in_its_own_name(endpoint: Endpoint) -> None:
    done = endpoint.ask(endpoint.token("read", "correct"), "claim_error", error_id=1)
    assert done.structured_content["untrusted"]["claimed_by"] == "robot"


def test_a_token_that_reads_cannot_write(endpoint: Endpoint) -> None:
    done = endpoint.ask(endpoint.token("read"), "claim_error", error_id=1)
    assert done.is_error
    assert "needs the scope 'correct'" in done.structured_content["refused"]


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic eDp5"}]
)
def test_without_a_valid_token_nobody_is_let_in(endpoint: Endpoint, headers: dict[str, str]) -> None:
    answer = endpoint.post(headers)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_a_client_s_token_is_not_for_agents(endpoint: Endpoint) -> None:
    assert endpoint.post(endpoint.token("read", client="martin")).status_code == 403


def test_a_page_of_another_origin_may_not_ask(endpoint: Endpoint) -> None:
    headers = {**endpoint.token("read"), "Origin": "https://evil.example"}
    assert endpoint.post(headers).status_code == 403


def test_another_host_s_name_is_refused(endpoint: Endpoint) -> None:
    assert endpoint.post({**endpoint.token("read"), "Host": "evil.example"}).status_code == 421


def test_a_body_that_is_too_large_is_refused(endpoint: Endpoint) -> None:
    assert endpoint.post(endpoint.token("read"), {"x": "y" * 1_000_001}).status_code == 413


def test_what_is_no_request_is_answered_by_the_protocol(endpoint: Endpoint) -> None:
    assert endpoint.post(endpoint.token("read"), {"jsonrpc": "2.0"}).status_code == 400


def test_each_tool_that_changes_needs_more_than_reading() -> None:
    assert {one.scope for one in TOOLS if one.reads} == {"read"}
    assert {one.scope for one in TOOLS if not one.reads} == {"correct"}
