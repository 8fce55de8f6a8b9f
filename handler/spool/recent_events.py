"""Which events have been written in full lately, so that a like one need only be named. Pure; lockless."""

from __future__ import annotations

FULL = 5
"""Full samples of an event in a window, before its repetitions are only named."""
WINDOW = 60.0
"""Seconds."""
KEYS = 4096
"""Keys remembered, at most; all are forgotten together."""


class RecentEvents:
    """Keys of events that stand in one segment of the spool, and how often they were written in full since a window
    began.

    A race between threads costs a full sample too many, no more: what is known of another segment stands on
    another page.
    """

    def __init__(self) -> None:
        self._page: tuple[int, float, float, dict[int, int]] = (-1, 0.0, 0.0, {})

    def page(self, segment: int, now: float) -> dict[int, int]:
        """How often each key was written in full in this segment and window; to be read and added to.

        A reader needs no other file than the segment for an event that is only named.
        """
        at, began, ends, written = self._page
        if at == segment and began <= now < ends and len(written) < KEYS:
            return written
        written = {}
        self._page = segment, now, now + WINDOW, written
        return written
