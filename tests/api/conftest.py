"""What the API's tests share: a console on a lived database, and those who call it with tokens."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
import uvicorn
from msgspec import structs
from support.console import Browser, Console
from support.waiting import until
from support.world import SETTINGS, World

from tocsin.daemon.accounts import tokens
from tocsin.reports.console.app import make_app
from tocsin.reports.console.server import settings
from tocsin.reports.console.site import Site

SCOPES = tokens.SCOPES


class Api:
    """The API over one database: a ticket of martin's and one of acme's, each of an error of its own."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.app = world.app()
        self.app.fail(3, client="martin")
        self.app.fail(3, function="weigh", client="acme")
        self.console = Console(world.store, world.config, world.now)
        self._numbers = count(1)

    def caller(self, *scopes: str, client: str | None = None, name: str = "", **more: Any) -> Browser:
        """A script with a token of these scopes, all of them where none is named."""
        name = name or f"script {next(self._numbers)}"
        token = tokens.add(
            self.world.store, name, scopes or SCOPES, "ana", self.console.now, client_id=client, **more
        )
        return self.with_token(token)

    def with_token(self, token: str) -> Browser:
        return self.console.browser(authorization=f"Bearer {token}")


@pytest.fixture
def api(world: World) -> Iterator[Api]:
    world.configure({**SETTINGS, "organisation": {"name": "Atelier"}})
    made = Api(world)
    yield made
    made.console.site.workers.close()


@pytest.fixture
def address(api) -> Iterator[str]:
    """A console that listens, on the clock of the machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    config = structs.replace(
        api.world.config, console=structs.replace(api.world.config.console, listen=listen)
    )
    app = make_app(Site(api.world.store, config))
    server = uvicorn.Server(settings(config, app))
    thread = threading.Thread(target=server.run)
    thread.start()
    assert until(lambda: server.started)
    yield f"http://{listen}"
    server.should_exit = True
    thread.join(30)
