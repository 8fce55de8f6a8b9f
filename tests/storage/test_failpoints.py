"""A process killed at a named point of its work, on both databases: nothing is lost, doubled or half done."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.killed import killed_at
from support.world import START, World

from tocsin.daemon.config import parse
from tocsin.daemon.store import outbox
from tocsin.daemon.store.database import open_store
from tocsin.handler import failpoints
from tocsin.reports.writer import ReportWriter

OPEN = "import sys; from tocsin.daemon.store.database import open_store; open_store(sys.argv[1])"
PAGES = """
import sys
from tocsin.daemon.config import parse
from tocsin.daemon.store.database import open_store
from tocsin.reports.writer import ReportWriter
config = parse({"report": {"dir": sys.argv[2]}}, {})
ReportWriter(open_store(sys.argv[1], migrate=False), config).write(float(sys.argv[3]))
"""


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_migration_that_is_killed_is_done_again(
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


def pages(directory: Path) -> dict[str, bytes]:
    """Every file's content by its path, but for what the writer keeps for itself."""
    found = (path for path in directory.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {str(path.relative_to(directory)): path.read_bytes() for path in found}


class OnSqlite:
    """Pages on the one database."""

    database = "sqlite"

    @pytest.mark.parametrize("times", [1, 5])
    def test_a_page_is_whole_or_absent_after_a_kill_and_all_are_there_after_the_next_writing(
        self, times: int, world: World, tmp_path: Path
    ) -> None:
        world.app().fail(3)
        killed, whole = tmp_path / "killed", tmp_path / "whole"
        killed_at("in_page", tmp_path / "mark", PAGES, world.store.url, str(killed), str(START), times=times)
        ReportWriter(world.store, parse({"report": {"dir": str(whole)}}, {})).write(START)
        assert pages(killed).items() < pages(whole).items()
        ReportWriter(world.store, parse({"report": {"dir": str(killed)}}, {})).write(START)
        assert pages(killed) == pages(whole)


class TestOnSqlite(OnSqlite):
    database = "sqlite"


class TestOnPostgres(OnSqlite):
    database = "postgres"


def test_a_setting_that_makes_no_sense_arms_nothing() -> None:
    for setting in ("", "in_page", "in_page:", "in_page:x:/tmp/mark", "in_page:1:"):
        assert failpoints.from_environment(setting) is failpoints.unarmed
