"""Where the processes of a service were seen alive and could have told of an error. Pure.

Each question is answered once for all watches that ask it: how long a check takes must not be the product of watches
and processes.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from tocsin.daemon.store import intervals
from tocsin.daemon.store.intervals import Interval, Timeline
from tocsin.daemon.tickets.kinds import Kind

Alive = tuple[str, float, float]
"""A session's id, and an interval in which it was seen alive."""
Needed = tuple[str, frozenset[Kind] | None]
"""A name, and the kinds of process of which one must be seen: None for any process of the service."""


class Seen(NamedTuple):
    """What was seen of all the kinds that must be seen together, while a daemon was up."""

    each: Sequence[tuple[str, Timeline]]
    """Of each by itself, also where no daemon was up."""
    together: Timeline
    before: Timeline
    """The same of processes of every release, also where no daemon was up."""
    untold: Timeline
    """Where they were seen and could not have told."""


class SeenAlive:
    """Of one service; it reaches back to before the oldest of its watches."""

    def __init__(
        self,
        alive: Mapping[Kind, Sequence[Alive]],
        unheard: Mapping[str, Sequence[tuple[str, float, float]]],
        releases: Mapping[str, str],
        up: Sequence[Interval],
    ) -> None:
        """`unheard`: per session (logger, start, end) of what could not be heard. `releases`: per session its own.

        `up`: where a daemon was up.
        """
        self._alive = alive
        self._seen = {
            kind: intervals.union((start, end) for _, start, end in found) for kind, found in alive.items()
        }
        self._unheard = unheard
        self._releases = releases
        self._up = up
        self._deaf = {logger for found in unheard.values() for logger, _, _ in found}
        self._known_releases = frozenset(releases.values())
        self._answers: dict[tuple[frozenset[Kind] | None, frozenset[str], frozenset[str]], Timeline] = {}
        self._views: dict[tuple[tuple[Needed, ...], frozenset[str], frozenset[str]], Seen] = {}

    def of(self, needed: Sequence[Needed], loggers: Collection[str], older: Collection[str]) -> Seen:
        """What was seen of these kinds, where those loggers could be heard; the `older` releases say nothing."""
        deaf, old = self._deaf.intersection(loggers), self._known_releases.intersection(older)
        key = (tuple(needed), frozenset(deaf), old)
        if key not in self._views:
            self._views[key] = self._view(*key)
        return self._views[key]

    def unheard_now(self, needed: Iterable[Needed], loggers: Collection[str]) -> str:
        """A logger of the error that cannot be heard at this moment in a process that must be seen."""
        if not self._deaf.intersection(loggers):
            return ""
        wanted = [kind for _, several in needed for kind in several or self._alive]
        living = {session for kind in wanted for session, _, _ in self._alive.get(kind, ())}
        deaf = [
            logger
            for session, found in self._unheard.items()
            for logger, _, end in found
            if session in living and logger in loggers and end == math.inf
        ]
        return min(deaf, default="")

    def _view(self, needed: tuple[Needed, ...], deaf: frozenset[str], old: frozenset[str]) -> Seen:
        nothing: frozenset[str] = frozenset()
        each = [(name, self._heard(wanted, deaf, old)) for name, wanted in needed]
        seen = _together(heard for _, heard in each)
        told = seen if not deaf else _together(self._heard(wanted, nothing, old) for _, wanted in needed)
        before = seen if not old else _together(self._heard(wanted, deaf, nothing) for _, wanted in needed)
        untold = intervals.intersection(intervals.difference(told, seen), self._up) if deaf else []
        together = intervals.intersection(seen, self._up)
        return Seen(each, Timeline(together), Timeline(before), Timeline(untold))

    def _heard(
        self, wanted: frozenset[Kind] | None, loggers: frozenset[str], without: frozenset[str]
    ) -> Timeline:
        """Where any process of these kinds was seen alive and those loggers could be heard."""
        key = wanted, loggers, without
        if key not in self._answers:
            self._answers[key] = Timeline(self._found(*key))
        return self._answers[key]

    def _found(
        self, wanted: frozenset[Kind] | None, loggers: frozenset[str], without: frozenset[str]
    ) -> list[Interval]:
        every = [kind for kind in self._alive if wanted is None or kind in wanted]
        deaf = {
            session: [(start, end) for logger, start, end in found if logger in loggers]
            for session, found in self._unheard.items()
        }
        deaf = {session: found for session, found in deaf.items() if found}
        old = {session for session, release in self._releases.items() if release in without}
        deaf |= {session: [(-math.inf, math.inf)] for session in old}
        if not deaf:
            return intervals.union(one for kind in every for one in self._seen[kind])
        heard: list[Interval] = []
        own: dict[str, list[Interval]] = {}
        for kind in every:
            for session, start, end in self._alive[kind]:
                (own.setdefault(session, []) if session in deaf else heard).append((start, end))
        for session, found in own.items():
            heard += intervals.difference(intervals.union(found), intervals.union(deaf[session]))
        return intervals.union(heard)


def _together(parts: Iterable[list[Interval]]) -> list[Interval]:
    """Where all of them are."""
    found: list[Interval] | None = None
    for part in parts:
        found = part if found is None else intervals.intersection(found, part)
    return found or []
