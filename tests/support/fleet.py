"""Several daemons on one database, applications that log to all of them, and what became of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from peewee import fn

from support.running import until
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import ErrorLog, HourCount, Loss, Mail, Quarantined, Ticket

APPLICATION = Path(__file__).parent.parent / "storage" / "application.py"
ENVIRON = {key: value for key, value in os.environ.items() if not key.startswith(("TOCSIN_", "SMTP_"))}


class Member:
    """One daemon with a state directory of its own; `prefix` is what its command begins with."""

    def __init__(
        self,
        place: Path,
        name: str,
        url: str,
        endpoint: str,
        *,
        keys: str = "",
        environ: Mapping[str, str] = MappingProxyType({}),
        prefix: Sequence[str] = (),
    ) -> None:
        """`keys`: lines of the section [daemon]."""
        self.name, self.endpoint = name, endpoint
        self._environ = {**ENVIRON, **environ}
        self._prefix = list(prefix)
        self._config = place / f"{name}.toml"
        self.log = place / f"{name}.log"
        self._config.write_text(
            f'[daemon]\nlisten = ["{endpoint}"]\nstate_dir = "{place}/{name}"\n{keys}\n'
            f'[database]\nurl = "{url}"\n[report]\nevery = "1h"\n[mail]\nadmin = ["ops@example.org"]\n'
        )
        self.process: subprocess.Popen[bytes] | None = None

    def command(self, *arguments: str) -> list[str]:
        return [
            *self._prefix,
            sys.executable,
            "-m",
            "tocsin.daemon",
            "--config",
            str(self._config),
            *arguments,
        ]

    def start(self) -> Member:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command("daemon"), env=self._environ, stdout=log, stderr=log)
        return self

    def up(self) -> Member:
        """Starts it and waits until it takes connections."""
        before = self.said("daemon_up")
        self.start()
        assert until(lambda: self.said("daemon_up") > before), self.log.read_text()
        return self

    def kill(self) -> None:
        """SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def said(self, event: str) -> int:
        """How often it has logged that event."""
        return self.log.read_text().count(f'"event": "{event}"') if self.log.exists() else 0


class Application:
    """A process that logs `rate` errors a second of `kinds` kinds until it is ended."""

    def __init__(
        self,
        spool: Path,
        endpoints: Sequence[str],
        rate: float,
        kinds: int = 10,
        environ: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(APPLICATION), str(spool), str(rate), str(kinds), *endpoints],
            env={**ENVIRON, **environ}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def end(self) -> int:
        """Ends it and waits until all is acknowledged; how many errors it has logged."""
        out, _ = self._process.communicate("", timeout=120)
        logged, delivered = out.split()
        assert delivered == "True", f"{logged} logged, not all acknowledged"
        return int(logged)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


class Tally:
    """What the database says."""

    def __init__(self, store: Store) -> None:
        with store.reading():
            self.errors = int(ErrorLog.select(fn.COALESCE(fn.SUM(ErrorLog.occurrences), 0)).scalar())
            self.hourly = int(HourCount.select(fn.COALESCE(fn.SUM(HourCount.count), 0)).scalar())
            self.lost = int(Loss.select(fn.COALESCE(fn.SUM(Loss.count), 0)).scalar())
            self.quarantined = Quarantined.select().count()
            self.tickets = Ticket.select().count()
            self.open_pairs = [
                (ticket.error_id, ticket.client_id)
                for ticket in Ticket.select().where(Ticket.status != "closed")
            ]
            self.mails = [(mail.ticket_id, mail.kind, mail.recipient) for mail in Mail.select()]
            self.message_ids = [mail.message_id for mail in Mail.select()]

    def is_exactly(self, logged: int) -> bool:
        return (self.errors, self.hourly, self.lost, self.quarantined) == (logged, logged, 0, 0)
