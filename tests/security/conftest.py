"""The real daemon in a house of its own, for one test or for a module's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.house import House
from support.running import short_place


@pytest.fixture
def house() -> Iterator[House]:
    with short_place() as place:
        made = House(place)
        yield made
        made.close()


@pytest.fixture(scope="module")
def running() -> Iterator[House]:
    """A running daemon that a module's tests share."""
    with short_place() as place:
        made = House(place).start()
        yield made
        made.close()
