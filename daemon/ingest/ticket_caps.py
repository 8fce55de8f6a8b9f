"""The caps on automatic tickets: so many an hour in all, and so many of one code location."""

from __future__ import annotations

from collections import Counter

from tocsin.daemon.settings import Tickets as Caps
from tocsin.daemon.store import tickets as rows


class TicketCaps:
    """How many automatic tickets the last hour opened, asked once and only when a ticket is due."""

    def __init__(self, caps: Caps, now: float) -> None:
        self._caps = caps
        self._now = now
        self._opened: Counter[str] | None = None
        """By coarse signature, '' for all."""

    def allow(self, coarse: str) -> bool:
        """Whether one more error of this code location may have a ticket."""
        return self._lately("") < self._caps.new_per_hour and not self.location_is_full(coarse)

    def location_is_full(self, coarse: str) -> bool:
        """Whether the code location has had as many tickets as it may."""
        return self._lately(coarse) >= self._caps.new_per_place

    def note_opened(self, coarse: str) -> None:
        """Counts a ticket opened now."""
        if self._opened is not None:
            self._opened.update((coarse, ""))

    def _lately(self, coarse: str) -> int:
        if self._opened is None:
            self._opened = Counter(rows.opened_since(self._now - 3600))
            self._opened[""] = sum(self._opened.values())
        return self._opened[coarse]
