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
from support.running import until

PATIENCE = 40.0
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


class ConfiguredDaemon:
    """A configuration in a directory of its own, and the `tocsin` processes that use it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.endpoint = f"ipc://{directory}/s"
        self.processes: list[subprocess.Popen[str]] = []
        self.smtp: dict[str, str] = {}
        self.configure()

    def configure(self, daemon: str = "", more: str = "") -> None:
        here = self.directory
        listen = "" if "listen" in daemon else f'listen = ["{self.endpoint}"]\n'
        state = "" if "state_dir" in daemon else f'state_dir = "{here}/state"\n'
        (here / "tocsin.toml").write_text(
            f"[daemon]\n{listen}{state}{daemon}\n"
            f'[[client]]\nid = "martin"\nemail = "contact@martin.example"\n{more}\n'
        )

    @property
    def environ(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("TOCSIN_", "SMTP_"))}
        return {**kept, "TOCSIN_CONFIG": str(self.directory / "tocsin.toml"), **self.smtp}

    def tocsin(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tocsin.daemon", *arguments],
            env=self.environ,
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    def ask(self, *arguments: str) -> Any:
        done = self.tocsin(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def start(self) -> subprocess.Popen[str]:
        """A daemon that is up."""
        with open(self.directory / "daemon.log", "a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tocsin.daemon", "daemon"],
                env=self.environ,
                cwd=self.directory,
                stderr=log,
                stdout=log,
                text=True,
            )
        self.processes.append(process)
        assert until(lambda: "daemon_up" in (self.directory / "daemon.log").read_text())
        return process

    def log_three_errors(self) -> None:
        arguments = [self.endpoint, str(self.directory / "spool")]
        subprocess.run([sys.executable, "-c", LOG_THREE_ERRORS, *arguments], check=True, timeout=PATIENCE)

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConfiguredDaemon]:
    house = ConfiguredDaemon(tmp_path_factory.mktemp("h"))
    yield house
    house.close()


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
        ("[tickets]\nthreshold = 0", ("tickets.threshold", "0", ">= 1")),
        ('[watch]\nduration = "1 day"', ("watch.duration", "1 day", '"1h"')),
        ("[watch", ("tocsin.toml", "TOML")),
    ],
)
def test_a_wrong_configuration_stops_the_daemon_with_key_value_and_remedy(
    house: ConfiguredDaemon, more: str, said: tuple[str, ...]
) -> None:
    house.configure(more=more)
    done = house.tocsin("daemon")
    assert done.returncode == 2
    assert all(word in refusal(done) for word in said)


def test_a_state_directory_that_cannot_be_made_is_named(house: ConfiguredDaemon) -> None:
    (house.directory / "file").touch()
    house.configure(f'state_dir = "{house.directory}/file/state"\n')
    assert f"{house.directory}/file/state" in refusal(house.tocsin("daemon"))


def test_a_port_in_use_is_named(house: ConfiguredDaemon) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        house.configure(f'listen = ["{address}"]\n')
        assert address in refusal(house.tocsin("daemon"))


def test_a_second_daemon_on_the_same_database_names_the_first_and_leaves_it_alone(
    house: ConfiguredDaemon,
) -> None:
    first = house.start()
    house.configure(f'listen = ["{house.endpoint}2"]\n')
    assert f"pid {first.pid}" in refusal(house.tocsin("daemon"))
    house.log_three_errors()
    assert until(lambda: house.ask("status")["events_counted"] == 3)


def test_a_second_daemon_on_the_same_socket_does_not_steal_it(house: ConfiguredDaemon) -> None:
    first = house.start()
    house.configure(more=f'[database]\nurl = "sqlite:///{house.directory}/other.db"')
    assert f"pid {first.pid}" in refusal(house.tocsin("daemon"))


def test_mails_wait_while_the_mail_server_cannot_be_reached(house: ConfiguredDaemon) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    house.smtp = {
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(port),
        "SMTP_SECURITY": "none",
        "SMTP_FROM": "tocsin@shop.example",
    }
    daemon = house.start()
    house.log_three_errors()
    assert until(
        lambda: f"127.0.0.1:{port} refuses the connection" in (house.directory / "daemon.log").read_text()
    )
    outbox = house.ask("status")["outbox"]
    assert (outbox["waiting"], outbox["sent"], outbox["failed"]) == (1, 0, 0)
    assert daemon.poll() is None


def test_garbage_on_the_socket_does_not_keep_errors_from_being_counted(house: ConfiguredDaemon) -> None:
    daemon = house.start()
    with zmq.Context() as context, context.socket(zmq.DEALER) as garbage:
        garbage.connect(house.endpoint)
        for part in (b"", b"\x00", os.urandom(1000), b"\x01\xc1", b"\x01" + b"\x91" * 5000):
            garbage.send(part)
        garbage.send_multipart([b"a", b"b", b"c"])
        house.log_three_errors()
        assert until(lambda: house.ask("status")["events_counted"] == 3)
    assert daemon.poll() is None
