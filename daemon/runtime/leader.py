"""Which of the daemons on one database does what only one may do: the hourly check, the courier, the pages.

A session-level advisory lock of Postgres, held by a connection of its own, so that it goes with its holder.
On SQLite there is but one daemon, and it leads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog
from peewee import PeeweeException

from tocsin.daemon.runtime.liveness import Beat
from tocsin.daemon.store.database import Store

LOCK = 0x70C51_1EAD
"""The advisory lock's key, another than the couriers' own; such locks are told apart by database."""
LOOK_EVERY = 2.0
"""Seconds between two looks at the lock: how soon another daemon takes over, and a loss is noticed."""

log = structlog.get_logger()


class Leader:
    """Takes the lock and keeps it. Used by one thread."""

    def __init__(self, store: Store) -> None:
        self._connection = store.separate() if store.postgres else None
        self._held = False

    def leads(self) -> bool:
        """Takes the lock when it is free; whether it is ours. Asked again and again."""
        if self._connection is None:
            return True
        try:
            self._connection.connect(reuse_if_open=True)
            if self._held:
                self._connection.execute_sql("SELECT 1")
            else:
                (self._held,) = self._connection.execute_sql(
                    "SELECT pg_try_advisory_lock(%s)", (LOCK,)
                ).fetchone()
        except PeeweeException as error:
            log.warning("leadership_unknown", reason=str(error)[:500])
            self.resign()
        return self._held

    def resign(self) -> None:
        """Gives the lock free: it goes with the connection."""
        self._held = False
        if self._connection is not None:
            Store.drop(self._connection)


class Term:
    """The threads that run while this daemon leads. `over` is what they watch for their end."""

    def __init__(self, begin: Callable[[threading.Event], list[threading.Thread]]) -> None:
        self.over = threading.Event()
        self._threads = begin(self.over)

    def end(self, within: float) -> None:
        """Asks the threads to end and waits, at most so many seconds each."""
        self.over.set()
        for thread in self._threads:
            thread.join(within)


def serve(
    leader: Leader,
    stop: threading.Event,
    begin: Callable[[threading.Event], list[threading.Thread]],
    ended: Callable[[], None],
    beat: Beat,
    within: float,
) -> None:
    """Until `stop` is set: begins the duties whenever this daemon leads, ends them when it does no more.

    `begin` starts the threads that end with the event it is given, `ended` is called after they have, and
    `within` is how many seconds they get for it.
    """
    term: Term | None = None
    try:
        while not stop.is_set():
            beat()
            leads = leader.leads()
            if leads and term is None:
                log.info("leading")
                term = Term(begin)
            elif not leads and term is not None:
                log.warning("not_leading_any_more")
                term.end(within)
                ended()
                term = None
            stop.wait(LOOK_EVERY)
    finally:
        if term is not None:
            term.end(within)
        leader.resign()
