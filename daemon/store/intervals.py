"""Arithmetic of time: sorted intervals that do not overlap. Pure.

An interval is a pair (started_at, ended_at) of epoch seconds.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import TypeAlias

Interval: TypeAlias = tuple[float, float]

REACH = 3
"""A heartbeat extends a session's interval within this many announced periods (docs/evidence.md)."""
RUN_GAP = 30.0
"""Seconds without a note of it after which a daemon counts as not up: it stopped, the machine slept, or the
clock was set."""


class Timeline(list[Interval]):
    """Sorted intervals that do not overlap, with their lengths added up: what is asked of often is answered fast."""

    def __init__(self, intervals: Iterable[Interval] = ()) -> None:
        super().__init__(intervals)
        self._ends = [end for _, end in self]
        self._sums = [0.0, *accumulate(end - start for start, end in self)]

    def within(self, since: float, until: float) -> float:
        """Seconds of them between the two moments."""
        first = bisect_right(self._ends, since)
        last = bisect_left(self, (until, until), lo=first)
        if first >= last:
            return 0.0
        (start, _), (_, end) = self[first], self[last - 1]
        before, behind = max(since - start, 0.0), max(end - until, 0.0)
        return max(self._sums[last] - self._sums[first] - before - behind, 0.0)


def within(intervals: Sequence[Interval], since: float, until: float) -> float:
    """Seconds of the intervals between the two moments."""
    if isinstance(intervals, Timeline):
        return intervals.within(since, until)
    return length(clipped(intervals, since, until))


def union(intervals: Iterable[Interval], gap: float = 0.0) -> list[Interval]:
    """The intervals merged where they overlap or lie at most `gap` seconds apart."""
    merged: list[Interval] = []
    for start, end in sorted(intervals):
        if merged and start - merged[-1][1] <= gap:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def intersection(one: Sequence[Interval], other: Sequence[Interval]) -> list[Interval]:
    """Where both are."""
    common: list[Interval] = []
    i = j = 0
    while i < len(one) and j < len(other):
        start, end = max(one[i][0], other[j][0]), min(one[i][1], other[j][1])
        if start < end:
            common.append((start, end))
        if one[i][1] < other[j][1]:
            i += 1
        else:
            j += 1
    return common


def difference(one: Sequence[Interval], other: Sequence[Interval]) -> list[Interval]:
    """Where the first are and the second are not."""
    left: list[Interval] = []
    for start, end in one:
        for taken_from, taken_until in other:
            if taken_until <= start or taken_from >= end:
                continue
            if taken_from > start:
                left.append((start, taken_from))
            start = taken_until
        if start < end:
            left.append((start, end))
    return left


def clipped(intervals: Iterable[Interval], since: float, until: float) -> list[Interval]:
    """What lies between the two moments."""
    return [
        (max(start, since), min(end, until))
        for start, end in intervals
        if start < until and end > since and start < end
    ]


def length(intervals: Iterable[Interval]) -> float:
    """Seconds in all."""
    return math.fsum(end - start for start, end in intervals)


def extended(intervals: Sequence[Interval], heartbeats: Iterable[float], period: float) -> list[Interval]:
    """A session's intervals with heartbeats added, joined where at most REACH periods (seconds) apart."""
    return union([*intervals, *((at, at) for at in heartbeats)], gap=REACH * period)
