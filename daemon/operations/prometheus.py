"""The daemon's numbers as a text file for node_exporter's textfile collector. Few names, and they stay.

The format is Prometheus' text exposition format 0.0.4.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from peewee import JOIN, fn

from tocsin.daemon import queries
from tocsin.daemon.config import Config
from tocsin.daemon.ownership import make_directory
from tocsin.daemon.queries.status import StatusFacts
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import ErrorLog, Ticket

FILE = "metrics.prom"
EVERY = 15.0
"""Seconds between two writings; Prometheus itself asks every 15 s to 1 min."""

MAIL_STATES = ("waiting", "held", "sent", "failed")

Sample = tuple[Mapping[str, str], float]
Counts = dict[tuple[str, str], int]
"""Per service and environment."""


class Prometheus:
    """Writes metrics.prom in `daemon.metrics_dir`: apart from the pages, for it is no web server's to hand out."""

    def __init__(self, store: Store, config: Config) -> None:
        self._store = store
        self._config = config
        self.path = Path(config.daemon.metrics_dir) / FILE

    def write(self, now: float) -> None:
        """Writes the file again, whole or not at all. Raises OSError."""
        status = queries.status(self._store, self._config, now)
        with self._store.reading():
            text = render(status, _occurrences(), _errors_open(), _tickets_open(), now)
        if not self.path.parent.is_dir():
            make_directory(self.path.parent)
            self.path.parent.chmod(0o755)
        part = self.path.with_name(f".{FILE}.{os.getpid()}")
        part.write_text(text, "utf-8")
        # node_exporter runs as another user; the numbers name services, and nobody.
        part.chmod(0o644)
        part.replace(self.path)


def _occurrences() -> Counts:
    return _counted(ErrorLog, fn.SUM(ErrorLog.occurrences), ErrorLog.merged_into.is_null())


def _errors_open() -> Counts:
    unresolved = (ErrorLog.resolved == False) & ErrorLog.merged_into.is_null()  # noqa: E712  (SQL)
    return _counted(ErrorLog, fn.COUNT(ErrorLog.id), unresolved)


def _tickets_open() -> Counts:
    return _counted(Ticket, fn.COUNT(Ticket.id), Ticket.status != "closed")


def _counted(table: Any, what: Any, where: Any) -> Counts:
    """A number per service and environment; tickets without an error belong to no service."""
    query = table.select(ErrorLog.service, ErrorLog.environment, what)
    if table is not ErrorLog:
        query = query.join(ErrorLog, JOIN.LEFT_OUTER)
    rows = query.where(where).group_by(ErrorLog.service, ErrorLog.environment).tuples()
    return {(service or "", environment or ""): int(count) for service, environment, count in rows}


def render(status: StatusFacts, occurrences: Counts, errors: Counts, tickets: Counts, now: float) -> str:
    """The file's text."""
    alive: Counts = {}
    for session in status.sessions:
        key = (session.service, session.environment)
        alive[key] = alive.get(key, 0) + session.alive
    families: list[tuple[str, str, str, list[Sample]]] = [
        ("events_total", "counter", "Error events counted.", _by_service(occurrences)),
        ("errors_open", "gauge", "Errors not resolved.", _by_service(errors)),
        ("tickets_open", "gauge", "Open tickets.", _by_service(tickets)),
        ("sessions_alive", "gauge", "Processes seen alive.", _by_service(alive)),
        ("events_lost_total", "counter", "Events known to be lost.",
         [({"reason": reason}, count) for reason, count in status.lost.items()]),
        ("records_quarantined", "gauge", "Records that could not be read.", [({}, status.quarantined)]),
        ("backlog_bytes", "gauge", "Bytes that applications have not delivered.", [({}, status.backlog)]),
        ("mails", "gauge", "Mails of the outbox by state.",
         [({"state": state}, getattr(status.outbox, state)) for state in MAIL_STATES]),
        ("last_check_timestamp_seconds", "gauge", "When the hourly check last ran.",
         [] if status.last_check is None else [({}, float(status.last_check))]),
        ("written_timestamp_seconds", "gauge", "When this file was written: old means the daemon is down.",
         [({}, now)]),
    ]  # fmt: skip
    return "".join(_family(f"tocsin_{name}", kind, said, samples) for name, kind, said, samples in families)


def _by_service(values: Counts) -> list[Sample]:
    return [
        ({"service": service, "environment": environment}, count)
        for (service, environment), count in sorted(values.items())
    ]


def _family(name: str, kind: str, said: str, samples: list[Sample]) -> str:
    lines = [f"# HELP {name} {said}", f"# TYPE {name} {kind}"]
    for labels, value in samples:
        written = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        lines.append(f"{name}{{{written}}} {value:.17g}" if written else f"{name} {value:.17g}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    """Backslash, quote and line feed, as the format asks; other control characters become a mark."""
    text = "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
