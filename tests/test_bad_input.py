"""Bad input at the daemon's edges: one clear line each, nothing lost. Real processes, sockets and files."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from support.daemon_process import DaemonProcess
from support.waiting import short_place, until

LOG_THREE_ERRORS = """
import logging, sys
from tocsin.handler import TocsinHandler, bind

handler = TocsinHandler(endpoint=sys.argv[1], spool=sys.argv[2], service="shop", flush_timeout=20)
log = logging.getLogger("shop")
log.addHandler(handler)
with bind(client="martin"):
    for number in range(3):
        log.error("order %d could not be shipped", number)
handler.close()
"""


class ConfiguredDaemon(DaemonProcess):
    """A daemon that a test configures, not started yet, and the `tocsin` commands that mean it."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.endpoint = f"ipc://{place}/s"
        self.smtp: dict[str, str] = {}
        self.configure()

    def configure(self, daemon: str = "", more: str = "") -> None:
        listen = "" if "listen" in daemon else f'listen = ["{self.endpoint}"]\n'
        state = "" if "state_dir" in daemon else f'state_dir = "{self.place}/state"\n'
        self.config.write_text(
            f"[daemon]\n{listen}{state}{daemon}\n"
            f'[[client]]\nid = "martin"\nemail = "contact@martin.example"\n{more}\n'
        )

    @property
    def environ(self) -> dict[str, str]:
        return {**super().environ, **self.smtp}

    @property
    def pid(self) -> int:
        """The process that was started."""
        assert self.process is not None
        return self.process.pid

    @property
    def runs(self) -> bool:
        """It was started and has not ended."""
        return self.process is not None and self.process.poll() is None

    def ask(self, *arguments: str) -> Any:
        done = self.tocsin(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def log_three_errors(self) -> None:
        arguments = [self.endpoint, str(self.place / "spool")]
        subprocess.run([sys.executable, "-c", LOG_THREE_ERRORS, *arguments], check=True, timeout=60)


@pytest.fixture
def daemon() -> Iterator[ConfiguredDaemon]:
    with short_place() as place:
        made = ConfiguredDaemon(place)
        yield made
        made.close()


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The one line a refused command writes."""
    assert done.returncode in (1, 2), done
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("[tickets]\ntreshold = 3", ("tickets.treshold", "threshold")),
        ("[tickets]\nthreshold = 0", ("tickets.threshold", "0", "whole number from 1")),
        ('[watch]\nduration = "1 day"', ("watch.duration", "1 day", '"1h"')),
        ("[watch", ("tocsin.toml", "TOML")),
    ],
)
def test_a_wrong_configuration_stops_the_daemon_with_key_value_and_remedy(
    daemon: ConfiguredDaemon, more: str, said: tuple[str, ...]
) -> None:
    daemon.configure(more=more)
    done = daemon.tocsin("daemon")
    assert done.returncode == 2
    assert all(word in refusal(done) for word in said)


def test_a_state_directory_that_cannot_be_made_is_named(daemon: ConfiguredDaemon) -> None:
    (daemon.place / "file").touch()
    daemon.configure(f'state_dir = "{daemon.place}/file/state"\n')
    assert f"{daemon.place}/file/state" in refusal(daemon.tocsin("daemon"))


def test_a_port_in_use_is_named(daemon: ConfiguredDaemon) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        daemon.configure(f'listen = ["{address}"]\n')
        assert address in refusal(daemon.tocsin("daemon"))


def test_a_second_daemon_on_the_same_database_names_the_first_and_leaves_it_alone(
    daemon: ConfiguredDaemon,
) -> None:
    daemon.up()
    daemon.configure(f'listen = ["{daemon.endpoint}2"]\n')
    assert f"pid {daemon.pid}" in refusal(daemon.tocsin("daemon"))
    daemon.log_three_errors()
    assert until(lambda: daemon.ask("status")["events_counted"] == 3)


def test_a_second_daemon_on_the_same_socket_does_not_steal_it(daemon: ConfiguredDaemon) -> None:
    daemon.up()
    daemon.configure(more=f'[database]\nurl = "sqlite:///{daemon.place}/other.db"')
    assert f"pid {daemon.pid}" in refusal(daemon.tocsin("daemon"))


def test_mails_wait_while_the_mail_server_cannot_be_reached(daemon: ConfiguredDaemon) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    daemon.smtp = {
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(port),
        "SMTP_SECURITY": "none",
        "SMTP_FROM": "tocsin@shop.example",
    }
    daemon.up()
    daemon.log_three_errors()
    assert until(lambda: f"127.0.0.1:{port} refuses the connection" in daemon.written())
    outbox = daemon.ask("status")["outbox"]
    assert (outbox["waiting"], outbox["sent"], outbox["failed"]) == (1, 0, 0)
    assert daemon.runs


def test_garbage_on_the_socket_does_not_keep_errors_from_being_counted(daemon: ConfiguredDaemon) -> None:
    daemon.up()
    with zmq.Context() as context, context.socket(zmq.DEALER) as garbage:
        garbage.connect(daemon.endpoint)
        for part in (b"", b"\x00", os.urandom(1000), b"\x01\xc1", b"\x01" + b"\x91" * 5000):
            garbage.send(part)
        garbage.send_multipart([b"a", b"b", b"c"])
        daemon.log_three_errors()
        assert until(lambda: daemon.ask("status")["events_counted"] == 3)
    assert daemon.runs
