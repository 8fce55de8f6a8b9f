"""What the tests of delivery share: a real daemon of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.crowd import Crowd
from support.running import Daemon, short_place


@pytest.fixture
def place() -> Iterator[Path]:
    with short_place() as directory:
        yield directory


@pytest.fixture
def database() -> str:
    """On which kind the daemon works: a test that is parametrized by it runs on others too."""
    return "sqlite"


@pytest.fixture
def daemon(place: Path, database: str, request: pytest.FixtureRequest) -> Iterator[Daemon]:
    """Not started yet."""
    made = Daemon(place, request.getfixturevalue("postgres_url") if database == "postgres" else "")
    yield made
    made.close()


@pytest.fixture
def crowd(daemon: Daemon) -> Iterator[Crowd]:
    made = Crowd(daemon)
    yield made
    made.end()
