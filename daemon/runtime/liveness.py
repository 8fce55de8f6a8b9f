"""Heartbeats of the daemon's threads: each loop gives one at every turn; the silent ones are named."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

Beat = Callable[[], None]


class ThreadLiveness:
    """When each loop last came round, by the monotonic clock (given, for tests). For several threads."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._last: dict[str, float] = {}

    def beat(self, name: str) -> Beat:
        """What the loop of that name calls at every turn. It counts from now on, whether it runs or not."""

        def beat() -> None:
            self._last[name] = self._monotonic()

        beat()
        return beat

    def forget(self, names: Iterable[str]) -> None:
        """These loops have ended in order: nothing is expected of them."""
        for name in names:
            self._last.pop(name, None)

    def silent(self, longer_than: float) -> list[str]:
        """The loops that have not come round for so many seconds."""
        before = self._monotonic() - longer_than
        return sorted(name for name, at in self._last.items() if at < before)
