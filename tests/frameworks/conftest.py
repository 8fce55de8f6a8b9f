"""One daemon for a module's examples; the services have names of their own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from support.running import short_place
from support.served import Tocsin


@contextlib.contextmanager
def running() -> Iterator[Tocsin]:
    with short_place() as place:
        daemon = Tocsin(place)
        daemon.up()
        try:
            yield daemon
        finally:
            daemon.close()


@pytest.fixture(scope="module")
def tocsin() -> Iterator[Tocsin]:
    with running() as daemon:
        yield daemon


@pytest.fixture
def alone() -> Iterator[Tocsin]:
    """One for this test only."""
    with running() as daemon:
        yield daemon
