"""Events of a session that are known to have happened and whose record is gone: counted here, by reason, and
reported in the session itself.
"""

from __future__ import annotations

import contextlib
import itertools
import os

from msgspec.structs import replace

from tocsin.handler.failpoints import reach
from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import Lost, position
from tocsin.handler.spool import dropped
from tocsin.handler.spool.dropped import DroppedCounter
from tocsin.handler.spool.files import Spool


class Tally:
    """A count that any thread, signal handler or finaliser may raise without a lock.

    One thread takes from it.
    """

    def __init__(self) -> None:
        self._next = itertools.count().__next__
        self._taken = 0

    def add(self) -> None:
        """One more."""
        self._next()

    def drain(self) -> int:
        """How many since the last call."""
        count = self._next()
        new, self._taken = count - self._taken, count + 1
        return new


class Losses:
    """One session's losses. The counting may be done anywhere, the rest by one thread."""

    def __init__(self, spool: Spool | None, failed: Tally) -> None:
        """`failed`: events that could not even be put into words."""
        self.unwritable = Tally()
        """Events that neither the file nor memory had room for."""
        self._failed = failed
        self._full = Tally()
        """Events that there was no room for, where not even a byte could be written for them."""
        self._spool = spool
        self._counter: DroppedCounter | None = None

    def drop(self) -> None:
        """Counts an event that there is no room for: in its file, else in memory."""
        if self._counter is not None:
            with contextlib.suppress(OSError):
                self._counter.add()
                return
        self._full.add()

    def expect_drops(self) -> None:
        """Makes ready to only count events. Raises OSError."""
        spool = self._spool
        if spool is not None and self._counter is None and not spool.stopped:
            self._counter = DroppedCounter(spool.directory, spool.header.session)

    def unreported(self) -> int:
        """Events counted in the file that no record reports yet."""
        if self._spool is None or self._counter is None:
            return 0
        return dropped.count(self._spool.directory, self._spool.header.session) - self._spool.state.reported

    def report(self) -> list[tuple[str, int]]:
        """Reports losses in the session's file; those that it does not take are returned: (reason, how many)."""
        with contextlib.suppress(OSError):
            self._report_drops()
        elsewhere = []
        for reason, tally in (
            (dropped.REASON, self._full),
            ("unwritable", self.unwritable),
            ("failed", self._failed),
        ):
            if count := tally.drain():
                try:
                    if self._spool is None:
                        raise OSError
                    self._spool.note(wire.encode_record(Lost(reason, count)))
                except OSError:
                    elsewhere.append((reason, count))
        return elsewhere

    def park(self) -> None:
        """Nothing is counted in the file any more."""
        if self._counter is not None:
            with contextlib.suppress(OSError):
                self._counter.park()

    def _report_drops(self) -> None:
        """A record of the events counted in the file since the last time. Raises OSError.

        That it is reported is written down first: whoever goes on after a kill sees whether it was.
        """
        new, spool = self.unreported(), self._spool
        if spool is None or new <= 0:
            return
        state = spool.state
        at = position(spool.segment, os.fstat(spool.fd).st_size)
        spool.keep(replace(state, reported=state.reported + new, reporting=new, reported_at=at))
        reach("before_loss_report")
        try:
            spool.note(wire.encode_record(Lost(dropped.REASON, new)))
        except OSError:
            spool.keep(state)
            raise
        reach("after_loss_report")
