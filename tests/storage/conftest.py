"""What the tests of storage share: a Postgres that may be crashed, and how long the long versions last."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.postgres import Postgres
from support.running import short_place


@pytest.fixture
def place() -> Iterator[Path]:
    with short_place() as directory:
        yield directory


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    yield server
    server.close()


@pytest.fixture(scope="session")
def long() -> bool:
    """Whether the long version is asked for: `make soak-postgres` and `make soak-storage` do."""
    return bool(os.environ.get("TOCSIN_LONG"))
