"""The real daemon in a house of its own, for one test or for a module's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.running import short_place
from support.secured_daemon import SecuredDaemon


@pytest.fixture
def house() -> Iterator[SecuredDaemon]:
    with short_place() as place:
        made = SecuredDaemon(place)
        yield made
        made.close()


@pytest.fixture(scope="module")
def running() -> Iterator[SecuredDaemon]:
    """A running daemon that a module's tests share."""
    with short_place() as place:
        made = SecuredDaemon(place).up()
        yield made
        made.close()
