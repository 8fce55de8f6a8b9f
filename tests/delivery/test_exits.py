"""However a program ends, under every CPython found: what it logged is counted; its end is hardly longer."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.interpreters import OURS, found, path_for
from support.running import SOAK, Daemon, until

from tocsin.handler import TocsinHandler

PROGRAM = Path(__file__).with_name("program.py")
ENDS = [
    *("return", "sys.exit", "uncaught exception", "os._exit", "SIGTERM", "SIGINT", "SIGKILL"),
    *("os.fork", "fork", "spawn", "forkserver", "thread pool"),
    *("atexit before ours", "atexit after ours", "__del__ at shutdown"),
]
EXPECTED = Counter(f"{end.replace(' ', '-')}#{number}" for end in ENDS for number in range(20))
UNANSWERED = 0.05
"""Seconds that the end may take longer where no daemon answers."""
FLUSH = 2.0
"""Seconds that the end may take longer at most."""
NOISE = 0.05
"""Seconds by which the best of several like runs may differ on a busy machine."""


CASES = [
    (version, up) for version in found() for up in (True, False) if SOAK > 1 or not up or version == OURS
]
"""Without a daemon everything depends on the files: so that is the short version."""


def run(daemon: Daemon, version: str, *arguments: str) -> float:
    """Seconds from a program's last words to its end."""
    environ = {**daemon.environ, "PYTHONPATH": path_for(version)}
    ended = subprocess.run(
        [found()[version], str(PROGRAM), *arguments],
        env=environ,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return time.time() - float(ended.stdout.split()[0])


@pytest.mark.parametrize(("version", "up"), CASES)
def test_twenty_of_twenty_are_counted_after_every_end(version: str, up: bool, daemon: Daemon) -> None:
    if up:
        daemon.up()
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda end: run(daemon, version, end), ENDS))
    if not up:
        daemon.up()
    handler = TocsinHandler(daemon.endpoint, "next", spool=daemon.spool)
    try:
        until(lambda: daemon.total() >= EXPECTED.total(), 30)
        assert EXPECTED - daemon.counted() == {}
        assert daemon.counted() - EXPECTED == {}
        assert daemon.lost() == {}
    finally:
        handler.close()
        handler.destination.finish(5)


def longer(daemon: Daemon, version: str) -> float:
    """By how many seconds the handler makes the end longer: the best of some runs."""
    alone = min(run(daemon, version, "return", "nothing") for _ in range(4))
    return min(run(daemon, version, "return") for _ in range(4)) - alone


@pytest.mark.parametrize("version", found() if SOAK > 1 else [OURS])
def test_the_end_is_hardly_longer_when_no_daemon_answers(version: str, daemon: Daemon) -> None:
    assert longer(daemon, version) < UNANSWERED + NOISE


def test_the_end_is_two_seconds_longer_at_most_with_a_daemon(daemon: Daemon) -> None:
    daemon.up()
    assert longer(daemon, OURS) < FLUSH + NOISE
