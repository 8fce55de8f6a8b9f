"""One daemon for a module's examples; the services have names of their own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from support.example_programs import ExamplesDaemon
from support.running import short_place


@contextlib.contextmanager
def running() -> Iterator[ExamplesDaemon]:
    with short_place() as place:
        daemon = ExamplesDaemon(place)
        daemon.up()
        try:
            yield daemon
        finally:
            daemon.close()


@pytest.fixture(scope="module")
def tocsin() -> Iterator[ExamplesDaemon]:
    with running() as daemon:
        yield daemon


@pytest.fixture
def alone() -> Iterator[ExamplesDaemon]:
    """One for this test only."""
    with running() as daemon:
        yield daemon
