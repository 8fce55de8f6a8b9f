"""Ingest goes on while people look and act: nobody is told that the database is locked."""

from __future__ import annotations

import sqlite3
import subprocess
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import zmq
from msgspec import Raw
from support.fleet import ENVIRON, Application, Member, Tally
from support.waiting import until
from support.world import an_error

from tocsin.daemon.store.database import open_store
from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import Header

Work = Callable[[], object]


@pytest.fixture
def daemon(place: Path):
    made = Member(place, "one", f"sqlite:///{place}/tocsin.db", f"ipc://{place}/s").up()
    yield made
    made.kill()


def foreign_reader(file: Path) -> None:
    """Somebody else's program that reads all of it, slowly, without any patience for locks."""
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=0.0) as connection:
        for _ in connection.execute("SELECT * FROM error_samples"):
            pass
        connection.execute("SELECT COUNT(*) FROM error_counts").fetchone()


def command(daemon: Member, *arguments: str) -> None:
    done = subprocess.run(daemon.command(*arguments), env=ENVIRON, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, (arguments, done.stderr)


def acknowledged(daemon: Member, seconds: float) -> list[float]:
    """One event at a time over a bare socket: how long each acknowledgement took."""
    waits: list[float] = []
    session, end = uuid.uuid4().hex, 0
    header = Header(
        version=1, session=session, segment=1, service="pulse", release=None, environment=None, host="here",
        pid=1, python="3", started_at=time.time(), written_at=time.time(), interval=15.0, endpoints=(),
    )  # fmt: skip
    with zmq.Context() as context, context.socket(zmq.DEALER) as peer:
        peer.connect(daemon.endpoint)
        end_at = time.monotonic() + seconds
        peer.send(wire.encode(wire.Hello(header, 0, 0, time.time(), True)))
        assert isinstance(wire.decode_from_daemon(peer.recv()), wire.Welcome)
        while time.monotonic() < end_at:
            event = Raw(wire.encode_record(an_error("pulse", at=time.time())))
            began = time.monotonic()
            peer.send(wire.encode(wire.Batch(session, end, end + 100, [(end, event)])))
            assert wire.decode_from_daemon(peer.recv()) == wire.Ack(session, end + 100)
            waits.append(time.monotonic() - began)
            end += 100
    return waits


def test_nobody_meets_a_lock_and_acknowledgements_come_soon(place: Path, daemon: Member, long: bool):
    file, faults, done, wal = place / "tocsin.db", [], Counter(), [0]
    application = Application(place / "spool", [daemon.endpoint], 1000 if long else 300)
    over = threading.Event()

    def again(work: Work) -> None:
        while not over.is_set():
            try:
                work()
                done[work] += 1
            except Exception as error:
                faults.append(repr(error))
            wal[0] = max(wal[0], Path(f"{file}-wal").stat().st_size)
            over.wait(0.01)

    works: list[Work] = [
        lambda: foreign_reader(file),
        lambda: command(daemon, "tickets", "--json"),
        lambda: command(daemon, "resolve", "1"),
        lambda: command(daemon, "report", "--out", f"{place}/pages"),
    ]
    loops = [threading.Thread(target=again, args=(work,)) for work in works]
    assert until(Path(f"{file}-wal").exists)
    for loop in loops:
        loop.start()
    waits = acknowledged(daemon, 120.0 if long else 8.0)
    over.set()
    for loop in loops:
        loop.join()
    logged = application.end()
    store = open_store(f"sqlite:///{file}", migrate=False)
    try:
        assert Tally(store).errors - len(waits) == logged
    finally:
        store.close()
    assert faults == []
    assert all(done[work] for work in works), done.values()
    assert not daemon.said("not_stored"), daemon.written()
    assert wal[0] < 64 * 1024**2
    slow = sorted(waits)[int(len(waits) * 0.99)]
    print(
        f"{len(waits)} acknowledgements, p99 {slow * 1000:.0f} ms; write-ahead log {wal[0] >> 20} MB at most"
    )
    assert slow <= (1.0 if long else 5.0)
