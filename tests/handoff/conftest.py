"""A world with an error, and the command `tocsin` on its database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from support.world import World, an_error

from tocsin.daemon.cli import tocsin
from tocsin.daemon.failure import Failed
from tocsin.daemon.store.database import open_store
from tocsin.handler.protocol.event import Frame, Raised


class Command:
    """`tocsin` in this process, on a database of its own."""

    def __init__(self, directory: Path) -> None:
        self.config = directory / "tocsin.toml"
        self.config.write_text(
            f'[daemon]\nstate_dir = "{directory}"\n[mail]\nadmin = ["ops@tocsin.example"]\n'
        )

    def __call__(self, *words: object) -> Result:
        result = CliRunner().invoke(tocsin, ["--config", str(self.config), *map(str, words)])
        if result.exception is not None and not isinstance(result.exception, (SystemExit, Failed)):
            raise result.exception
        return result

    def ask(self, *words: object) -> Any:
        return json.loads(self(*words, "--json").stdout)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    store = open_store(f"sqlite:///{tmp_path / 'tocsin.db'}")
    yield World(store)
    store.close()


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The developer's checkout, corrected."""
    root = tmp_path / "checkout"
    (root / "shop").mkdir(parents=True)
    (root / "shop" / "orders.py").write_text(
        "PRICES = {'A': 1}\n\n\ndef price(sku):\n    return PRICES.get(sku, 0)\n"
    )
    return root


@pytest.fixture
def failed(world: World) -> World:
    """An error with a ticket, that can be reproduced."""
    frame = Frame("/srv/app/shop/orders.py", "shop.orders", "price", 5, {"sku": "'B'"}, {"sku": "B"})
    event = an_error(at=world.now, client="martin", exception=Raised("KeyError", "'B'", (frame,)))
    world.app().log(event, event, event)
    return world
