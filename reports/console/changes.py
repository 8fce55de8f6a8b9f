"""What changes in the database, told to open pages: two looks a second for all of them, none while none is open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from peewee import PeeweeException

from tocsin.daemon.store.database import Store, StoreError
from tocsin.reports import content_hash
from tocsin.reports.console.workers import Workers
from tocsin.reports.pages import stamp

EVERY = 0.5
"""Seconds between two looks; a page shows a change at most a second later."""
AWAKE_EVERY = 2.0
"""Seconds after which a stream looks whether the console ends."""
ALIVE_EVERY = 10.0
"""Seconds after which a stream says that it is there, and asks whether its reader still may read."""
_ALL = (
    "SELECT COUNT(*), SUM(occurrences), MAX(last_seen), SUM(CASE WHEN resolved THEN 1 ELSE 0 END), MAX(muted_until), "
    "MAX(resolved_at) FROM error_logs",
    "SELECT COUNT(*), MAX(id) FROM support_ticket_history",
    "SELECT COUNT(*), MAX(id) FROM error_history",
    "SELECT COUNT(*), MAX(id), SUM(CASE WHEN test_status = 'passed' THEN 1 WHEN test_status = 'failed' THEN 1000 "
    "ELSE 0 END) FROM error_corrections",
    "SELECT COUNT(*), MAX(id), SUM(CASE WHEN ended_at IS NULL THEN 0 ELSE 1 END) FROM agent_tries",
    "SELECT id, step FROM agent_tries WHERE state = 'running' ORDER BY id",
    "SELECT COUNT(*), MAX(asked_at) FROM agent_requests",
    "SELECT state, COUNT(*), SUM(attempts) FROM outbox GROUP BY state ORDER BY state",
    "SELECT COUNT(*), MAX(checked_at) FROM watches",
    "SELECT COUNT(*), MAX(gone_at) FROM sessions",
)
_CLIENTS = (
    "SELECT COUNT(*), MAX(h.id) FROM support_ticket_history h JOIN support_tickets t ON t.id = h.ticket_id "
    "WHERE t.client_id = {}"
)


class Changes:
    """The streams of one console. Its own thread looks at the database, its own connection notices commits."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._thread = Workers(1)
        self._changed = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._quiet = ""
        self._clients: dict[str, str] = {}
        """The stamps of the clients that listen."""
        self.stamp = ""
        """Of everything, as last seen; '' while nobody looks."""
        self.streams = 0
        self.over = False
        """Set when the console ends: a stream never would by itself."""

    def close(self) -> None:
        """Waits for a look that is being taken."""
        self._thread.close()

    def stamp_for(self, client_id: str | None) -> str:
        """What a page of this reader is as new as; '' where that is not known."""
        return self.stamp if client_id is None else self._clients.get(client_id, "")

    async def stream(self, client_id: str | None, may: Callable[[], bool], run: Any) -> AsyncIterator[str]:
        """The events of one reader: `changed` with a stamp, at once and at each change, and `alive` between."""
        self.streams += 1
        try:
            if client_id is not None:
                self._clients.setdefault(client_id, "")
            if self._looking is None or self._looking.done():
                self.stamp, self._quiet = "", ""
                self._looking = asyncio.create_task(self._look_again())
            told, silent = "", 0.0
            yield "retry: 2000\n\n"
            while not self.over:
                now = self.stamp_for(client_id)
                if now and now != told:
                    told = now
                    yield f"event: changed\ndata: {told}\n\n"
                silent += await self._wait()
                if silent >= ALIVE_EVERY:
                    silent = 0.0
                    if not await run(may):
                        return
                    yield "event: alive\ndata: \n\n"
        finally:
            self.streams -= 1

    async def _wait(self) -> float:
        """Until something changed, 2 s at most; how long that was taken to be."""
        try:
            await asyncio.wait_for(self._changed.wait(), AWAKE_EVERY)
        except TimeoutError:
            return AWAKE_EVERY
        return EVERY

    async def _look_again(self) -> None:
        while self.streams and not self.over:
            try:
                found = await self._thread.run(self._look, list(self._clients))
            except (PeeweeException, StoreError):
                found = None
            if found is not None:
                self.stamp, self._clients = found[0], {**self._clients, **found[1]}
                self._changed.set()
                self._changed = asyncio.Event()
            await asyncio.sleep(EVERY)
        self.stamp, self._clients = "", {}
        self._changed.set()
        self._changed = asyncio.Event()

    def _look(self, clients: list[str]) -> tuple[str, dict[str, str]] | None:
        """The stamps of everything and of the clients, None when they are as before."""
        quiet = content_hash.unchanged(self._store)
        known = all(self._clients.get(one) for one in clients)
        if quiet and quiet == self._quiet and known:
            return None
        placeholder = "%s" if self._store.postgres else "?"
        with self._store.reading():
            everything = stamp(repr([self._rows(sql) for sql in _ALL]))
            if everything == self.stamp and known:
                found = None
            else:
                sql = _CLIENTS.format(placeholder)
                found = everything, {one: stamp(repr(self._rows(sql, (one,)))) for one in clients}
        self._quiet = quiet
        return found

    def _rows(self, sql: str, values: tuple[str, ...] = ()) -> list[Any]:
        database: Any = self._store.database
        return list(database.execute_sql(sql, values).fetchall())
