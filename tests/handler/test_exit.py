"""However a program ends, what it logged is counted, and the end takes little longer."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from daemon_double import DaemonDouble
from support.running import until

Make = Callable[..., logging.Logger]

ENDS = {
    "return": "",
    "sys.exit": "sys.exit(3)",
    "uncaught exception": "raise ValueError",
    "os._exit": "os._exit(0)",
    "SIGTERM": "os.kill(os.getpid(), signal.SIGTERM)",
    "SIGINT": "os.kill(os.getpid(), signal.SIGINT)",
    "SIGKILL": "os.kill(os.getpid(), signal.SIGKILL)",
    "SIGSEGV": "import faulthandler, resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0));"
    "os.kill(os.getpid(), signal.SIGSEGV)",
}

PROGRAM = """
import atexit, logging, os, signal, sys, threading
from concurrent.futures import ThreadPoolExecutor
log = logging.getLogger("program")
def late(): log.error("19")
{before}
from tocsin.handler import TocsinHandler
handler = TocsinHandler(sys.argv[1], "shop", spool=sys.argv[2], flush_timeout=float(sys.argv[3]))
log.addHandler(handler)
for number in range({count}):
    log.error(f"{{number}}")
{end}
"""


def run(place: Path, end: str, *, count: int = 20, before: str = "") -> tuple[int, float]:
    """(exit code, seconds between the last words and the end) of a program that ends so."""
    stamp = "import time; print(time.time(), flush=True)\n"
    code = PROGRAM.format(before=before, count=count, end=stamp + end)
    ended = subprocess.run(
        [sys.executable, "-c", code, f"ipc://{place}/s", str(place / "spool"), "2.0"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ended.returncode, time.time() - float(ended.stdout.split()[0])


@pytest.fixture
def daemon(place: Path) -> Iterator[DaemonDouble]:
    with DaemonDouble(f"ipc://{place}/s") as double:
        yield double


def counted(daemon: DaemonDouble) -> bool:
    return until(lambda: daemon.memory.messages == {f"{number}": 1 for number in range(20)})


@pytest.mark.parametrize("end", ENDS)
def test_all_is_counted_when_the_daemon_is_up(
    end: str, place: Path, daemon: DaemonDouble, logger_to: Make
) -> None:
    run(place, ENDS[end])
    logger_to()
    assert counted(daemon)


@pytest.mark.parametrize("end", ENDS)
def test_all_is_counted_at_the_next_start_when_the_daemon_was_down(
    end: str, place: Path, logger_to: Make
) -> None:
    run(place, ENDS[end])
    logger_to()
    with DaemonDouble(f"ipc://{place}/s") as daemon:
        assert counted(daemon)


@pytest.mark.parametrize(
    ("before", "end"),
    [
        ("atexit.register(late)", ""),
        ("", "atexit.register(late)"),
        ("class Last:\n    def __del__(self): late()\n", "sys.modules['kept'] = Last()"),
        ("", "ThreadPoolExecutor(2).submit(late)"),
        ("", "threading.Thread(target=late).start()"),
    ],
    ids=["atexit before ours", "atexit after ours", "__del__ at shutdown", "thread pool", "thread"],
)
@pytest.mark.parametrize("up", [True, False])
def test_the_last_words_of_a_program_are_counted(
    before: str, end: str, up: bool, place: Path, logger_to: Make
) -> None:
    double = DaemonDouble(f"ipc://{place}/s")
    if up:
        double.__enter__()
    run(place, end, count=19, before=before)
    logger_to()
    if not up:
        double.__enter__()
    assert counted(double)
    double.die()


def test_a_program_that_ended_in_order_leaves_no_file(place: Path, daemon: DaemonDouble) -> None:
    run(place, "handler.destination.await_delivery(20)")
    assert list((place / "spool").iterdir()) == []
    assert list(daemon.memory.goodbyes.values()) == [0]


def test_the_end_waits_little_when_no_daemon_answers(place: Path) -> None:
    assert run(place, "")[1] < 0.5


def test_the_end_waits_two_seconds_at_most_for_a_daemon_that_does_not_acknowledge(place: Path) -> None:
    with DaemonDouble(f"ipc://{place}/s", ack=False):
        assert run(place, "")[1] < 3.0


def test_the_command_ships_what_dead_processes_left(place: Path, daemon: DaemonDouble) -> None:
    run(place, ENDS["SIGKILL"])
    command = [sys.executable, "-m", "tocsin.handler", "ship", str(place / "spool")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout.count("shipped")) == (0, 1)
    assert counted(daemon)
    assert list((place / "spool").iterdir()) == []


def test_the_command_says_why_something_stays(place: Path) -> None:
    run(place, ENDS["SIGKILL"])
    command = [sys.executable, "-m", "tocsin.handler", "ship", str(place / "spool"), "--patience", "0.3"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert "no daemon answers at ipc://" in ended.stdout


def test_the_test_command_says_what_became_of_its_errors(place: Path, daemon: DaemonDouble) -> None:
    command = [sys.executable, "-m", "tocsin.handler", "test", "--endpoint", f"ipc://{place}/s"]
    command += ["--spool", str(place / "spool"), "--service", "shop"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, "acknowledged" in ended.stdout) == (0, True)
    assert daemon.memory.counted == 3


def test_sigterm_during_logging_loses_nothing_that_was_logged(place: Path, logger_to: Make) -> None:
    code = PROGRAM.format(
        before="", count=0, end="n = 0\nwhile True:\n    log.error(f'{n}'); print(n); n += 1"
    )
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", code, f"ipc://{place}/s", str(place / "spool"), "2.0"], stdout=-1
    )
    while not process.stdout.readline().startswith(b"200"):
        pass
    os.kill(process.pid, signal.SIGTERM)
    rest = process.communicate(timeout=20)[0].split()
    last = int(rest[-2]) if len(rest) > 1 else 200
    logger_to()
    with DaemonDouble(f"ipc://{place}/s") as daemon:
        assert until(lambda: daemon.memory.messages[f"{last}"] == 1)
        assert set(daemon.memory.messages.values()) == {1}
        assert daemon.memory.counted >= last + 1
