"""The console as a process: beside a real daemon, watched by it, gone with it; slow connections in nobody's way."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from support.daemon_process import DaemonProcess
from support.waiting import short_place, until


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class WithConsole(DaemonProcess):
    """A daemon with its console on a free port."""

    def __init__(self, place: Path) -> None:
        self.port = free_port()
        super().__init__(
            place,
            f'[daemon]\nlisten = ["ipc://{place}/s"]\nstate_dir = "{place}/state"\n[report]\nevery = "1h"\n'
            f'[console]\nlisten = "127.0.0.1:{self.port}"\n',
        )

    def status(self, path: str = "/sign-in") -> int:
        """What the console answers; 0 while nobody does."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def console(self) -> psutil.Process:
        """The process that the daemon started."""
        assert self.process is not None
        children = psutil.Process(self.process.pid).children()
        return next(one for one in children if "console" in one.cmdline())


@pytest.fixture
def daemon() -> Iterator[WithConsole]:
    with short_place() as place, WithConsole(place) as started:
        assert until(lambda: started.status() == 200), started.written()
        yield started


def test_a_console_that_dies_is_started_again(daemon: WithConsole) -> None:
    first = daemon.console()
    first.send_signal(signal.SIGKILL)
    assert until(lambda: daemon.said("console_died") == 1)
    assert until(lambda: daemon.status() == 200)
    assert daemon.console().pid != first.pid


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_console_ends_with_its_daemon(daemon: WithConsole, number: int) -> None:
    console = daemon.console()
    daemon.kill(number)
    assert until(lambda: not console.is_running())


def test_the_console_starts_again_on_a_database_that_was_restored_beneath_it(daemon: WithConsole) -> None:
    first, file = daemon.console(), daemon.place / "state" / "tocsin.db"
    shutil.copy(file, daemon.place / "other.db")
    os.replace(daemon.place / "other.db", file)
    assert daemon.status() == 503
    assert until(lambda: not first.is_running() or first.status() == psutil.STATUS_ZOMBIE)
    assert daemon.said("console_ends") == 1


def test_the_first_admin_s_link_is_not_written_to_a_log(daemon: WithConsole) -> None:
    assert "one-time" not in daemon.written()


def test_on_a_terminal_the_daemon_shows_the_first_admin_s_link() -> None:
    with short_place() as place:
        daemon = WithConsole(place)
        controller, terminal = pty.openpty()
        daemon.log.close()
        daemon.log = os.fdopen(terminal, "ab", buffering=0)
        shown = ""
        try:
            daemon.start()
            while not (found := re.search(r"(http://127\.0\.0\.1:\d+)(/one-time/[\w-]+)\s", shown)):
                shown += os.read(controller, 4096).decode(errors="replace")
            assert found[1].endswith(f":{daemon.port}")
            assert until(lambda: daemon.status(found[2]) == 200)
        finally:
            daemon.close()
            os.close(controller)


@pytest.fixture
def without_extra(tmp_path: Path) -> dict[str, str]:
    """An environment in which what the extra `console` brings cannot be found."""
    hide = "import importlib.util as util\nfound = util.find_spec\nutil.find_spec = lambda name, *more: "
    (tmp_path / "sitecustomize.py").write_text(f"{hide}None if name == 'starlette' else found(name, *more)\n")
    return {"PYTHONPATH": str(tmp_path)}


def test_without_the_extra_the_daemon_runs_and_says_in_a_line_what_to_install(
    without_extra: dict[str, str],
) -> None:
    with short_place() as place:
        daemon = WithConsole(place)
        try:
            daemon.up(**without_extra)
            assert until(lambda: "tocsin[console]" in daemon.written())
            assert sum("tocsin[console]" in line for line in daemon.written().splitlines()) == 1
            assert daemon.status() == 0
        finally:
            daemon.close()


def test_without_the_extra_the_console_s_command_ends_with_a_line(without_extra: dict[str, str]) -> None:
    with short_place() as place:
        daemon = WithConsole(place)
        done = subprocess.run(
            daemon.command("console"), env={**daemon.environ, **without_extra}, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        daemon.close()
    assert done.returncode == 2
    assert "pip install 'tocsin[console]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_user_s_command_prints_its_link(daemon: WithConsole) -> None:
    done = daemon.tocsin("users", "add", "ada@example.org")
    link = done.stdout.splitlines()[-1]
    assert link.startswith(f"http://127.0.0.1:{daemon.port}/one-time/")
    assert daemon.status(link.partition(str(daemon.port))[2]) == 200
    assert "ada@example.org" in daemon.tocsin("users", "list").stdout
    assert daemon.tocsin("users", "add", "ada@example.org").returncode == 1


def test_connections_that_ask_nothing_do_not_keep_others_waiting(daemon: WithConsole) -> None:
    opened = []
    try:
        for number in range(500):
            one = socket.create_connection(("127.0.0.1", daemon.port), timeout=10)
            one.sendall(b"GET /sign-in HTTP/1.1\r\nHost: x" if number % 2 else b"")
            opened.append(one)
        assert daemon.status() == 200
    finally:
        for one in opened:
            one.close()


def test_a_connection_that_asks_nothing_is_closed(daemon: WithConsole) -> None:
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as silent:
        silent.sendall(b"GET /sign-in HT")
        assert silent.recv(1) == b""
