"""What the daemon asks a process to keep an eye on, and what the process has seen of it."""

from __future__ import annotations

from tocsin.handler.protocol.wire import Observed, Watched
from tocsin.handler.running.counts import RunCounts


class Observer:
    """Of one destination; used by its shipping thread alone."""

    def __init__(self, interval: float) -> None:
        """`interval`: seconds between two heartbeats."""
        self._runs = RunCounts(interval)

    def watch(self, watched: Watched) -> None:
        """Keeps an eye on this from now on, and on nothing else."""
        self._runs.watch(watched.functions)

    def check(self, now: float) -> None:
        """One look, at every turn."""
        self._runs.check(now)

    def observed(self) -> Observed:
        """What there is to tell now."""
        return Observed(runs=self._runs.told())

    def end(self) -> None:
        """Leaves the process as it was."""
        self._runs.end()
