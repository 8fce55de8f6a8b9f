"""The real daemon as a process that tests kill, stop and start again, and what its database says."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import zmq

SOAK = int(os.environ.get("TOCSIN_SOAK", "1"))
"""How many times as long as usual a test lasts: `make soak` sets it."""
PROGRAM = Path(__file__).with_name("daemon_process.py")
_SEQUENCE = re.compile(r"(\S+)#(\d+)")


def until(fact: Callable[[], object], seconds: float = 60.0) -> bool:
    """Polls until `fact()` holds; False when it did not in time."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not (held := bool(fact())):
        if time.monotonic() > deadline:
            return False
        pause.wait(0.02)
    return held


@contextlib.contextmanager
def short_place() -> Iterator[Path]:
    """A directory with a short path: a socket's name has 107 bytes."""
    directory = Path(tempfile.mkdtemp(prefix="tocsin-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


class Daemon:
    """`tocsin daemon` on SQLite in `place`; the socket is `place/s`, the handlers' spool `place/spool`."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.endpoint = f"ipc://{place}/s"
        self.spool = place / "spool"
        self.process: subprocess.Popen[bytes] | None = None
        self.log = (place / "daemon.log").open("ab")
        (place / "tocsin.toml").write_text(
            f'[daemon]\nlisten = ["{self.endpoint}"]\nstate_dir = "{place}/state"\n[report]\nevery = "1h"\n'
        )

    @property
    def environ(self) -> dict[str, str]:
        """What both sides need to find each other, and nothing of the developer's own settings."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("TOCSIN_", "SMTP_"))}
        return {**kept, "TOCSIN_ENDPOINT": self.endpoint, "TOCSIN_SPOOL": str(self.spool)}

    def start(self, point: str = "") -> None:
        """Starts it; `point`: where it kills itself, as `daemon_process` names it."""
        command = [sys.executable, str(PROGRAM), point, "--config", str(self.place / "tocsin.toml"), "daemon"]
        self.process = subprocess.Popen(command, env=self.environ, stdout=self.log, stderr=self.log)

    def up(self) -> Daemon:
        """Starts it and waits until it takes connections."""
        self.start()
        assert until(lambda: connects(self.endpoint)), (self.place / "daemon.log").read_text()
        return self

    def died(self) -> None:
        """Waits until it has ended by itself."""
        process = self.process
        assert process is not None
        assert until(lambda: process.poll() is not None)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Ends it, if it runs."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGCONT)
                self.process.send_signal(number)
            self.process.wait(30)
            self.process = None

    def close(self) -> None:
        self.kill()
        self.log.close()

    def counted(self) -> Counter[str]:
        """Occurrences by the newest text of each error."""
        return Counter(dict(self._rows("SELECT message, sum(occurrences) FROM error_logs GROUP BY message")))

    def total(self) -> int:
        """Occurrences of all errors."""
        return sum(self.counted().values())

    def lost(self) -> Counter[str]:
        """Events told as lost, by reason."""
        return Counter(dict(self._rows("SELECT reason, sum(count) FROM losses GROUP BY reason")))

    def quarantined(self) -> int:
        return int(next(iter(self._rows("SELECT 0, count(*) FROM quarantine")), (0, 0))[1])

    def sessions(self) -> int:
        return int(next(iter(self._rows("SELECT 0, count(*) FROM sessions")), (0, 0))[1])

    def _rows(self, sql: str) -> list[tuple[str, int]]:
        path = self.place / "state" / "tocsin.db"
        with contextlib.suppress(sqlite3.OperationalError):
            connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
            try:
                return connection.execute(sql).fetchall()
            finally:
                connection.close()
        return []


def connects(endpoint: str) -> bool:
    """Whether somebody takes connections there."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.DEALER)
    try:
        socket.setsockopt(zmq.IMMEDIATE, 1)
        socket.connect(endpoint)
        return bool(socket.poll(300, zmq.POLLOUT))
    finally:
        socket.close(linger=0)
        context.term()


def unbalanced(returned: Counter[str], counted: Counter[str]) -> dict[str, str]:
    """What was counted too little or too much, compared with the log calls that returned.

    Texts are `thread#number`: a call that a kill kept from returning may be counted too, but then it is the
    next one of its thread. Texts without a number are repetitions: there one more may be counted.
    """
    wrong = {}
    ends: Counter[str] = Counter()
    for text in returned:
        if found := _SEQUENCE.fullmatch(text):
            ends[found[1]] = max(ends[found[1]], int(found[2]) + 1)
    for text in returned.keys() | counted.keys():
        found = _SEQUENCE.fullmatch(text)
        may = returned[text] + 1 if found is None else 1
        if counted[text] < returned[text]:
            wrong[text] = f"counted {counted[text]} of {returned[text]}"
        elif counted[text] > may:
            wrong[text] = f"counted {counted[text]}, logged {returned[text]}"
        elif found and text not in returned and int(found[2]) != ends[found[1]]:
            wrong[text] = "counted, never logged"
    return wrong
