"""Moments on Postgres are read as what they are, whatever zone a session, a role or the server has."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from playhouse.migrations import Runner
from support.world import START, World

from tocsin.daemon.store import schema
from tocsin.daemon.store.database import Store, open_store, upgrade
from tocsin.daemon.store.models import Client, Ticket
from tocsin.daemon.store.tables import MODELS

ZONES = ("UTC", "America/New_York", "Asia/Kolkata")
WITHOUT_ZONE = """
SELECT table_name, column_name FROM information_schema.columns
 WHERE table_schema = current_schema() AND data_type = 'timestamp without time zone'
"""


@pytest.fixture
def elsewhere(postgres_url: str) -> str:
    """A database whose sessions are in Tokyo's zone unless they say otherwise."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"ALTER DATABASE {name} SET timezone = 'Asia/Tokyo'".encode())
    return postgres_url


@pytest.fixture
def store(elsewhere: str) -> Iterator[Store]:
    opened = open_store(elsewhere)
    yield opened
    opened.close()


def opened_at(url: str, zone: str) -> datetime:
    """When the first ticket was opened, as a session in that zone reads it."""
    with psycopg.connect(url, options=f"-c timezone={zone}") as connection:
        row = connection.execute("SELECT created_at FROM support_tickets ORDER BY id LIMIT 1").fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize("zone", ZONES)
def test_a_session_in_any_zone_reads_the_moment_itself(store: Store, elsewhere: str, zone: str) -> None:
    World(store).app().fail(3)
    assert opened_at(elsewhere, zone) == datetime.fromtimestamp(START, UTC)


def test_the_daemon_reads_what_it_wrote_where_the_server_is_in_another_zone(store: Store) -> None:
    World(store).app().fail(3)
    with store.reading():
        assert Ticket.get().created_at == START
        assert Ticket.select().where(Ticket.created_at == START).count() == 1


def test_options_of_the_url_leave_the_connection_in_utc(elsewhere: str) -> None:
    store = open_store(f"{elsewhere}&options=-c%20timezone%3DAsia/Tokyo%20-c%20work_mem%3D8MB")
    try:
        World(store).app().fail(3)
        with store.reading():
            assert Ticket.get().created_at == START
            assert store.database.execute_sql("SHOW work_mem").fetchone() == ("8MB",)
    finally:
        store.close()
    assert opened_at(elsewhere, "UTC") == datetime.fromtimestamp(START, UTC)


def test_every_moment_of_ours_says_its_zone(store: Store) -> None:
    """A later migration's columns are TIMESTAMPTZ; SQLite takes the word as well."""
    ours = {model._meta.table_name for model in MODELS}
    assert [row for row in store.database.execute_sql(WITHOUT_ZONE) if row[0] in ours] == []


def test_moments_of_an_older_version_stay_what_they_were(elsewhere: str, tmp_path: Path) -> None:
    before = tmp_path / "before"
    before.mkdir()
    for name in schema.known():
        if name < "0014":
            shutil.copy(schema.MIGRATIONS / f"{name}.py", before)
    store = open_store(elsewhere, migrate=False, made=False)
    try:
        with store.database.atomic():
            Runner(store.database, directory=str(before), table_name=schema.HISTORY).up()
            store.database.execute_sql(
                "INSERT INTO clients (id, name, folder, links_from) VALUES ('acme', '', 'f', '2026-11-18 11:06:40')"
            )
            store.database.execute_sql("CREATE TABLE foreign_table (at TIMESTAMP)")
        assert "0014_time_zones" in upgrade(store).names
        with store.reading():
            assert Client.get().links_from == datetime(2026, 11, 18, 11, 6, 40, tzinfo=UTC).timestamp()
        assert list(store.database.execute_sql(WITHOUT_ZONE))[-1] == ("foreign_table", "at")
    finally:
        store.close()
