"""What a living session's files need beside being shipped: rotation, repair, room, and a name that somebody has
taken away.
"""

from __future__ import annotations

import contextlib

from tocsin.handler.process import monotonic, wall
from tocsin.handler.shipping.delivery import Delivery
from tocsin.handler.spool.files import Spool, Unusable, prepare
from tocsin.handler.spool.memory import Memory
from tocsin.handler.spool.quota import Quota
from tocsin.handler.spool.stream import Stream

SEGMENT_BYTES = 4 * 1024 * 1024
REPAIR = 1.0
"""Seconds between two tries to write again after a failure; doubles up to a minute."""
QUIET = 1.0
"""Seconds without a record after which the thread may sleep: so not each of many has to wake it."""
LATER = 30.0
"""Seconds after which a directory that could not be used is looked at again."""
TIDY = 30.0
"""Seconds of quiet after which an acknowledged segment makes room for a fresh one."""


class Upkeep:
    """One session's files. Nothing here may stop the shipping; one thread."""

    def __init__(self, spool: Spool, stream: Stream, live: Delivery, quota: Quota) -> None:
        self._spool = spool
        self._stream = stream
        self._live = live
        self._quota = quota
        self._repair_at, self._repair_after = 0.0, REPAIR
        self._quiet_at = 0.0
        self._written, self._written_at = 0, monotonic()

    @property
    def calm(self) -> bool:
        """Nothing is to be done soon, and nothing has been written lately: where one record comes, others follow."""
        quiet = monotonic() - self._written_at > QUIET
        return quiet and not self._spool.failed_writes and self._quota.level == 0

    def check(self, now: float) -> bool:
        """Does what is due. False when another process holds the session by now."""
        kept = self._kept(now)
        if self._crowded(now):
            with contextlib.suppress(OSError):
                self._spool.rotate(wall())
        self._live.tidy()
        self._quota.measure(self._stream.held(), now)
        if self._spool.failed_writes and now >= self._repair_at:
            self._repair(now)
        return kept

    def _kept(self, now: float) -> bool:
        if self._spool.intact or now < self._repair_at:
            return True
        try:
            return self._spool.restore()
        except (OSError, Unusable):
            self._put_off(now)
            return True

    def _crowded(self, now: float) -> bool:
        """Whether a fresh segment is due.

        This one is large, or all of it is acknowledged and only takes room.
        """
        written = self._stream.newest_size()
        if written != self._written:
            self._written, self._written_at = written, now
        if written >= min(SEGMENT_BYTES, self._quota.limit // 8):
            return True
        if self._live.waiting or self._live.backlog:
            self._quiet_at = now
        pressed = self._quota.level > 0
        return now - self._quiet_at > (1.0 if pressed else TIDY) and written > (8 if pressed else 64) * 1024

    def _repair(self, now: float) -> None:
        """After failed writes: the file's own word on them as soon as it can be written, or a fresh file."""
        try:
            self._spool.record_failed_writes()
            self._repair_after = REPAIR
            return
        except OSError:
            self._put_off(now)
        with contextlib.suppress(OSError):
            self._spool.rotate(wall())
            self._spool.record_failed_writes()

    def _put_off(self, now: float) -> None:
        self._repair_at = now + self._repair_after
        self._repair_after = min(self._repair_after * 2, 60.0)


class NoFiles:
    """A session in memory only."""

    def __init__(self, directory: str, memory: Memory) -> None:
        self._directory = directory
        self._memory = memory
        self._looked_at = monotonic()

    @property
    def calm(self) -> bool:
        """Nothing wakes the thread for what memory takes."""
        return False

    def check(self, now: float) -> bool:
        """False when the directory can be used by now, and nothing waits in memory."""
        if now - self._looked_at <= LATER or len(self._memory):
            return True
        self._looked_at = now
        try:
            prepare(self._directory)
        except Unusable:
            return True
        return False
