"""The console killed and started again while people act: what was answered is done, once, on both databases."""

from __future__ import annotations

import http.client
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from support.daemon_process import DaemonProcess
from support.waiting import short_place, until
from support.web_server import free_port

from tocsin.daemon.accounts import browser_sessions, users
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import History, Ticket
from tocsin.reports.console import cookies

KILLS = 4
ANSWERS_BETWEEN = 25
"""Actions that are answered before the next console is killed."""


class ConsoleProcess(DaemonProcess):
    """`tocsin console` by itself, on a database that other consoles may use too."""

    def __init__(self, place: Path, url: str, name: str) -> None:
        self.port = free_port()
        super().__init__(place, name=name)
        self.config.write_text(
            f'[daemon]\nlisten = ["ipc://{place}/s"]\nstate_dir = "{place}/state"\n[database]\nurl = "{url}"\n'
            f'[console]\nlisten = "127.0.0.1:{self.port}"\n'
        )

    def start(self, **environ: str) -> ConsoleProcess:
        self.process = subprocess.Popen(
            self.command("console"),
            env={**self.environ, **environ},
            cwd=self.place,
            stdout=self.log,
            stderr=self.log,
        )
        return self

    def up(self, **environ: str) -> ConsoleProcess:
        before = self.said("console_up")
        self.start(**environ)
        assert until(lambda: self.said("console_up") > before), self.written()
        return self


class Admins:
    """Admins who write notes on a ticket as fast as they are answered, each note once."""

    def __init__(self, ports: list[int], token: str, ticket_id: int) -> None:
        self.answered: list[str] = []
        self.over = threading.Event()
        self._token = token
        self._path = f"/tickets/{ticket_id}/note"
        self._threads = [threading.Thread(target=self._write, args=(number, ports)) for number in range(4)]

    def __enter__(self) -> Admins:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self._threads:
            thread.join()

    def _write(self, number: int, ports: list[int]) -> None:
        count = 0
        while not self.over.is_set():
            note = f"note {number}-{count}."
            count += 1
            if self._answered(note, ports[count % len(ports)]):
                self.answered.append(note)
            else:
                self.over.wait(0.02)

    def _answered(self, note: str, port: int) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        headers = {
            "Cookie": f"{cookies.SESSION}={self._token}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        form = urlencode({"csrf": cookies.csrf(self._token), "text": note})
        try:
            connection.request("POST", self._path, form, headers)
            return connection.getresponse().status == 303
        except (OSError, http.client.HTTPException):
            return False  # It was killed: nobody was told that the note is written.
        finally:
            connection.close()


class Killed:
    """What holds on both databases."""

    database = "sqlite"
    consoles = 1

    @pytest.fixture
    def running(self, store: Store) -> Iterator[list[ConsoleProcess]]:
        with short_place() as place:
            found = [ConsoleProcess(place, store.url, f"console{number}") for number in range(self.consoles)]
            for one in found:
                one.up()
            yield found
            for one in found:
                one.close()

    def test_what_was_answered_is_done_once(self, store: Store, running: list[ConsoleProcess]) -> None:
        now = time.time()
        token = browser_sessions.begin_user(store, users.add(store, "ada@example.org", now), now)
        with store.transaction():
            ticket = Ticket.create(subject="Update", message="", source="manual", created_at=now)
        with Admins([one.port for one in running], token, ticket.id) as admins:
            for kill in range(KILLS):
                before = len(admins.answered)
                assert until(lambda before=before: len(admins.answered) >= before + ANSWERS_BETWEEN), (
                    "no answers"
                )
                running[kill % len(running)].kill(signal.SIGKILL)
                running[kill % len(running)].up()
        with store.reading():
            texts = [row.description for row in History.select().where(History.ticket == ticket)]
        written = Counter(text.partition("note ")[2] for text in texts if "note " in text)
        assert set(written.values()) == {1}
        assert not [note for note in admins.answered if note.removeprefix("note ") not in written]


class TestSqlite(Killed):
    pass


class TestTwoOnPostgres(Killed):
    database = "postgres"
    consoles = 2
