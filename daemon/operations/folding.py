"""Folds the sessions that are over, a part at a time: ingest goes on between."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from tocsin.daemon.store import folding
from tocsin.daemon.store.database import Store
from tocsin.daemon.tickets.kinds import masked

EVERY = 3600.0
"""Seconds between two times."""
BUDGET = 600.0
"""Seconds of one time, at most; the rest waits for the next."""
PAUSE = 0.12
"""Seconds between two transactions: longer than SQLite lets another writer wait between two tries."""

log = structlog.get_logger()


class Folding:
    """Of one database."""

    def __init__(
        self,
        store: Store,
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._store = store
        self._monotonic = monotonic
        self._pause = pause

    def run(self, now: float) -> int:
        """Folds what is over at `now`, in transactions of their own; returns how many sessions that was."""
        until = self._monotonic() + BUDGET
        folded = 0
        while True:
            with self._store.transaction():
                some = folding.fold(self._store, now, masked)
            folded += some
            if some < folding.AT_ONCE or self._monotonic() >= until:
                break
            self._pause(PAUSE)
        if folded:
            log.info("sessions_folded", sessions=folded)
        return folded
