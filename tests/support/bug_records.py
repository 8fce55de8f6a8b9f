"""The example bugs run under a real handler and shipped to a real daemon: the database that it leaves."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

from support.daemon_process import DaemonProcess
from support.waiting import until
from tocsin.daemon import queries
from tocsin.daemon.store.database import open_store

ROOT = Path(__file__).parents[2]
BUGS = ROOT / "examples" / "bugs"
NAMES = sorted(path.stem for path in (BUGS / "broken").glob("*.py"))
PATIENCE = 60.0


def make_project(directory: Path) -> None:
    """The project with the broken code."""
    shutil.copytree(BUGS / "project", directory, dirs_exist_ok=True)
    shutil.copytree(BUGS / "broken", directory / "app")


def record_bugs(here: Path) -> Path:
    """The SQLite database of a daemon to which every bug was shipped three times."""
    config = f'[daemon]\nlisten = ["ipc://{here}/s"]\nstate_dir = "{here}/state"\n'
    server = here / "srv" / "bugs"
    make_project(server)
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
