"""From the log call to the daemon's count: once, whoever dies in between."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from daemon_double import DaemonDouble, Memory
from support.running import until

from tocsin.handler.shipping.leftover import ship_spool

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


def test_ship_goes_on_at_once_when_the_daemon_drops_its_connections(place: Path, address: str) -> None:
    run(place, "for i in range(30_000): log.error(f'{i}')\nos.kill(os.getpid(), signal.SIGKILL)")
    with DaemonDouble(address, cut_after=4) as daemon:
        began = time.monotonic()
        outcomes = list(ship_spool(str(place / "spool"), patience=30.0))
        assert time.monotonic() - began < 20.0
        assert [outcome.reason for outcome in outcomes] == [""]
        assert (daemon.memory.counted, daemon.memory.doubled) == (30_000, 0)


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


def test_messages_that_get_lost_on_the_way_are_said_again(address: str, logger_to: Make) -> None:
    logger = logger_to()
    with DaemonDouble(address, drop_every=5) as daemon:
        for number in range(12000):
            logger.error(f"{number}")
        assert until(lambda: daemon.memory.counted >= 12000, 60)
        assert set(daemon.memory.messages.values()) == {1}


def test_a_daemon_that_refuses_the_version_leaves_the_spool_as_it_is(
    place: Path, address: str, logger_to: Make
) -> None:
    logger = logger_to()
    logger.error("kept")
    destination = logger.handlers[0].destination
    with DaemonDouble(address, refuse=True):
        assert until(lambda: destination.trouble == "too old")
    assert any(path.suffix == ".seg" for path in (place / "spool").iterdir())


def test_when_an_endpoint_does_not_answer_the_next_one_is_tried(
    place: Path, logger_to: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.handler.shipping.talk.FAILOVER", 0.2)
    logger = logger_to(endpoint=[f"ipc://{place}/nobody", f"ipc://{place}/second"])
    with DaemonDouble(f"ipc://{place}/second") as daemon:
        logger.error("found")
        assert until(lambda: daemon.memory.messages["found"] == 1)


def test_a_session_is_never_shipped_into_a_second_database(
    place: Path, address: str, logger_to: Make
) -> None:
    logger = logger_to()
    with DaemonDouble(address, Memory("one")) as first:
        logger.error("for one")
        assert until(lambda: first.memory.counted == 1)
    logger.error("for one as well")
    destination = logger.handlers[0].destination
    with DaemonDouble(address, Memory("two")) as second:
        assert until(lambda: destination.trouble == "this is two")
        assert second.memory.counted == 0
    with DaemonDouble(address, first.memory):
        assert until(lambda: first.memory.counted == 2, 30)


def test_heartbeats_tell_that_an_idle_process_lives(address: str, logger_to: Make) -> None:
    logger_to(heartbeat=0.1)
    with DaemonDouble(address) as daemon:
        assert until(lambda: sum(daemon.memory.heartbeats.values()) >= 3)


def test_places_travel_with_the_events_that_name_them(address: str, logger_to: Make) -> None:
    logger = logger_to()
    with DaemonDouble(address) as daemon:
        logger.error("number %d", 1)
        assert until(lambda: daemon.memory.counted == 1)
        event = daemon.memory.events[0]
        assert daemon.memory.places[event.path, event.line].template == "number *"


@pytest.mark.parametrize("free", [0, 1, 2, 3, 5, 8, 16, 32])
def test_few_free_descriptors_never_abort_the_program(free: int, place: Path) -> None:
    body = (
        "import os, resource\n"
        "from tocsin.handler import TocsinHandler\n"
        f"n = len(os.listdir('/proc/self/fd')) - 1 + {free}\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (n, n))\n"
        "import logging, time\n"
        f"handler = TocsinHandler('ipc://{place}/s', 'shop', spool='{place}/spool')\n"
        "log = logging.Logger('x'); log.addHandler(handler); log.error('x')\n"
        "handler.destination.await_delivery(0.3)\n"
    )
    ended = subprocess.run([sys.executable, "-c", body], capture_output=True, timeout=30, check=False)
    assert (ended.returncode, b"Traceback" in ended.stderr) == (0, False)
