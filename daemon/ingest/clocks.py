"""The clocks of the applications, measured where their messages arrive: what to add to get the daemon's.

A host's name proves nothing, and a clock may be set or frozen for one process alone: so each session is measured,
with each word of it. A message can only be late: the smallest difference is the best known. One that grows is a
delay, unless the next message says the same.
"""

from __future__ import annotations

import math

OFFSET_NOISE = 1.0
"""Seconds of clock difference that a busy machine makes by itself; below it no correction is applied."""
CLOCK_SET = 60.0
"""Seconds by which a clock's difference grows before it may have been set back meanwhile."""
REMEMBERED = 20_000
"""Sessions with a difference that is not believed yet, at most; then all are forgotten."""


def difference(sent_at: float, now: float) -> float | None:
    """Seconds to add to the clock that said `sent_at`; None when it said nothing that can be a moment."""
    if not math.isfinite(sent_at) or sent_at <= 0.0:
        return None
    found = now - sent_at
    return found if abs(found) > OFFSET_NOISE else 0.0


class Clocks:
    """Remembers which sessions' clocks seem to have been set back, until their next message."""

    def __init__(self) -> None:
        self._doubtful: dict[str, float] = {}

    def measured(self, session_id: str, known: float, sent_at: float, now: float) -> float:
        """The session's difference in seconds, where `known` was known before this message."""
        found = difference(sent_at, now)
        if found is None:
            return known
        before = self._doubtful.pop(session_id, None)
        if found < known:
            return found
        if found <= known + CLOCK_SET:
            return known
        if before is not None:
            return min(before, found)
        if len(self._doubtful) >= REMEMBERED:
            self._doubtful.clear()
        self._doubtful[session_id] = found
        return known
