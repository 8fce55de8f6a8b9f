"""A process killed at a named point of its work, on both databases: nothing is lost, doubled or half done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tocsin.daemon.config import parse
from tocsin.daemon.store import outbox
from tocsin.daemon.store.database import Store, open_store
from tocsin.handler import failpoints
from tocsin.reports.writer import ReportWriter

START = 1_790_000_000.0
OPEN = "import sys; from tocsin.daemon.store.database import open_store; open_store(sys.argv[1])"
PAGES = """
import sys
from tocsin.daemon.config import parse
from tocsin.daemon.store.database import open_store
from tocsin.reports.writer import ReportWriter
config = parse({"report": {"dir": sys.argv[2]}}, {})
ReportWriter(open_store(sys.argv[1], migrate=False), config).write(1_790_000_000.0)
"""


def killed_at(point: str, mark: Path, program: str, *arguments: str, times: int = 1) -> None:
    """The program has ended by SIGKILL, at that point."""
    environ = {**os.environ, failpoints.VARIABLE: f"{point}:{times}:{mark}"}
    done = subprocess.run([sys.executable, "-c", program, *arguments], env=environ, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    assert mark.read_text() == point


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_migration_that_is_killed_is_done_anew(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path / 'tocsin.db'}"
    if database == "postgres":
        url = request.getfixturevalue("postgres_url")
    killed_at("in_migration", tmp_path / "mark", OPEN, url)
    store = open_store(url)
    try:
        assert store.identity
        assert not any(outbox.counts().values())
    finally:
        store.close()


class OnSqlite:
    """Pages on the one database."""

    database = "sqlite"

    def test_a_page_killed_while_it_is_written_is_whole_after_the_next_writing(
        self, store: Store, tmp_path: Path
    ) -> None:
        killed_at("in_page", tmp_path / "mark", PAGES, store.url, str(tmp_path / "pages"), times=5)
        config = parse({"report": {"dir": str(tmp_path / "pages")}}, {})
        ReportWriter(store, config).write(START)
        assert "</html>" in (tmp_path / "pages/admin/index.html").read_text()


class TestOnSqlite(OnSqlite):
    database = "sqlite"


class TestOnPostgres(OnSqlite):
    database = "postgres"


def test_a_setting_that_makes_no_sense_arms_nothing() -> None:
    for setting in ("", "in_page", "in_page:", "in_page:x:/tmp/mark", "in_page:1:"):
        assert failpoints.from_environment(setting) is failpoints.unarmed
