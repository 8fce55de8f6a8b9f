"""`tocsin ship --watch`: what dead processes leave is shipped once each, for as long as it runs."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.crowd import Crowd
from support.killed import KillAt
from support.running import Daemon, unbalanced, until

from tocsin.handler.shipping.watcher import SpoolWatcher

SHIP = [sys.executable, "-m", "tocsin.handler", "ship", "--watch"]
POINTS = ["at_adoption", "before_adopted_end", "in_adopted_end", "after_adopted_end"]


class Watching:
    """Starts `ship --watch` on a directory of spools, and ends it."""

    def __init__(self, daemon: Daemon, stack: ExitStack) -> None:
        self.daemon = daemon
        self.spools = daemon.place / "spools"
        self._stack = stack

    def start(self, **environ: str) -> subprocess.Popen[str]:
        process = self._stack.enter_context(
            subprocess.Popen(
                [*SHIP, self.spools],
                env={**self.daemon.environ, **environ},
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        self._stack.callback(process.kill)
        return process

    def dead_process(self, crowd: Crowd, spool: str, grown: int = 3000) -> None:
        """A process that logged into a spool of its own and was killed."""
        worker = crowd.start(TOCSIN_SPOOL=str(self.spools / spool), TOCSIN_ENDPOINT=self.daemon.endpoint)
        size = crowd.size()
        assert until(lambda: crowd.size() > size + grown)
        crowd.kill(worker)

    def left(self) -> list[Path]:
        return [path for path in self.spools.rglob("*") if path.is_file()]


@pytest.fixture
def watching(daemon: Daemon) -> Iterator[Watching]:
    with ExitStack() as stack:
        yield Watching(daemon, stack)


def all_counted_once(crowd: Crowd) -> bool:
    return unbalanced(crowd.returned(), crowd.daemon.counted()) == {}


def test_spools_that_appear_later_are_shipped_too(daemon: Daemon, crowd: Crowd, watching: Watching) -> None:
    daemon.up()
    watching.start()
    for spool in ("one", "other"):
        watching.dead_process(crowd, spool)
    assert until(lambda: watching.left() == [], 60)
    assert all_counted_once(crowd)


@pytest.mark.parametrize("point", POINTS)
def test_one_that_is_killed_and_started_again_ships_each_record_once(
    point: str, daemon: Daemon, crowd: Crowd, watching: Watching
) -> None:
    daemon.up()
    for spool in ("one", "other"):
        watching.dead_process(crowd, spool)
    kill = KillAt(point, daemon.place / "mark")
    died = watching.start(**kill.environ)
    kill.check(died.wait(60))
    watching.start()
    assert until(lambda: watching.left() == [], 60)
    assert all_counted_once(crowd)
    assert (daemon.lost(), daemon.quarantined()) == ({}, 0)


def test_sigterm_ends_it_in_order_in_the_middle_and_nothing_is_lost(
    daemon: Daemon, crowd: Crowd, watching: Watching
) -> None:
    daemon.up()
    watching.dead_process(crowd, "one", 200_000)
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGSTOP)
    process = watching.start()
    assert process.stdout is not None
    assert process.stdout.readline() == f"watching {watching.spools}\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert watching.left()
    daemon.process.send_signal(signal.SIGCONT)
    watching.start()
    assert until(lambda: watching.left() == [], 60)
    assert all_counted_once(crowd)


def test_a_session_that_stays_is_told_once_and_those_of_a_silent_daemon_wait_once(
    daemon: Daemon, crowd: Crowd, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    for spool in ("one", "other"):
        watching.dead_process(crowd, spool)
    watcher = SpoolWatcher(str(watching.spools), patience=0.2)
    monkeypatch.setattr("tocsin.handler.shipping.watcher.LATER", 0.0)
    told = [(outcome.session, outcome.reason) for outcome in watcher.turn()]
    assert {reason for _, reason in told} == {f"no daemon answers at {daemon.endpoint}"}
    assert list(watcher.turn()) == []
    daemon.up()
    assert [(outcome.session, outcome.reason) for outcome in watcher.turn()] == [(one, "") for one, _ in told]
    assert all_counted_once(crowd)
