"""Which events have been told in full lately, so that a like one need only be named. Pure; lockless."""

from __future__ import annotations

FULL = 5
"""Full samples of an event in a window, before its repetitions are only named."""
WINDOW = 60.0
"""Seconds."""
KEYS = 4096
"""Keys remembered, at most; all are forgotten together."""


class Repeats:
    """Keys of events that stand in the spool.

    A race between threads costs a full sample too many, no more.
    """

    def __init__(self) -> None:
        self._told: dict[int, tuple[float, int, int]] = {}

    def known(self, key: int, now: float, segment: int, *, sparing: bool = False) -> bool:
        """Whether naming `key` is enough: its body is in this segment, and often enough in this window.

        `sparing`: once is often enough. A reader needs no other file than the segment for it.
        """
        told = self._told.get(key)
        if told is None or told[2] != segment:
            return False
        began, count, _ = told
        return sparing or (count >= FULL and 0 <= now - began < WINDOW)

    def told(self, key: int, now: float, segment: int) -> None:
        """The event stands in full in this segment."""
        began, count, _ = self._told.get(key) or (now, 0, segment)
        if not 0 <= now - began < WINDOW:
            began, count = now, 0
        if len(self._told) >= KEYS:
            self._told.clear()
        self._told[key] = began, count + 1, segment
