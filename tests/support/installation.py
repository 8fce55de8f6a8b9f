"""A healthy installation: a real daemon, a real mail server, an application that was heard."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from aiosmtpd.smtp import AuthResult, LoginPassword

from support.daemon_process import DaemonProcess
from support.waiting import until
from tocsin.daemon.operations import doctor
from tocsin.daemon.operations.environment import Finding

USER, PASSWORD = "tocsin", "correct-horse"
APPLICATION = """
import logging, sys
from tocsin.handler import TocsinHandler

handler = TocsinHandler(sys.argv[1], service=sys.argv[3], spool=sys.argv[2], flush_timeout=float(sys.argv[4]))
log = logging.getLogger("shop")
log.addHandler(handler)
for number in range(int(sys.argv[5])):
    log.error("order %d could not be shipped", number)
"""
TOML = """
[daemon]
listen = ["{endpoint}"]
state_dir = "{place}/state"
{daemon}
[mail]
admin = ["ops@tocsin.example"]
{mail}
[[service]]
name = "shop"
{more}
"""


class AnyPort(Controller):
    """Listens on a free port; aiosmtpd's own start-up probe wants a known one."""

    def _trigger_server(self) -> None:
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        with socket.create_connection((self.hostname, self.port), 10):
            pass


def _known(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    assert isinstance(data, LoginPassword)
    return AuthResult(success=data.password == PASSWORD.encode(), handled=False)


class Installation(DaemonProcess):
    """One installation in a directory. `settings` is what its environment says."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.endpoint = f"ipc://{place}/s"
        self.state = place / "state"
        self.database = self.state / "tocsin.db"
        self.mails = AnyPort(
            Sink(), hostname="127.0.0.1", port=0, authenticator=_known, auth_require_tls=False
        )
        self.mails.start()
        self.settings = {
            "SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(self.mails.port), "SMTP_SECURITY": "none",
            "SMTP_FROM": "tocsin@tocsin.example", "TOCSIN_SPOOL": str(place / "spool"),
        }  # fmt: skip
        self.configure()

    def configure(self, daemon: str = "", mail: str = "", more: str = "") -> None:
        text = TOML.format(endpoint=self.endpoint, place=self.place, daemon=daemon, mail=mail, more=more)
        self.config.write_text(text)

    @property
    def environ(self) -> dict[str, str]:
        return {**os.environ, **self.settings}

    def heard(self) -> None:
        """The daemon is up, has written its pages and checked its watches; the application was heard."""
        self.up()
        self.application("shop", self.endpoint, self.place / "spool", 20.0, 3)
        assert until(lambda: (self.state / "report/admin/status.json").exists())
        assert until(lambda: all(finding.ok for finding in self.examine())), self.examine()

    def application(self, service: str, endpoint: str, spool: Path, patience: float, errors: int) -> None:
        arguments = [endpoint, str(spool), service, str(patience), str(errors)]
        subprocess.run([sys.executable, "-c", APPLICATION, *arguments], check=True, timeout=60)

    def examine(self, now: float | None = None, **environ: str) -> list[Finding]:
        seen = {**self.settings, **environ}
        return doctor.examine(str(self.config), time.time() if now is None else now, seen)

    def ask(self, *arguments: str) -> Any:
        done = self.tocsin(*arguments, "--json")
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def sql(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.database, timeout=30)) as database, database:
            for statement in statements:
                database.execute(statement)

    def stop(self) -> None:
        self.kill(signal.SIGTERM)

    def close(self) -> None:
        super().close()
        self.mails.stop()

    def twin(self, place: Path) -> Installation:
        """The same installation elsewhere, its daemon not running."""
        other = Installation(place)
        other.state.mkdir(mode=0o700)
        with (
            closing(sqlite3.connect(self.database)) as source,
            closing(sqlite3.connect(other.database)) as copy,
        ):
            source.backup(copy)
            copy.execute("PRAGMA journal_mode=WAL")
        shutil.copytree(self.state / "report", other.state / "report")
        return other
