"""gunicorn with preloaded, recycled and killed workers: each answer's error is counted once."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from support.running import SOAK, Daemon, until

from tocsin.handler import TocsinHandler

HERE = Path(__file__).parent


def _connected(path: Path) -> socket.socket:
    """A connection to the application's socket."""
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(10)
    made.connect(str(path))
    return made


def sessions(spool: Path) -> int:
    return len(list(spool.glob("*.lock")))


class Load:
    """Threads that ask the application and keep what it answered."""

    def __init__(self, path: Path, threads: int) -> None:
        self.answered: list[str] = []
        self._path = path
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(n,)) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    def _ask(self, number: int) -> None:
        while not self._stop.is_set():
            connection = http.client.HTTPConnection("localhost", timeout=10)
            try:
                connection.sock = _connected(self._path)
                connection.request("GET", f"/{number}")
                answer = connection.getresponse()
                text = answer.read().decode()
                if answer.status == 200:
                    self.answered.append(text)
            except (OSError, http.client.HTTPException):
                self._stop.wait(0.02)  # A worker was killed under the question.
            finally:
                connection.close()
            # Each answer is a new error, which costs the daemon far more than one that is known.
            self._stop.wait(0.01)

    def __enter__(self) -> Load:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)


@pytest.fixture
def gunicorn(daemon: Daemon) -> Iterator[psutil.Process]:
    command = [sys.executable, "-m", "gunicorn", "--preload", "--workers", "4", "--max-requests", "60"]
    command += ["--max-requests-jitter", "40", "--bind", f"unix:{daemon.place}/web", "--log-level", "error"]
    command += ["--graceful-timeout", "5", "--chdir", str(HERE), "--no-control-socket", "web:application"]
    master = subprocess.Popen(command, env=daemon.environ, stdout=daemon.log, stderr=daemon.log)
    try:
        yield psutil.Process(master.pid)
    finally:
        if master.poll() is None:
            master.terminate()
            master.wait(30)


def test_each_answer_of_a_preloaded_recycled_and_killed_application_is_counted_once(
    daemon: Daemon, gunicorn: psutil.Process
) -> None:
    daemon.up()
    kills: Counter[str] = Counter()
    with Load(daemon.place / "web", 4) as load:
        assert until(lambda: load.answered)
        deadline = time.monotonic() + 4 * SOAK
        while time.monotonic() < deadline:
            asked = len(load.answered) + 150
            assert until(lambda asked=asked: len(load.answered) >= asked)
            if random.random() < 0.4:
                kills["daemon"] += 1
                daemon.kill()
                daemon.start()
            elif workers := gunicorn.children():
                with contextlib.suppress(ProcessLookupError):  # It may just have been recycled.
                    os.kill(random.choice(workers).pid, signal.SIGKILL)
                    kills["worker"] += 1
    pids = {text.split("-")[1] for text in load.answered}
    gunicorn.terminate()
    gunicorn.wait(30)
    handler = TocsinHandler(daemon.endpoint, "next", spool=daemon.spool)
    try:
        while (before := sessions(daemon.spool)) > 1:  # Its own stays.
            assert until(lambda before=before: sessions(daemon.spool) < before), "nothing is adopted"
        answered = Counter(load.answered)
        until(lambda: answered.keys() <= daemon.counted().keys())
        missing = answered.keys() - daemon.counted().keys()
        assert not missing, (len(missing), len(answered), list(daemon.spool.iterdir()))
        assert {text: count for text, count in daemon.counted().items() if count != 1} == {}
        assert daemon.lost() == {}
        assert len(pids) > 4
    finally:
        handler.close()
        handler.destination.finish(5)
    print(f"\ngunicorn: {len(answered)} answers of {len(pids)} workers, killed {dict(kills)}")
