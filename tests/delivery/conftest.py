"""What the tests of delivery share: a real daemon of their own."""

from __future__ import annotations

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
