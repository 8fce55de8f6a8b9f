"""Workers and daemon are killed, at random and at every place that matters: each record counts once."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.running import SOAK, Daemon, connects, unbalanced, until

from tocsin.handler import TocsinHandler

HERE = Path(__file__).parent
ADOPTED_WITHIN = 5.0
DAEMON_POINTS = ["before_commit", "after_commit", "before_answer", "after_answer"]
OWN_POINTS = ["before rotation", "in rotation", "after rotation", "before deletion", "after deletion"]
ADOPTER_POINTS = [
    "at adoption",
    "before an adopted one's files go",
    "in the deletion of an adopted one",
    "after an adopted one's files went",
]


class Crowd:
    """Workers of one daemon, and what their journals say returned."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.started = 0
        self.living: list[subprocess.Popen[bytes]] = []

    def start(self, point: str = "") -> subprocess.Popen[bytes]:
        self.started += 1
        name = f"w{self.started}"
        command = [sys.executable, str(HERE / "worker.py"), str(self.daemon.place / f"{name}.journal"), name]
        command += ["2", point]
        worker = subprocess.Popen(command, env=self.daemon.environ, stderr=self.daemon.log)
        self.living.append(worker)
        return worker

    def kill(self, worker: subprocess.Popen[bytes]) -> None:
        worker.kill()
        worker.wait(30)
        self.living.remove(worker)

    def returned(self) -> Counter[str]:
        counted: Counter[str] = Counter()
        for journal in self.daemon.place.glob("*.journal"):
            counted.update(journal.read_text().split("\n")[:-1])
        return counted

    def size(self) -> int:
        return sum(journal.stat().st_size for journal in self.daemon.place.glob("*.journal"))


@pytest.fixture
def crowd(daemon: Daemon) -> Iterator[Crowd]:
    made = Crowd(daemon)
    yield made
    for worker in list(made.living):
        made.kill(worker)


def keeper(daemon: Daemon) -> TocsinHandler:
    """The next start of anything of that user: adopts what the dead have left."""
    return TocsinHandler(daemon.endpoint, "keeper", spool=daemon.spool, heartbeat=1.0)


def left(daemon: Daemon, handler: TocsinHandler) -> list[str]:
    """Files in the spool but the living one's own."""
    handler.destination.begin()
    session = handler.destination._session
    own = session.spool.header.session if session and session.spool else ""
    return [name for name in os.listdir(daemon.spool) if not name.startswith(own)]


def settle(crowd: Crowd) -> None:
    """All is shipped: what returned was counted once, nothing was lost, and no file is left."""
    daemon = crowd.daemon
    returned = crowd.returned()
    handler = keeper(daemon)
    try:
        assert until(lambda: not left(daemon, handler), 60), left(daemon, handler)
    finally:
        handler.close()
        handler.destination.finish(5)
    assert returned
    assert unbalanced(returned, daemon.counted()) == {}
    assert (daemon.lost(), daemon.quarantined()) == ({}, 0)
    assert os.listdir(daemon.spool) == []


def test_killed_at_random_workers_and_daemon_count_each_record_once(daemon: Daemon, crowd: Crowd) -> None:
    chance = random.Random(int(os.environ.get("TOCSIN_SEED", "0")) or None)
    daemon.up()
    for _ in range(4):
        crowd.start()
    deadline = time.monotonic() + 4 * SOAK
    kills: Counter[str] = Counter()
    while time.monotonic() < deadline:
        grown = crowd.size() + chance.randrange(3000, 40_000)
        assert until(lambda grown=grown: crowd.size() >= grown)
        if chance.random() < 0.3:
            kills["daemon"] += 1
            daemon.kill()
            if chance.random() < 0.5:
                assert until(lambda grown=grown: crowd.size() >= grown + 3000)
            daemon.start()
            if chance.random() < 0.8:
                assert until(lambda: connects(daemon.endpoint))
        else:
            kills["worker"] += 1
            crowd.kill(chance.choice(crowd.living))
            crowd.start()
    for worker in list(crowd.living):
        crowd.kill(worker)
    daemon.kill()
    daemon.up()
    settle(crowd)
    print(
        f"\nkill storm: {dict(kills)}, {crowd.returned().total()} records returned, {daemon.total()} counted"
    )


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
@pytest.mark.parametrize("point", DAEMON_POINTS)
def test_a_daemon_that_dies_at_a_point_of_its_work_counts_each_record_once(
    point: str, daemon: Daemon, crowd: Crowd
) -> None:
    worker = crowd.start()
    daemon.dies_at(point, times=5)
    crowd.kill(worker)
    daemon.up()
    settle(crowd)


def test_workers_that_die_with_their_files_in_motion_count_each_record_once(
    daemon: Daemon, crowd: Crowd
) -> None:
    daemon.up()
    workers = [crowd.start(point) for point in OWN_POINTS]
    assert until(lambda: all(worker.poll() is not None for worker in workers))
    settle(crowd)


def test_adopters_that_die_leave_each_record_to_be_counted_once(daemon: Daemon, crowd: Crowd) -> None:
    worker = crowd.start()
    assert until(lambda: crowd.size() > 3000)
    crowd.kill(worker)
    daemon.up()
    for point in ADOPTER_POINTS:
        adopter = crowd.start(point)
        assert until(lambda adopter=adopter: adopter.poll() is not None)
    settle(crowd)


def test_a_dead_workers_records_are_counted_within_five_seconds(daemon: Daemon, crowd: Crowd) -> None:
    worker = crowd.start()
    assert until(lambda: crowd.size() > 5000)
    daemon.up()
    handler = keeper(daemon)
    try:
        assert handler.destination.await_delivery(30)
        crowd.kill(worker)
        died = time.monotonic()
        returned = crowd.returned()
        assert until(lambda: unbalanced(returned, daemon.counted()) == {}, 30)
        assert time.monotonic() - died < ADOPTED_WITHIN
    finally:
        handler.close()
        handler.destination.finish(5)
