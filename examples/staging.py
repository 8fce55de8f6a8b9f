"""The demo's directory, configuration, processes and calls of `tocsin`. Knows nothing of what is played."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from rich.console import Console
from rich.markup import escape

T = TypeVar("T")

MARK = ".tocsin-demo"
SOCKET_PATH_LIMIT = 100
"""Bytes: a Unix socket's path ends at 107, ZeroMQ's lock file needs a little more."""

CONFIGURATION = """\
# The demo's settings: hours are shortened to seconds, all else is as a small company would have it.
[daemon]
listen = ["{endpoint}"]
state_dir = "{directory}/state"

[database]
url = "sqlite:///{directory}/tocsin.db"

[tickets]
threshold = 3
window = "60s"

[watch]
duration = "{watch}s"
every = "1s"
min_seen = 0.9
unseen_after = "{watch}s"

[mail]
admin = ["ops@tea.example"]
language = "en"
per_hour = 100
gather = "0.1s"

[report]
dir = "{directory}/report"
url = "file://{directory}/report"
every = "1s"

[console]
listen = "127.0.0.1:{console_port}"

[[client]]
id = "martin"
name = "Maison Martin"
email = "contact@martin.example"
language = "fr"

[[client]]
id = "lopez"
name = "Lopez & Sons"
email = "hello@lopez.example"
language = "en"
"""
MAIL_SERVER = """\
SMTP_HOST=127.0.0.1
SMTP_PORT={port}
SMTP_SECURITY=none
SMTP_FROM=tocsin@tea.example
"""


class Failed(Exception):
    """The demo cannot go on; the text says what was waited for or what said no."""


class Stage:
    """A fresh directory and the processes of one run; leaving it ends them all, whatever happened."""

    def __init__(self, directory: Path, console: Console) -> None:
        self.directory = directory.absolute()
        self.console = console
        self.started_at = time.monotonic()
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self._scratch: Path | None = None
        self.console_port = 0
        """Where the console listens, once configured."""
        self._clear()

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        for name in reversed(list(self._processes)):
            self.stop(name)
        if self._scratch:
            shutil.rmtree(self._scratch, ignore_errors=True)

    @property
    def configuration(self) -> Path:
        return self.directory / "tocsin.toml"

    @property
    def environ(self) -> dict[str, str]:
        """The processes' environment: nothing of the caller's own Tocsin or mail settings."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("TOCSIN_", "SMTP_"))}
        return {
            **inherited,
            "PYTHONUNBUFFERED": "1",
            "SHOP_DATA": str(self.directory / "data"),
            "TOCSIN_CONFIG": str(self.configuration),
            "TOCSIN_ENDPOINT": self.endpoint,
            "TOCSIN_SPOOL": str(self.directory / "spool"),
            "TOCSIN_HEARTBEAT": "1",
        }

    def configure(self, *, mail_port: int, watch: float) -> None:
        """Writes tocsin.toml and the .env beside it."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.console_port = int(probe.getsockname()[1])
        values = {
            "endpoint": self.endpoint,
            "directory": self.directory,
            "watch": f"{watch:g}",
            "console_port": self.console_port,
        }
        self.configuration.write_text(CONFIGURATION.format_map(values), "utf-8")
        (self.directory / ".env").write_text(MAIL_SERVER.format(port=mail_port), "utf-8")

    def say(self, text: str) -> None:
        """One line of progress, with the seconds since the start."""
        self.console.print(
            f"[dim]{time.monotonic() - self.started_at:5.1f} s[/]  {escape(text)}", soft_wrap=True
        )

    def start(self, name: str, *arguments: str, directory: Path | None = None, listens: bool = True) -> int:
        """Starts `python *arguments` with its output in logs/; returns the port it says it has, else 0.

        Raises Failed when it ends before saying so.
        """
        with open(self.log(name), "a", encoding="utf-8") as log:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=directory or self.directory,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if listens else log,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        self._processes[name] = process
        if process.stdout is None:
            return 0
        line = process.stdout.readline()
        if not line:
            raise Failed(f"{name} ended at once: {self.last_words(name)}")
        return int(line.rsplit(":", 1)[1])

    def stop(self, name: str, seconds: float = 15) -> int | None:
        """Ends a process in order (SIGTERM); by force when it takes longer. Returns its exit code."""
        process = self._processes.pop(name, None)
        if process is None:
            return None
        process.terminate()
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def kill(self, name: str) -> int:
        """SIGKILL: the process gets no chance to do anything. Returns its exit code."""
        process = self._processes.pop(name)
        process.kill()
        return process.wait()

    def pid(self, name: str) -> int:
        return self._processes[name].pid

    def log(self, name: str) -> Path:
        return self.directory / "logs" / f"{name}.log"

    def last_words(self, name: str) -> str:
        lines = self.log(name).read_text("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def tocsin(self, *arguments: str, accept: tuple[int, ...] = (0,)) -> Any:
        """What `tocsin ... --json` says. Raises Failed with its own words at another exit code."""
        done = self._tocsin(*arguments, "--json", accept=accept)
        try:
            return json.loads(done.stdout)
        except ValueError:
            raise Failed(f"tocsin {' '.join(arguments)}: not JSON: {done.stdout[:200]!r}") from None

    def tocsin_plain(self, *arguments: str) -> str:
        """What a command says to people. Raises Failed with its own words when it fails."""
        return self._tocsin(*arguments).stdout

    def _tocsin(self, *arguments: str, accept: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "tocsin.daemon", *arguments],
            cwd=self.directory,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if done.returncode not in accept:
            words = (done.stderr or done.stdout).strip().splitlines() or ["nothing said"]
            raise Failed(f"tocsin {' '.join(arguments)} (exit code {done.returncode}): {words[-1]}")
        return done

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the daemon's database: quicker to ask again and again than a command."""
        with closing(sqlite3.connect(self.directory / "tocsin.db", timeout=30)) as database:
            return database.execute(sql).fetchall()

    def until(self, what: str, found: Callable[[], T], *, seconds: float = 40, patient: bool = False) -> T:
        """Asks again and again until `found` gives something true; shows what it waits for.

        Raises Failed after `seconds`; `patient`: a Failed of `found` itself only means not yet.
        """
        deadline = time.monotonic() + seconds
        problem = ""
        with self.console.status(what):
            while time.monotonic() < deadline:
                self._check_alive()
                try:
                    if result := found():
                        return result
                except Failed as error:
                    if not patient:
                        raise
                    problem = f" ({error})"
                time.sleep(0.2)
        raise Failed(f"waited {seconds:g} s in vain: {what}{problem}")

    def _check_alive(self) -> None:
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise Failed(
                    f"{name} ended by itself (exit code {process.returncode}): {self.last_words(name)}"
                )

    def _clear(self) -> None:
        if self.directory.is_dir() and any(self.directory.iterdir()) and not (self.directory / MARK).exists():
            raise Failed(f"{self.directory} is not a directory of the demo; name another with --out")
        shutil.rmtree(self.directory, ignore_errors=True)
        (self.directory / "logs").mkdir(parents=True)
        (self.directory / MARK).touch()
        self._scratch = None
        socket = self.directory / "tocsin.sock"
        if len(os.fsencode(socket)) > SOCKET_PATH_LIMIT:
            self._scratch = Path(tempfile.mkdtemp(prefix="tocsin-"))
            socket = self._scratch / "tocsin.sock"
        self.endpoint = f"ipc://{socket}"


def end_on_signals() -> None:
    """SIGTERM and SIGHUP end the demo as Ctrl-C does, so that no process stays behind."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
