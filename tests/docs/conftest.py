"""Scratch machines for readers, and a mail server that takes everything."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from support.markdown import ROOT
from support.reader_machine import ReaderMachine
from support.running import short_place, until

from tocsin.handler.paths import SERVICE_RUNTIME, SERVICE_STATE

SUPPORT = ROOT / "tests" / "support"


@pytest.fixture(scope="session")
def smtp_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    server = Controller(Sink(), hostname="127.0.0.1", port=port)
    server.start()
    yield port
    server.stop()


@pytest.fixture(scope="session")
def tools() -> Iterator[Path]:
    """A directory with a `tocsin` that is quick to start: pages call it many times."""
    with short_place() as directory:
        socket_ = directory / "s"
        server = subprocess.Popen([sys.executable, SUPPORT / "command_server.py", socket_])
        command = directory / "tocsin"
        client = f"{sys.executable} -I -S {SUPPORT / 'command_client.py'} {socket_}"
        command.write_text(f'#!/bin/sh\nexec {client} "$@"\n')
        command.chmod(0o755)
        try:
            assert until(socket_.exists)
            yield directory
        finally:
            server.kill()
            server.wait()


@pytest.fixture
def empty(tools: Path) -> Iterator[ReaderMachine]:
    """A machine with Tocsin installed and nothing else."""
    with short_place() as root:
        place = ReaderMachine(root, tools)
        yield place
        place.close()


@pytest.fixture(scope="session")
def model(smtp_port: int, tools: Path) -> Iterator[ReaderMachine]:
    """A furnished machine, as it was left."""
    if SERVICE_RUNTIME.exists() or SERVICE_STATE.exists():
        pytest.skip("a Tocsin service is installed on this machine: its socket would be used")
    with short_place() as root:
        place = ReaderMachine(root, tools)
        place.furnish(smtp_port)
        place.close()
        yield place


@pytest.fixture
def furnished(model: ReaderMachine) -> Iterator[ReaderMachine]:
    """A machine with a daemon, a mail server, and a shop with two errors that have tickets."""
    with short_place() as root:
        place = model.moved(root)
        yield place
        place.close()
