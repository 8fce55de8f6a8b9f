"""Several daemons on one database, applications that log to all of them, and what became of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from peewee import fn

from support.daemon_process import TOCSIN, DaemonProcess, undisturbed_environ
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import ErrorLog, HourCount, Loss, Mail, Quarantined, Ticket

APPLICATION = Path(__file__).parent.parent / "storage" / "application.py"
ENVIRON = undisturbed_environ()


class Member(DaemonProcess):
    """One daemon of several, with a state directory of its own."""

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
        """`keys`: lines of the section [daemon]. `prefix`: what its command begins with."""
        self.name, self.endpoint = name, endpoint
        self.program = [*prefix, *TOCSIN]
        self._environ = environ
        config = (
            f'[daemon]\nlisten = ["{endpoint}"]\nstate_dir = "{place}/{name}"\n{keys}\n'
            f'[database]\nurl = "{url}"\n[report]\nevery = "1h"\n[mail]\nadmin = ["ops@example.org"]\n'
        )
        super().__init__(place, config, name)

    @property
    def environ(self) -> dict[str, str]:
        return {**super().environ, **self._environ}


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
