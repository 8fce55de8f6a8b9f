"""Postgres goes away in every way; nothing is lost, nothing counted twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fleet import Application, Member, Tally
from support.postgres import Postgres, free_port

from tocsin.daemon.store.database import open_store

pause = threading.Event().wait  # The scenario: how long load and outages last.


@pytest.fixture
def url(postgres: Postgres) -> str:
    return postgres.database()


@pytest.fixture
def daemon(place: Path, url: str) -> Iterator[Member]:
    made = Member(place, "one", url, f"tcp://127.0.0.1:{free_port()}").up()
    yield made
    made.kill()


def counted_exactly(url: str, application: Application, daemon: Member) -> None:
    logged = application.end()
    store = open_store(url, migrate=False)
    try:
        tally = Tally(store)
    finally:
        store.close()
    assert tally.is_exactly(logged), (vars(tally), logged, daemon.written()[-3000:])
    assert len(set(tally.open_pairs)) == len(tally.open_pairs)


def test_a_server_that_crashes_again_and_again_costs_no_event(
    place: Path, postgres: Postgres, url: str, daemon: Member, long: bool
):
    application = Application(place / "spool", [daemon.endpoint], 300)
    until = time.monotonic() + 120
    for _ in range(24 if long else 2):
        pause(5.0 if long else 1.0)
        postgres.restart()
        if time.monotonic() > until:
            break
    counted_exactly(url, application, daemon)


def test_connections_terminated_while_they_commit_cost_no_event(
    place: Path, postgres: Postgres, url: str, daemon: Member, long: bool
):
    application = Application(place / "spool", [daemon.endpoint], 300)
    ended = 0
    deadline = time.monotonic() + (60 if long else 2)
    while time.monotonic() < deadline:
        ended += postgres.terminate(url.rpartition("/")[2], "COMMIT%")
        pause(0.02)
    assert ended
    counted_exactly(url, application, daemon)


def test_an_outage_is_waited_out(place: Path, postgres: Postgres, url: str, daemon: Member, long: bool):
    application = Application(place / "spool", [daemon.endpoint], 300)
    pause(1.0)
    postgres.stop()
    pause(30.0 if long else 3.0)
    postgres.start()
    counted_exactly(url, application, daemon)
