"""What is kept, and how long: the daily job that drops what nobody asks for any more."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from msgspec import Struct

from tocsin.daemon import settings
from tocsin.daemon.store import errors, folding, outbox, runs, sessions, sources
from tocsin.daemon.store.database import Store

DAY = 86400.0
QUARANTINED = 10_000
"""Newest records that could not be digested, kept for a look."""
MAILS = 90 * DAY
"""Age of sent and given-up mails."""
ALIVE = 400 * DAY
"""Age of sessions' intervals and daemons' runs: no watch looks further back."""

log = structlog.get_logger()


class Dropped(Struct, frozen=True):
    """Rows that are gone, by table."""

    hourly_counts: int
    run_counts: int
    sources: int
    intervals: int
    alive_hours: int
    runs: int
    sessions: int
    quarantined: int
    mails: int


class Retention:
    """Drops what is older than its time, each table in a transaction of its own: ingest goes on between."""

    def __init__(self, store: Store, kept: settings.Retention) -> None:
        self._store = store
        self._counts = kept.counts

    def run(self, now: float) -> Dropped:
        """Drops what is too old at `now`; returns how much that was."""
        alive_since = now - max(ALIVE, self._counts)
        steps: tuple[Callable[[], int], ...] = (
            lambda: errors.drop_counts_before(int((now - self._counts) // 3600)),
            lambda: runs.drop_counts_before(int((now - self._counts) // 3600)),
            lambda: sources.drop_before(alive_since),
            lambda: sessions.drop_intervals_before(alive_since),
            lambda: folding.drop_before(alive_since),
            lambda: sessions.drop_runs_before(alive_since),
            lambda: sessions.drop_unneeded_before(alive_since),
            lambda: errors.drop_quarantined_beyond(QUARANTINED),
            lambda: outbox.drop_before(now - MAILS),
        )
        counts = []
        for step in steps:
            with self._store.transaction():
                counts.append(step())
        dropped = Dropped(*counts)
        log.info("retention", **{name: getattr(dropped, name) for name in dropped.__struct_fields__})
        return dropped
