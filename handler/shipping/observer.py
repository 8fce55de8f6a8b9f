"""What the daemon asks a process to keep an eye on, and what the process has seen of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from tocsin.handler.protocol.wire import Observed, Watched
from tocsin.handler.running.counts import RunCounts


class Observer:
    """Of one destination; used by its shipping thread alone."""

    def __init__(self, interval: float) -> None:
        """`interval`: seconds between two heartbeats."""
        self._runs = RunCounts(interval)
        self.unheard: Callable[[Sequence[tuple[str, int]]], tuple[str, ...]] = lambda loggers: ()
        """Of some loggers (name, level) those whose records reach no handler."""
        self._loggers: Sequence[tuple[str, int]] = ()
        self._unheard: tuple[str, ...] = ()
        self._pause = interval / 2
        self._looked_at = -math.inf

    def watch(self, watched: Watched) -> None:
        """Keeps an eye on this from now on, and on nothing else."""
        self._loggers, self._looked_at = watched.loggers, -math.inf
        self._runs.watch(watched.functions)

    def check(self, now: float) -> None:
        """One look, at every turn; at the loggers twice in the time between two heartbeats."""
        self._runs.check(now)
        if now - self._looked_at >= self._pause:
            self._looked_at = now
            self._unheard = self.unheard(self._loggers) if self._loggers else ()

    def observed(self) -> Observed:
        """What there is to tell now."""
        return Observed(self._unheard, self._runs.told())

    def end(self) -> None:
        """Leaves the process as it was."""
        self._runs.end()
