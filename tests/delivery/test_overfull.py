"""Beyond the spool's limit events are only counted: counted and reported as lost make what was logged."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.killed import KillAt
from support.running import Daemon, until

from tocsin.handler import TocsinHandler

PROGRAM = Path(__file__).with_name("overfull.py")
SHIP = [sys.executable, "-m", "tocsin.handler", "ship"]
POINTS = ["before_loss_report", "after_loss_report"]
DATABASES = ["sqlite", "postgres"]


def overfull(daemon: Daemon, end: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    """The program, dead; its output is how many events it has logged."""
    return subprocess.run(
        [sys.executable, PROGRAM, "500", end],
        env={**daemon.environ, **environ},
        capture_output=True,
        timeout=60,
        check=False,
    )


def check(daemon: Daemon, logged: int) -> None:
    """All is shipped, each event counted or reported as lost once."""
    assert daemon.total() + daemon.lost().total() == logged
    assert daemon.lost()["spool_full"] >= 500
    assert os.listdir(daemon.spool) == []


def adopt(daemon: Daemon, logged: int) -> None:
    """The next handler's start, until it has shipped what the dead have left."""
    handler = TocsinHandler(daemon.endpoint, "next", spool=daemon.spool)
    try:
        assert until(lambda: daemon.total() + daemon.lost().total() >= logged)
    finally:
        handler.close()
        handler.destination.finish(5)


@pytest.mark.parametrize("database", DATABASES)
def test_a_kill_beyond_the_limit_leaves_an_exact_count(daemon: Daemon) -> None:
    died = overfull(daemon, "dies")
    assert died.returncode == -signal.SIGKILL
    daemon.up()
    adopt(daemon, int(died.stdout))
    check(daemon, int(died.stdout))


@pytest.mark.parametrize("database", DATABASES)
@pytest.mark.parametrize("point", POINTS)
def test_a_kill_while_losses_are_reported_leaves_an_exact_count(point: str, daemon: Daemon) -> None:
    kill = KillAt(point, daemon.place / "mark")
    died = overfull(daemon, "reports", **kill.environ)
    kill.check(died.returncode)
    daemon.up()
    adopt(daemon, int(died.stdout))
    check(daemon, int(died.stdout))


@pytest.mark.parametrize("database", DATABASES)
@pytest.mark.parametrize("point", POINTS)
def test_an_adopter_that_dies_while_it_reports_losses_leaves_an_exact_count(
    point: str, daemon: Daemon
) -> None:
    died = overfull(daemon, "dies")
    daemon.up()
    kill = KillAt(point, daemon.place / "mark")
    adopter = subprocess.run(SHIP, env={**daemon.environ, **kill.environ}, capture_output=True, check=False)
    kill.check(adopter.returncode)
    subprocess.run(SHIP, env=daemon.environ, capture_output=True, check=True)
    check(daemon, int(died.stdout))
