"""A ticket's history and watch are facts: worded for each reader, kept in English, read back from old texts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playhouse.migrations import Runner
from support.world import HOUR, World

from tocsin.daemon import queries
from tocsin.daemon.language import language
from tocsin.daemon.operations.forget import forget
from tocsin.daemon.store import schema
from tocsin.daemon.store.database import Store, open_store, upgrade
from tocsin.daemon.store.models import History, Mail, Watch
from tocsin.daemon.ticket_wording import described, history, waiting
from tocsin.daemon.tickets.manual import Manual

DAY = 86400.0
FRENCH = language("fr")
OLD = {
    "status_changed": "open -> in_progress",
    "priority_changed": "high -> low",
    "reopened": "came back late: it happened before the ticket was closed",
    "old_code_running": "session 0a1b2c3d (pid 77 on web1) began before the correction",
    "merged": "error 3 was merged into error 1",
    "muted": "until it exceeds 10 an hour",
    "email_sent": "closing mail in a digest to the client contact@martin.example",
    "email_failed": "notice mail to the admin ops@tocsin.example: refused. Ask its postmaster.",
    "client_not_told": "no mail address of Martin SA is known",
    "inconclusive": "silence proves nothing yet: waiting for errors that process 77 on web1 may still hold back",
}
"""Sentences of the first version that the words of today repeat to the letter."""
LENGTHS = (
    "quiet for 86400 s, the application seen alive for 77760 s of them; "
    "the correction was not verified by tests"
)


class Contract:
    """What holds on both databases."""

    def test_every_row_a_ticket_gets_is_said_in_french(self, world: World) -> None:
        app = world.app()
        app.fail(3, client="martin")
        manual = Manual(world.store, world.config)
        manual.mute(1, "ada", world.now, until=None, rate=10)
        manual.change(1, "ada", world.now, priority="low")
        manual.unmute(1, "ada", world.now)
        world.live(DAY + HOUR, app)
        world.check()
        app.fail(3, client="martin")
        manual.resolve(1, "ada", world.now)
        rows = queries.history(world.store, [1])
        actions = {row.action for row in rows}
        assert actions >= {"created", "muted", "priority_changed", "auto_closed", "reopened", "resolved"}
        for row in rows:
            said = history(row.action, row.details, row.description, FRENCH)
            assert row.description == described(row.action, row.details)
            assert said != row.description or not said, row

    def test_a_ticket_names_what_it_was_opened_for(self, world: World) -> None:
        world.app().fail(3, client="martin")
        (row,) = queries.history(world.store, [1])
        assert row.description == "ticket 1, error 1 of shop, client martin"

    def test_a_watch_keeps_what_it_waits_for_as_a_value(self, world: World) -> None:
        app = world.app()
        app.fail(3)
        app.heartbeat(backlog=500)
        world.live(DAY + HOUR)
        world.check()
        with world.store.reading():
            watch = Watch.get()
        assert watch.waiting == {"kind": "backlog", "pid": 77, "host": "web1"}
        assert watch.waiting_for == "errors that process 77 on web1 may still hold back"

    def test_what_a_person_wrote_stays_as_it_is_in_every_language(self, world: World) -> None:
        world.app().fail(3)
        Manual(world.store, world.config).note(1, "ask Ada -> Bob", "ada", world.now)
        row = queries.history(world.store, [1])[-1]
        assert history(row.action, row.details, row.description, FRENCH) == "ask Ada -> Bob"

    def test_forgetting_a_client_blots_its_name_out_of_the_facts(self, world: World) -> None:
        world.configure({"tickets": {"unknown_clients": "create"}})
        world.app().fail(3, client="unique-client-17")
        forget(world.store, world.config, "unique-client-17")
        with world.store.reading():
            assert "unique-client-17" not in str([row.details for row in History.select()])

    @pytest.fixture
    def old(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
        """A database as the first version left it, with a ticket, a watch and every sentence of OLD."""
        directory = tmp_path / "first"
        directory.mkdir()
        shutil.copy(schema.MIGRATIONS / "0001_first_tables.py", directory)
        kind = getattr(self, "database", "sqlite")
        url = (
            request.getfixturevalue("postgres_url") if kind == "postgres" else f"sqlite:///{tmp_path}/old.db"
        )
        store = open_store(url, migrate=False, made=False)
        with store.database.atomic():
            Runner(store.database, directory=str(directory), table_name=schema.HISTORY).up()
            fill(store)
        yield store
        store.close()

    def test_the_old_sentences_become_facts_and_stay_as_they_were(self, old: Store) -> None:
        assert "0002_facts" in upgrade(old).names
        with old.reading():
            rows = list(History.select().order_by(History.id))
            watch = Watch.get()
        assert [row.description for row in rows] == [*OLD.values(), LENGTHS, "a note -> of mine", "hm"]
        for row in rows[: len(OLD)]:
            assert described(row.action, row.details) == row.description
            assert history(row.action, row.details, row.description, FRENCH) != row.description
        assert rows[-3].details == {"quiet_seconds": 86400, "seen_seconds": 77760, "unverified": True}
        assert (rows[-2].details, rows[-1].details) == ({}, {})
        assert watch.waiting == {"kind": "duration"}
        assert waiting(watch.waiting) == watch.waiting_for

    def test_a_detection_that_waited_for_others_goes_on_waiting_for_them(self, old: Store) -> None:
        upgrade(old)
        with old.reading():
            (mail,) = Mail.select()
        assert mail.gathered_until == mail.due_at == mail.created_at + 540


def fill(store: Store) -> None:
    """Rows as the first version wrote them; its columns only."""
    at = "2026-11-22 12:00:00"
    insert(store, "error_logs", id=1, signature="s", coarse="c", service="shop", environment="", source="a.py",
           line=1, module="", function="", title="t", message="m", level=40, components="[]", occurrences=3,
           first_seen=at, last_seen=at, recent="[]", samples=0, resolved=False)  # fmt: skip
    insert(store, "support_tickets", id=1, subject="t", message="m", priority="high", status="open",
           category="bug", error_id=1, source="auto_detection", created_at=at, metadata="{}")  # fmt: skip
    insert(store, "watches", error_id=1, quiet_since=at, seen_seconds=0.0,
           waiting_for="the full time without the error")  # fmt: skip
    insert(store, "outbox", kind="detection", audience="client", recipient="it@acme.example", language="en",
           message_id="m", facts="{}", state="waiting", created_at=at, due_at="2026-11-22 12:09:00", attempts=0,
           last_error="")  # fmt: skip
    texts = [
        *OLD.items(),
        ("auto_closed", LENGTHS),
        ("note", "a note -> of mine"),
        ("old_code_running", "hm"),
    ]
    for number, (action, text) in enumerate(texts, 1):
        insert(store, "support_ticket_history", id=number, ticket_id=1, action=action, description=text,
               created_by="system", created_at=at)  # fmt: skip


def insert(store: Store, table: str, **columns: Any) -> None:
    marks = ", ".join(["%s" if store.postgres else "?"] * len(columns))
    sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"
    store.database.execute_sql(sql, tuple(columns.values()))


class TestSqlite(Contract):
    """SQLite."""


class TestPostgres(Contract):
    """Postgres."""

    database = "postgres"
