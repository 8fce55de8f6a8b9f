"""A daemon for guests, hostile ones too: the real daemon as a process, on a unix socket and TCP with keys."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from support.daemon_process import DaemonProcess
from support.waiting import until
from tocsin.daemon.ingest.keys import make_client, make_pair

LOG_ERRORS = """
import logging, sys
from tocsin.handler import TocsinHandler

endpoint, spool, key, server_key, *texts = sys.argv[1:]
handler = TocsinHandler(
    endpoint, service="shop", spool=spool, key=key or None, server_key=server_key or None, flush_timeout=20
)
log = logging.getLogger("shop")
log.addHandler(handler)
for text in texts:
    log.error(text)
handler.destination.await_delivery(20)
"""


class SecuredDaemon(DaemonProcess):
    """A directory with a configuration, keys, and the processes that use them."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.ipc = f"ipc://{place}/s"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.tcp = f"tcp://127.0.0.1:{self.port}"
        self.keys = place / "keys"
        self.clients = place / "clients"
        self.server_key = make_pair(self.keys / "daemon.key", "the daemon")
        self.key = self.keys / "shop.key"
        make_client("shop", self.key, self.clients)
        self.smtp: dict[str, str] = {}
        self.configure()

    def configure(self, daemon: str | None = None, more: str = "") -> None:
        guarded = f'key = "{self.keys}/daemon.key"\nclients = "{self.clients}"\n'
        listen = f'listen = ["{self.ipc}", "{self.tcp}"]\n'
        daemon = listen + guarded if daemon is None else daemon
        self.config.write_text(f'[daemon]\nstate_dir = "{self.place}/state"\n{daemon}\n{more}\n')

    @property
    def environ(self) -> dict[str, str]:
        return {**super().environ, "TOCSIN_CONFIG": str(self.config), **self.smtp}

    def reload(self) -> None:
        before = self.written().count('"client_keys"')
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)
        assert until(lambda: self.written().count('"client_keys"') > before)

    def status(self) -> Any:
        done = self.tocsin("status", "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """What the database says."""
        with contextlib.closing(
            sqlite3.connect(f"file:{self.place}/state/tocsin.db?mode=ro", uri=True)
        ) as database:
            return database.execute(sql).fetchall()

    def counted(self) -> int:
        return int(self.ask("SELECT coalesce(sum(occurrences), 0) FROM error_logs")[0][0])

    def log_errors(self, *texts: str, over: str = "", key: str = "", server_key: str = "") -> None:
        """A real application logs these and waits until they are acknowledged."""
        arguments = [over or self.ipc, str(self.place / "spool"), key, server_key, *texts]
        subprocess.run(
            [sys.executable, "-c", LOG_ERRORS, *arguments], env=self.environ, check=True, timeout=60
        )

    def memory(self) -> int:
        """The most memory the daemon ever had, in bytes."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))

    def memory_now(self) -> int:
        assert self.process is not None
        return int(psutil.Process(self.process.pid).memory_info().rss)
