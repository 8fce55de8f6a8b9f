"""Examples as their users run them, as processes of their own; and what the daemon says of their errors."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil

from support.running import Daemon
from support.waiting import until
from tocsin.daemon.store.bodies import SampleBody, decode_body
from tocsin.handler.protocol.event import Event

EXAMPLES = Path(__file__).parents[2] / "examples" / "frameworks"
PROGRAMS = Path(sys.executable).parent
CONFIGURATION = '\n[[service]]\nname = "nightly"\nkind = "batch"\n'
CONFIGURATION += '[[client]]\nid = "acme"\nhosts = ["acme.example.org"]\n[[client]]\nid = "martin"\n'
"""What docs/frameworks.md has the admin write for the cron job, and the clients of the examples."""
_PORT = re.compile(r"http://127\.0\.0\.1:(\d+)")


def commands(example: Path) -> list[list[str]]:
    """The commands that an example's first text (docstring or cell) shows, indented: how it is run."""
    if example.suffix == ".py":
        text = ast.get_docstring(ast.parse(example.read_text()), clean=False) or ""
    elif example.suffix == ".ipynb":
        text = "".join(json.loads(example.read_text())["cells"][0]["source"])
    else:
        text = ""
    return [line.split() for line in text.splitlines() if line.startswith("    ")]


class ExamplesDaemon(Daemon):
    """`tocsin daemon` as it is, and the examples copied beside it."""

    program = (PROGRAMS / "tocsin",)

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        with (place / "tocsin.toml").open("a") as file:
            file.write(CONFIGURATION)
        self.more: dict[str, str] = {}
        """What programs find in their environment besides."""
        self.examples = place / "examples"
        shutil.copytree(EXAMPLES, self.examples, ignore=shutil.ignore_patterns("__pycache__", "*.sqlite3"))

    @property
    def environ(self) -> dict[str, str]:
        path = f"{PROGRAMS}:{os.environ['PATH']}"
        own = {"PATH": path, "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(self.place)}
        return {**super().environ, **own, **self.more}

    def run(self, *command: str | Path, under: str = ".") -> str:
        """What the command said; it must end well."""
        done = subprocess.run(
            [*command],
            cwd=self.examples / under,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=90,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextlib.contextmanager
    def serving(
        self, *command: str | Path, under: str = ".", end: int = signal.SIGTERM
    ) -> Iterator[RunningProgram]:
        """The command while it runs; at the end it is asked to stop, by the signal `end`, and waited for."""
        log = self.place / f"{Path(command[0]).name}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*command], cwd=self.examples / under, env=self.environ, stdout=out, stderr=out
            )
        server = RunningProgram(process, log)
        try:
            yield server
        finally:
            server.stop(end)

    def counts(self, service: str, expected: dict[str, int]) -> bool:
        """Whether that is counted by client once the programs have ended.

        What a process could not ship at its end (it waits 50 ms for a connection), `tocsin ship` does.
        """
        if until(lambda: self.clients(service) == expected, 10):
            return True
        self.run("tocsin", "ship")
        return until(lambda: self.clients(service) == expected)

    def clients(self, service: str) -> dict[str, int]:
        """Per client the occurrences of the service."""
        return dict(
            self._asked(
                "SELECT client_id, sum(count) FROM error_counts JOIN error_logs ON error_logs.id = error_id "
                "WHERE service = ? GROUP BY client_id",
                service,
            )
        )

    def events(self, service: str) -> list[Event]:
        """The events kept in full."""
        found = self._asked(
            "SELECT body FROM error_samples JOIN error_logs ON error_logs.id = error_id WHERE service = ?",
            service,
        )
        return [sample.event for (body,) in found if isinstance(sample := decode_body(body), SampleBody)]

    def logged_by(self, service: str) -> dict[int, int]:
        """Per process that logged any error of the service, how many."""
        return dict(
            self._asked(
                "SELECT pid, sum(events) FROM sessions WHERE service = ? AND events > 0 GROUP BY pid", service
            )
        )

    def present(self, service: str) -> set[int]:
        """The processes of the service that have said hello."""
        return {pid for (pid,) in self._asked("SELECT pid FROM sessions WHERE service = ?", service)}

    def ended(self, service: str) -> set[int]:
        """The processes that logged an error of the service and said goodbye."""
        return {
            pid
            for (pid,) in self._asked(
                "SELECT pid FROM sessions WHERE service = ? AND events > 0 AND ended_at IS NOT NULL", service
            )
        }

    def _asked(self, sql: str, service: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.place / "state" / "tocsin.db", timeout=30)) as database:
            return database.execute(sql, (service,)).fetchall()


class RunningProgram:
    """A running program with workers."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log
        self._seen: set[int] = set()

    def said(self) -> str:
        return self._log.read_text(errors="replace")

    def says(self, text: str, times: int = 1) -> bool:
        """Waits until it has written the text so often."""
        return until(lambda: self.said().count(text) >= times or self._process.poll() is not None) and (
            self._process.poll() is None
        )

    @property
    def url(self) -> str:
        """Where it listens, as it says itself."""
        assert until(lambda: _PORT.search(self.said())), self.said()
        found = _PORT.search(self.said())
        assert found is not None
        return found[0]

    def children(self) -> list[int]:
        with contextlib.suppress(psutil.NoSuchProcess):
            found = [child.pid for child in psutil.Process(self._process.pid).children(recursive=True)]
            self._seen |= set(found)
            return found
        return []

    @contextlib.contextmanager
    def only(self, worker: int) -> Iterator[None]:
        """While it lasts no other child runs, so that this one takes what comes."""
        others = [pid for pid in self.children() if pid != worker]
        try:
            for pid in others:
                os.kill(pid, signal.SIGSTOP)
            yield
        finally:
            for pid in others:
                os.kill(pid, signal.SIGCONT)

    def stop(self, number: int) -> None:
        """Asks it to stop; what is still there after a while is killed, child by child."""
        if self._process.poll() is None:
            # Stopped first: no child is born that nobody knows of.
            self._process.send_signal(signal.SIGSTOP)
            self.children()
            self._process.send_signal(number)
            self._process.send_signal(signal.SIGCONT)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(30)
        for pid in self._seen:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
