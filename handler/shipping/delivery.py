"""One session's side of the talk with the daemon: hello, batches, acks, rewinds.

No socket, no clock, no files.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Protocol

from msgspec.structs import replace

from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import Header
from tocsin.handler.shipping.observer import Observer

WINDOW = 8
"""Batches on the way without an acknowledgement, at most."""
PATIENCE = 5.0
"""Seconds without an answer after which the talk is begun again; doubles up to `PATIENCE_MOST`."""
PATIENCE_MOST = 30.0


class Source(Protocol):
    """A session's records: files or memory."""

    session: str

    @property
    def header(self) -> Header | None: ...

    @property
    def oldest(self) -> int: ...

    @property
    def before(self) -> int | None: ...

    def backlog(self, watermark: int) -> int: ...

    def batch(self, start: int, cursor: int, now: float, *, most: int = ...) -> wire.Batch | None: ...

    def forget(self, watermark: int) -> None: ...


class Delivery:
    """One session's talk with the daemon.

    Times are seconds of a monotonic clock (`now`) and of the epoch (`wall`). It has many attributes because it is the
    protocol's state: what was said, what is owed, and since when; no part of it changes without the others.
    """

    def __init__(
        self,
        source: Source,
        header: Header,
        *,
        live: bool,
        database: str | None = None,
        observer: Observer | None = None,
        began: float | None = None,
    ) -> None:
        """`observer`: of a session that speaks for its own process; None for one whose owner is dead.

        `began`: when this process's code began to be loaded, by the clock of `now`; None of another process.
        """
        self._began = began
        self._watched: wire.Watched | None = None
        self.source = source
        self.observer = observer
        self.header = header
        self.live = live
        self.database = database
        self.watermark = 0
        self.welcomed = False
        self.refusal: wire.Refusal | None = None
        self.patience = PATIENCE
        self.window = WINDOW
        self._start = self._cursor = 0
        self._outstanding: deque[int] = deque()
        self._asked_at: float | None = None
        self._progress_at = 0.0
        self._said_at = 0.0
        self._hold_until = 0.0
        self._most = 1000

    @property
    def waiting(self) -> bool:
        """Something was said that has not been answered."""
        return bool(self._outstanding) or (self._asked_at is not None and not self.welcomed)

    @property
    def refused(self) -> wire.Refusal | None:
        """Why the daemon does not take this session, where asking again at once is of no use."""
        refusal = None if self.welcomed else self.refusal
        return refusal if refusal and refusal.reason not in ("gap", "unknown_session", "busy") else None

    def overdue(self, now: float) -> bool:
        """The daemon owes an answer for longer than a healthy one takes."""
        return self.waiting and now - self._progress_at > 1.0

    @property
    def done(self) -> bool:
        """All that the source holds is acknowledged."""
        return self.welcomed and not self._outstanding and self.source.backlog(self._cursor) == 0

    @property
    def backlog(self) -> int:
        """Bytes not yet acknowledged."""
        return self.source.backlog(self.watermark if self._outstanding else max(self._cursor, self.watermark))

    def restart(self) -> None:
        """The connection is another one: says hello again."""
        self.welcomed = False
        self._asked_at = None
        if self._outstanding:
            # What was on its way may never have arrived: it is backlog again, whatever the next welcome says.
            self._outstanding.clear()
            self._cursor = self.watermark

    def shrink(self) -> None:
        """A message was too large: begins again with batches of one record."""
        self._most = 1
        self.restart()

    def stale(self, now: float) -> bool:
        """The daemon has been silent for longer than our patience, which grows."""
        if not self.waiting or now - self._progress_at <= self.patience:
            return False
        self.patience = min(self.patience * 2, PATIENCE_MOST)
        return True

    def next(self, now: float, wall: float) -> wire.FromHandler | None:
        """What is to be said now, None when there is nothing."""
        if now < self._hold_until:
            return None
        if not self.welcomed:
            if self._asked_at is not None:
                return None
            self._asked_at = self._progress_at = self._said_at = now
            return wire.Hello(
                header=self.header,
                oldest=self.source.oldest,
                backlog=self.source.backlog(self.watermark),
                sent_at=wall,
                live=self.live,
                database=self.database,
                before=self.source.before,
                age=None if self._began is None else max(now - self._began, 0.0),
            )
        if batch := self._batch(now, wall):
            return batch
        if self.live and now - self._said_at >= self.header.interval:
            self._said_at = now
            return wire.Heartbeat(self.source.session, self.backlog, wall, observed=self._observed())
        return None

    def tidy(self) -> None:
        """Lets the source go of what is acknowledged: some of it is kept for a while longer."""
        if self.welcomed:
            self.source.forget(self.watermark if self._outstanding else self._cursor)

    def goodbye(self, wall: float) -> wire.Goodbye:
        """The last word of a session that ends in order."""
        return wire.Goodbye(self.source.session, self.backlog, wall, observed=self._observed())

    def hear(self, message: wire.FromDaemon, now: float) -> None:
        """Takes the daemon's answer into account."""
        watched = None if isinstance(message, wire.Refusal) else message.watched
        if self.observer is not None and watched is not None:
            self.observer.watch(watched)
            if self.welcomed and watched != self._watched:
                # Asked for something else than before: what is seen of it is told at once.
                self._said_at = -math.inf
            self._watched = watched
        if isinstance(message, wire.Welcome):
            self._welcome(message, now)
        elif isinstance(message, wire.Ack):
            self._acknowledged(message.watermark, now)
        else:
            self._refused(message, now)

    def _observed(self) -> wire.Observed | None:
        return None if self.observer is None else self.observer.observed()

    def _batch(self, now: float, wall: float) -> wire.Batch | None:
        while len(self._outstanding) < self.window:
            batch = self.source.batch(self._start, self._cursor, wall, most=self._most)
            if batch is None:
                return None
            self._cursor = batch.end
            if not batch.frames:
                if not self._outstanding:
                    self.source.forget(self._cursor)
                continue
            if not self._outstanding:
                self._progress_at = now
            self._outstanding.append(batch.end)
            self._start = batch.end
            self._said_at = now
            return replace(batch, backlog=self.source.backlog(batch.end), observed=self._observed())
        return None

    def _welcome(self, message: wire.Welcome, now: float) -> None:
        if self.database is not None and message.database != self.database:
            text = f"the daemon has database {message.database}, this session belongs to {self.database}"
            self._refused(wire.Refusal(message.session, "other_database", text), now)
            return
        self.database = message.database
        self.welcomed = True
        self.refusal = None
        self.patience = PATIENCE
        self._outstanding.clear()
        self.watermark = self._start = self._cursor = message.watermark
        self._progress_at = now
        self.source.forget(message.watermark)

    def _acknowledged(self, watermark: int, now: float) -> None:
        if not self.welcomed or watermark <= self.watermark:
            return
        self.watermark = watermark
        self._progress_at = now
        self.patience = PATIENCE
        while self._outstanding and self._outstanding[0] <= watermark:
            self._outstanding.popleft()
        if not self._outstanding:
            self._most = 1000
        self.tidy()

    def _refused(self, message: wire.Refusal, now: float) -> None:
        """Nothing is given up.

        The spool is kept, whatever the daemon says, and the talk begins again, later.
        """
        self.refusal = message
        self.restart()
        if message.reason in ("gap", "unknown_session"):
            self._hold_until = now
        elif message.reason == "busy":
            self._hold_until = now + 0.5
        else:
            self._hold_until = now + self.patience
            self.patience = min(self.patience * 2, PATIENCE_MOST)
