"""The daemon as applications meet it: its endpoint and spool, and what its database says of them."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
import zmq

from support.daemon_process import PROGRAM, DaemonProcess
from support.waiting import short_place, until

__all__ = ["SOAK", "Daemon", "connects", "short_place", "unbalanced", "until"]

SOAK = int(os.environ.get("TOCSIN_SOAK", "1"))
"""How many times as long as usual a test lasts: `make soak` sets it."""
_SEQUENCE = re.compile(r"(\S+)#(\d+)")


class Daemon(DaemonProcess):
    """`tocsin daemon` in `place`; the socket is `place/s`, the handlers' spool `place/spool`."""

    program = (sys.executable, PROGRAM)

    def __init__(self, place: Path, postgres_url: str = "") -> None:
        """`postgres_url`: its database, in place of SQLite under `place/state`."""
        self.endpoint = f"ipc://{place}/s"
        self.spool = place / "spool"
        self.database_url = postgres_url
        database = f'[database]\nurl = "{postgres_url}"\n' if postgres_url else ""
        super().__init__(
            place,
            f'[daemon]\nlisten = ["{self.endpoint}"]\nstate_dir = "{place}/state"\n'
            f'{database}[report]\nevery = "1h"\n',
        )

    @property
    def environ(self) -> dict[str, str]:
        """What both sides need to find each other, and nothing of the developer's own settings."""
        return {**super().environ, "TOCSIN_ENDPOINT": self.endpoint, "TOCSIN_SPOOL": str(self.spool)}

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
        return dict(self._rows("SELECT '', count(*) FROM quarantine")).get("", 0)

    def sessions(self) -> int:
        return dict(self._rows("SELECT '', count(*) FROM sessions")).get("", 0)

    def _rows(self, sql: str) -> list[tuple[str, int]]:
        return [(text, int(number)) for text, number in self._select(sql)]

    def _select(self, sql: str) -> Sequence[tuple[Any, ...]]:
        """Nothing while the daemon has not made its tables; what else goes wrong is the test's fault."""
        with contextlib.suppress(sqlite3.OperationalError, psycopg.errors.UndefinedTable):
            return self._execute(sql)
        return self._execute(sql) if self._made() else []

    def _made(self) -> bool:
        try:
            self._execute("SELECT id FROM error_logs WHERE id = 0")
        except (sqlite3.OperationalError, psycopg.errors.UndefinedTable):
            return False
        return True

    def _execute(self, sql: str) -> Sequence[tuple[Any, ...]]:
        if self.database_url:
            with psycopg.connect(self.database_url) as database:
                return database.execute(sql.encode()).fetchall()
        uri = f"file:{self.place}/state/tocsin.db?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=10)) as database:
            return database.execute(sql).fetchall()


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
