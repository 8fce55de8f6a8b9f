"""Twelve bugs run under a real handler, shipped to a real daemon; each test gets the database they left."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.daemon_process import DaemonProcess
from support.waiting import until

from tocsin.daemon import queries
from tocsin.daemon.config import Config, parse
from tocsin.daemon.store.database import Store, open_store

ROOT = Path(__file__).parents[2]
BUGS = ROOT / "examples" / "bugs"
PATIENCE = 60.0


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SQLite database of a daemon to which every bug was shipped three times."""
    here = tmp_path_factory.mktemp("b")
    config = f'[daemon]\nlisten = ["ipc://{here}/s"]\nstate_dir = "{here}/state"\n'
    server = here / "srv" / "bugs"
    shutil.copytree(BUGS / "broken", server / "app")
    with DaemonProcess(here, config) as daemon:
        run = [sys.executable, str(BUGS / "run.py"), f"ipc://{here}/s", str(here / "spool"), str(server)]
        done = subprocess.run(run, env=daemon.environ, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        database = here / "state" / "tocsin.db"
        store = open_store(f"sqlite:///{database}")
        assert until(lambda: sum(e.occurrences for e in queries.errors(store)) == int(done.stdout))
        store.close()
        daemon.kill(signal.SIGTERM)
    return database


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
    shutil.copytree(BUGS / "broken", tmp_path / "checkout" / "app")
    return tmp_path / "checkout"
