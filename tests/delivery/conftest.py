"""What the tests of delivery share: a real daemon of their own, and how long the long versions last."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.running import Daemon, short_place


@pytest.fixture
def place() -> Iterator[Path]:
    with short_place() as directory:
        yield directory


@pytest.fixture
def daemon(place: Path) -> Iterator[Daemon]:
    """Not started yet."""
    made = Daemon(place)
    yield made
    made.close()


@pytest.fixture(scope="session")
def soak() -> int:
    """How many times as long as usual a test lasts: `make soak` sets it."""
    return int(os.environ.get("TOCSIN_SOAK", "1"))
