"""One daemon for a module's examples; the services have names of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.running import short_place
from support.served import Tocsin


@pytest.fixture(scope="module")
def tocsin() -> Iterator[Tocsin]:
    with short_place() as place:
        daemon = Tocsin(place)
        daemon.up()
        yield daemon
        daemon.close()
