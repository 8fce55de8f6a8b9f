"""How much of its room a spool directory holds, and what follows for what is written to it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from tocsin.handler.spool.segments import size

EVERY = 1.0
"""Seconds between two looks at what others hold in the directory."""


class Quota:
    """The directory's room. `level` is read by any thread, the rest is one thread's."""

    def __init__(self, directory: str, limit: int, expect_drops: Callable[[], None]) -> None:
        """`expect_drops` makes ready to only count events; it may raise OSError."""
        self.level = 0
        """0: room; 1: the directory is full, bodies collapse to counts; 2: events are only counted."""
        self.limit = limit
        self._directory = directory
        self._expect_drops = expect_drops
        self._others = 0
        self._looked_at = -EVERY

    def measure(self, own: int, now: float) -> None:
        """Sets the level, when the session holds `own` bytes; others' files are looked at now and then."""
        if now - self._looked_at >= EVERY:
            self._looked_at = now
            self._others = max(size(self._directory) - own, 0)
        used = self._others + own
        level = 0 if used < self.limit else 1 if used < self.limit * 5 // 4 else 2
        if level:
            # Before anybody drops an event: what is counted in memory does not outlive a kill.
            with contextlib.suppress(OSError):
                self._expect_drops()
        self.level = level
