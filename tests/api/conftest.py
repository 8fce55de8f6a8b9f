"""What the API's tests share: a console on a lived database, and those who call it with tokens."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from support.console import Browser, Console
from support.world import SETTINGS, World

from tocsin.daemon.accounts import tokens

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
