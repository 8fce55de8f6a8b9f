"""Each test gets a copy of the database that the example bugs left, and a checkout with the broken code."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.bug_records import make_project, record_bugs

from tocsin.daemon.config import Config, parse
from tocsin.daemon.store.database import Store, open_store


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SQLite database of a daemon to which every bug was shipped three times."""
    return record_bugs(tmp_path_factory.mktemp("b"))


@pytest.fixture
def store(recorded: Path, tmp_path: Path) -> Iterator[Store]:
    """A copy of that database."""
    shutil.copy(recorded, tmp_path / "tocsin.db")
    store = open_store(f"sqlite:///{tmp_path / 'tocsin.db'}")
    yield store
    store.close()


@pytest.fixture
def config() -> Config:
    return parse({"mail": {"admin": ["ops@tocsin.example"]}}, {})


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The developer's checkout with the broken code."""
    make_project(tmp_path / "checkout")
    return tmp_path / "checkout"
