"""More of each kind of harm that a host was reported to meet: what else may be as unusual, and harms nobody."""

from __future__ import annotations

import logging
import logging.handlers
import os
import queue
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from daemon_double import DaemonDouble
from freezegun import freeze_time
from support.running import until

from tocsin.handler import process
from tocsin.handler.shipping import shipper

Make = Callable[..., logging.Logger]

PROGRAM = """
import logging, logging.config, logging.handlers, multiprocessing, os, queue, signal, sys, threading, time
import encodings.ascii, encodings.idna
import tocsin.handler
from tocsin.handler import TocsinHandler
log = logging.getLogger("program")
handler = TocsinHandler(sys.argv[1], spool=sys.argv[2], heartbeat=0.1)
log.addHandler(handler)
"""


def command(place: Path, body: str) -> list[str]:
    return [sys.executable, "-c", PROGRAM + body, f"ipc://{place}/s", str(place / "spool")]


def run(place: Path, body: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(place, body),
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# A handler that was made


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change its root directory")
def test_a_program_that_changes_its_root_directory_goes_on(place: Path) -> None:
    ended = run(
        place, "os.chroot(os.path.dirname(sys.argv[2])); log.error('inside'); print('runs', flush=True)"
    )
    assert (ended.returncode, ended.stdout) == (0, "runs\n"), ended.stderr


def test_a_child_that_ends_before_it_has_settled_leaves_no_file(place: Path) -> None:
    body = """
for _ in range(10):
    if os.fork() == 0:
        os._exit(0)
    os.wait()
print(os.path.exists(sys.argv[2]), flush=True)
os._exit(0)
"""
    assert run(place, body).stdout == "False\n"


# What is whose


def test_events_are_counted_after_the_spools_directory_was_moved_away(place: Path, logger_to: Make) -> None:
    logger = logger_to()
    logger.error("before")
    session = logger.handlers[0].destination._session
    os.rename(place / "spool", place / "former")
    logger.error("into the moved file")
    assert until(lambda: session.spool.segment > 0)
    logger.error("after")
    with DaemonDouble(f"ipc://{place}/s") as daemon:
        assert until(lambda: daemon.memory.counted == 3)
        assert set(daemon.memory.messages.values()) == {1}


def test_a_copy_of_the_spools_directory_put_in_its_place_doubles_nothing(
    place: Path, logger_to: Make
) -> None:
    logger = logger_to()
    for number in range(10):
        logger.error(f"{number}")
    os.rename(place / "spool", place / "former")
    shutil.copytree(place / "former", place / "spool", dirs_exist_ok=True)
    shutil.rmtree(place / "former")
    with DaemonDouble(f"ipc://{place}/s") as daemon:
        logger.error("the last")
        assert until(lambda: daemon.memory.counted >= 11)
        run(place, "log.error('another process'); handler.destination.await_delivery(20)")
        assert until(lambda: daemon.memory.counted >= 12)
        assert set(daemon.memory.messages.values()) == {1}


# Closed and used


@pytest.mark.parametrize("behind", ["a queue's listener", "a buffer"])
def test_a_handler_that_is_closed_behind_another_is_seen_alive(
    behind: str, place: Path, logger_to: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipper, "UNUSED", 0.1)
    logger = logger_to(heartbeat=0.1)
    handler = logger.handlers[0]
    logger.removeHandler(handler)
    waiting: queue.Queue[logging.LogRecord] = queue.Queue()
    listener = logging.handlers.QueueListener(waiting, handler)
    if behind == "a buffer":
        logger.addHandler(logging.handlers.MemoryHandler(100, target=handler))
    else:
        logger.addHandler(logging.handlers.QueueHandler(waiting))
        listener.start()
    with DaemonDouble(f"ipc://{place}/s") as daemon:
        logger.error("first")
        assert until(lambda: daemon.memory.counted == 1)
        handler.close()
        seen = sum(daemon.memory.heartbeats.values())
        assert until(lambda: sum(daemon.memory.heartbeats.values()) > seen + 10)
        assert not daemon.memory.goodbyes
    if listener._thread is not None:
        listener.stop()


def test_a_handler_that_was_taken_off_and_is_put_back_is_open_again(place: Path, logger_to: Make) -> None:
    logger = logger_to()
    handler = logger.handlers[0]
    with DaemonDouble(f"ipc://{place}/s") as daemon:
        logger.error("first")
        logger.removeHandler(handler)
        handler.close()
        assert until(lambda: len(daemon.memory.goodbyes) == 1, 20)
        logger.addHandler(handler)
        logger.error("second")
        assert until(lambda: daemon.memory.messages == {"first": 1, "second": 1})


# The moment


def test_the_client_passes_a_queue_between_processes(place: Path) -> None:
    body = """
def child(waiting):
    log.handlers[:] = [logging.handlers.QueueHandler(waiting)]
    for number in range(10):
        with tocsin.handler.bind(client=f"c{number}"):
            log.error("failed")
context = multiprocessing.get_context("fork")
waiting = context.Queue()
children = [context.Process(target=child, args=(waiting,)) for _ in range(2)]
[one.start() for one in children]
listener = logging.handlers.QueueListener(waiting, handler)
listener.start()
with tocsin.handler.bind(client="another's"):
    [one.join() for one in children]
    listener.stop()
handler.destination.await_delivery(20)
"""
    with DaemonDouble(f"ipc://{place}/s") as daemon:
        assert run(place, body).stderr == ""
        assert until(lambda: daemon.memory.counted == 20)
        assert daemon.memory.clients == {f"c{number}": 2 for number in range(10)}


def test_a_record_that_passes_two_queues_to_one_listener_counts_once(place: Path, logger_to: Make) -> None:
    logger = logger_to()
    handler = logger.handlers[0]
    waiting: queue.Queue[logging.LogRecord] = queue.Queue()
    logger.handlers[:] = [logging.handlers.QueueHandler(waiting), logging.handlers.QueueHandler(waiting)]
    listener = logging.handlers.QueueListener(waiting, handler)
    listener.start()
    logger.error("failed")
    listener.stop()
    with DaemonDouble(f"ipc://{place}/s") as daemon:
        handler.handle(logging.makeLogRecord({"msg": "the last", "levelno": logging.ERROR}))
        assert until(lambda: "the last" in daemon.memory.messages)
        assert daemon.memory.messages["failed"] == 1


# Text


@pytest.mark.parametrize("setting", ["SERVICE", "RELEASE", "ENVIRONMENT", "CLIENT", "IN_APP", "SCRUB"])
def test_a_setting_that_is_no_utf_8_keeps_nothing_back(setting: str, place: Path) -> None:
    with DaemonDouble(f"ipc://{place}/s") as daemon:
        ended = run(
            place,
            "log.error('failed'); handler.destination.await_delivery(20)",
            **{f"TOCSIN_{setting}": "caf\udce9"},
        )
        assert ended.returncode == 0, ended.stderr
        assert until(lambda: daemon.memory.counted == 1), ended.stderr


def test_names_that_cannot_be_encoded_keep_nothing_back(place: Path, logger_to: Make) -> None:
    logger = logger_to()
    logger.name = "log\udc80"
    logging.addLevelName(45, "WORSE\udc80")
    with DaemonDouble(f"ipc://{place}/s") as daemon:
        logger.log(45, "failed", extra={"\udc80": "\udc81", "fingerprint": ["\udc82"]}, stack_info=True)
        assert until(lambda: daemon.memory.counted == 1)


# Clocks


def test_a_sleep_that_raises_in_a_test_of_the_applications_harms_nothing(
    place: Path, logger_to: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unexpected(seconds: float) -> None:
        raise AssertionError("the application sleeps")

    logger = logger_to()
    handler = logger.handlers[0]
    with DaemonDouble(f"ipc://{place}/s", ack=False) as daemon:
        logger.error("failed")
        assert until(lambda: daemon.memory.counted >= 1)
        monkeypatch.setattr(time, "sleep", unexpected)
        handler.flush()
        logger.removeHandler(handler)
        handler.close()
        assert process.wait(0.05, lambda: False) is False


def test_what_is_logged_while_a_clock_is_frozen_is_shipped_then(place: Path, logger_to: Make) -> None:
    logger = logger_to(heartbeat=0.1)
    with freeze_time("2021-03-28 02:30"), DaemonDouble(f"ipc://{place}/s") as daemon:
        logger.error("frozen")
        assert until(lambda: daemon.memory.counted == 1)
        assert until(lambda: sum(daemon.memory.heartbeats.values()) > 3)


# Half done


def test_what_waits_for_two_endpoints_is_adopted_by_whoever_has_the_second_only(
    place: Path, logger_to: Make
) -> None:
    body = f"""
both = TocsinHandler(["ipc://{place}/gone", sys.argv[1]], spool=sys.argv[2])
both.handle(logging.makeLogRecord({{"msg": "old", "levelno": logging.ERROR}}))
os._exit(1)
"""
    run(place, body)
    with DaemonDouble(f"ipc://{place}/s") as daemon:
        logger_to().error("new")
        assert until(lambda: daemon.memory.messages == {"old": 1, "new": 1})


def test_a_file_that_may_not_grow_loses_no_count(place: Path) -> None:
    body = """
import resource
log.error("first")
resource.setrlimit(resource.RLIMIT_FSIZE, (6000, resource.RLIM_INFINITY))
for number in range(30):
    log.error("%d %s", number, "x" * 500)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
time.sleep(1.2)  # The scenario
log.error("last")
handler.destination.await_delivery(20)
"""
    with DaemonDouble(f"ipc://{place}/s") as daemon:
        assert run(place, body).returncode == 0
        assert until(lambda: daemon.memory.counted + daemon.memory.reported == 32)
        assert set(daemon.memory.messages.values()) == {1}
