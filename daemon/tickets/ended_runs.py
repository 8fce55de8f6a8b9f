"""Runs of a batch service that ended in order, counted per kind of run. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tocsin.daemon.tickets.kinds import Run


class Ended(NamedTuple):
    """A run that said goodbye and holds nothing back."""

    run: Run
    began_at: float
    release: str


class EndedRuns:
    """Those of one service. Each question is answered from sorted moments, however many runs there were."""

    def __init__(self, ended: Iterable[Ended] = ()) -> None:
        self._began: dict[str, dict[Run, list[float]]] = {}
        """Per release and run when they began, in order."""
        for one in sorted(ended, key=lambda one: one.began_at):
            self._began.setdefault(one.release, {}).setdefault(one.run, []).append(one.began_at)

    def count(self, since: float, of: Iterable[Run] = (), older: frozenset[str] = frozenset()) -> int:
        """How many began after `since`; those of the `older` releases do not count.

        `of`: what logged the error; then each of these must have ended so, and the fewest count. A command's help,
        another job of the service or a pool's child is no run of it.
        """
        counted = [runs for release, runs in self._began.items() if release not in older]
        wanted = set(of)
        if not wanted:
            return sum(_after(began, since) for runs in counted for began in runs.values())
        return min(sum(_after(runs.get(one, ()), since) for runs in counted) for one in wanted)


def _after(began: Sequence[float], since: float) -> int:
    return len(began) - bisect_right(began, since)
