"""Workers and daemon are killed, at random and at every place that matters: each record counts once."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter

import pytest
from support.crowd import Crowd, keeper, settle
from support.killed import KillAt
from support.running import SOAK, Daemon, connects, unbalanced, until

ADOPTED_WITHIN = 5.0
DAEMON_POINTS = ["before_commit", "after_commit", "before_answer", "after_answer"]
OWN_POINTS = [
    "before_rotation",
    "in_rotation",
    "after_rotation",
    "at_sealing",
    "before_deletion",
    "after_deletion",
]
ADOPTER_POINTS = ["at_adoption", "before_adopted_end", "in_adopted_end", "after_adopted_end"]
DATABASES = ["sqlite", "postgres"]


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


@pytest.mark.parametrize("database", DATABASES)
@pytest.mark.parametrize("point", DAEMON_POINTS)
def test_a_daemon_that_dies_at_a_point_of_its_work_counts_each_record_once(
    point: str, daemon: Daemon, crowd: Crowd
) -> None:
    worker = crowd.start()
    daemon.dies_at(point, times=5)
    crowd.kill(worker)
    daemon.up()
    settle(crowd)


@pytest.mark.parametrize("database", DATABASES)
def test_workers_that_die_with_their_files_in_motion_count_each_record_once(
    daemon: Daemon, crowd: Crowd
) -> None:
    daemon.up()
    crowd.die_at(*OWN_POINTS)
    settle(crowd)


@pytest.mark.parametrize("database", DATABASES)
def test_adopters_that_die_leave_each_record_to_be_counted_once(daemon: Daemon, crowd: Crowd) -> None:
    worker = crowd.start()
    assert until(lambda: crowd.size() > 3000)
    crowd.kill(worker)
    daemon.up()
    for point in ADOPTER_POINTS:
        crowd.die_at(point)
    settle(crowd)


@pytest.mark.parametrize("database", DATABASES)
@pytest.mark.parametrize("point", ADOPTER_POINTS)
def test_a_ship_command_that_dies_leaves_each_record_to_be_counted_once(
    point: str, daemon: Daemon, crowd: Crowd
) -> None:
    for worker in [crowd.start(), crowd.start()]:
        assert until(lambda: crowd.size() > 3000)
        crowd.kill(worker)
    daemon.up()
    kill = KillAt(point, daemon.place / "mark")
    ship = [sys.executable, "-m", "tocsin.handler", "ship"]
    died = subprocess.run(ship, env={**daemon.environ, **kill.environ}, capture_output=True, check=False)
    kill.check(died.returncode)
    subprocess.run(ship, env=daemon.environ, capture_output=True, check=True)
    assert unbalanced(crowd.returned(), daemon.counted()) == {}
    assert (daemon.lost(), daemon.quarantined()) == ({}, 0)
    assert os.listdir(daemon.spool) == []


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
