"""The database stalls, or a process is stopped for a while: nobody dies of it, and each record counts once.

`make soak-stalls` takes 200 stalls of 0.5 to 20 s and 200 stops, of many daemons beside each other.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from support.crowd import Crowd, settle
from support.peer import peer
from support.postgres import fresh_database
from support.running import Daemon, short_place, until

from tocsin.handler.protocol import wire

LONG = int(os.environ.get("TOCSIN_STALLS", "0"))
"""Stalls, and stops, of the long run; 0: the short one."""
DAEMONS = {"sqlite": 10, "postgres": 4} if LONG else {"sqlite": 1, "postgres": 1}
"""Beside each other; more of them would take all connections that the Postgres server has."""
LONGEST = 20.0 if LONG else 3.0
SERVED_WITHIN = 5.0
"""Seconds; the machine is busy."""


@contextlib.contextmanager
def stalled(daemon: Daemon, database: str) -> Iterator[None]:
    """Nothing can be written meanwhile."""
    if database == "postgres":
        with psycopg.connect(daemon.database_url) as other:
            other.execute("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE")
            yield
        return
    path = daemon.place / "state" / "tocsin.db"
    with contextlib.closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def is_served(daemon: Daemon) -> bool:
    """Whether the socket's thread answers, for which it needs no database."""
    with peer(daemon.endpoint) as client:
        answer = client.ask(b"\x7fa version of the future", SERVED_WITHIN)
    return isinstance(answer, wire.Refusal) and answer.reason == "version"


def suffer(daemon: Daemon, crowd: Crowd, database: str, times: int, chance: random.Random) -> None:
    """So many stalls and so many stops, of the daemon and of an application in turns; then all is counted."""
    pause = threading.Event()
    assert daemon.process is not None
    for number in range(times):
        with stalled(daemon, database):
            pause.wait(chance.uniform(0.5, LONGEST))
            assert is_served(daemon)
        victim = daemon.process if number % 2 else chance.choice(crowd.living)
        victim.send_signal(signal.SIGSTOP)
        pause.wait(chance.uniform(0.5, LONGEST))
        victim.send_signal(signal.SIGCONT)
        pause.wait(0.5)
        assert daemon.process.poll() is None, daemon.written()[-2000:]
        assert all(worker.poll() is None for worker in crowd.living)
    assert "Assertion failed" not in daemon.written()
    for worker in list(crowd.living):
        crowd.kill(worker)
    settle(crowd)
    print(f"{times} stalls and {times} stops: {crowd.returned().total()} records returned, each counted once")


@pytest.fixture
def places() -> Iterator[list[Path]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(short_place()) for _ in range(max(DAEMONS.values()))]


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_stalls_and_stops_end_nobody_and_each_record_counts_once(
    database: str, places: list[Path], request: pytest.FixtureRequest
) -> None:
    server = request.getfixturevalue("postgres_server") if database == "postgres" else ""
    seed = random.Random(int(os.environ.get("TOCSIN_SEED", "0")) or None).random()

    def one(number: int) -> None:
        with contextlib.ExitStack() as stack:
            daemon = Daemon(places[number], fresh_database(server) if server else "")
            stack.callback(daemon.close)
            crowd = Crowd(daemon.up())
            stack.callback(crowd.end)
            for _ in range(2):
                crowd.start(1 if LONG else 2)
            suffer(daemon, crowd, database, max(LONG // DAEMONS[database], 2), random.Random(seed + number))

    with ThreadPoolExecutor(DAEMONS[database]) as pool:
        list(pool.map(one, range(DAEMONS[database])))


def test_a_daemon_that_dies_in_a_stall_and_is_started_again_counts_each_record_once(
    daemon: Daemon, crowd: Crowd
) -> None:
    daemon.up()
    worker = crowd.start()
    with stalled(daemon, "sqlite"):
        grown = crowd.size() + 20_000
        assert until(lambda: crowd.size() > grown)
        daemon.kill()
    daemon.up()
    crowd.kill(worker)
    settle(crowd)
