"""From the log call to the daemon's count: once, whoever dies in between."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from daemon_double import DaemonDouble, Memory, until

Make = Callable[..., logging.Logger]


@pytest.fixture
def address(place: Path) -> str:
    return f"ipc://{place}/s"


def run(place: Path, body: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A process of its own whose root logger has a handler."""
    code = (
        "import logging, os, signal, sys, threading, time\n"
        "from tocsin.handler import TocsinHandler\n"
        f"handler = TocsinHandler('ipc://{place}/s', 'shop', spool='{place}/spool')\n"
        "logging.getLogger().addHandler(handler)\n"
        "log = logging.getLogger('run')\n" + body
    )
    return subprocess.run(
        [sys.executable, *arguments, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )


def test_every_record_of_eight_threads_is_counted_once(address: str, logger_to: Make) -> None:
    logger = logger_to()

    def work(thread: int) -> None:
        for number in range(500):
            logger.error(f"{thread}-{number}")

    with DaemonDouble(address) as daemon:
        threads = [threading.Thread(target=work, args=(thread,)) for thread in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert until(lambda: daemon.memory.counted >= 4000)
        assert set(daemon.memory.messages.values()) == {1}
        assert daemon.memory.counted == 4000
        assert not daemon.memory.lost


def test_what_was_logged_just_before_sigkill_is_adopted_and_counted_once(
    place: Path, address: str, logger_to: Make
) -> None:
    ended = run(place, "for i in range(500): log.error(f'{i}')\nos.kill(os.getpid(), signal.SIGKILL)")
    assert ended.returncode == -9
    logger_to()
    with DaemonDouble(address) as daemon:
        assert until(lambda: daemon.memory.counted >= 500, 5)
        assert until(lambda: len(list((place / "spool").iterdir())) == 2)
        assert set(daemon.memory.messages.values()) == {1}
        assert sorted(daemon.memory.live.values()) == [False, True]
        assert list(daemon.memory.goodbyes.values()) == [0]


def test_a_daemon_killed_in_the_stream_loses_and_doubles_nothing(address: str, logger_to: Make) -> None:
    logger, memory = logger_to(), Memory()
    for run_number in range(4):
        with DaemonDouble(address, memory):
            for number in range(1500):
                logger.error(f"{run_number}-{number}")
    with DaemonDouble(address, memory):
        assert until(lambda: memory.counted >= 6000, 30)
    assert set(memory.messages.values()) == {1}
    assert memory.counted == 6000
