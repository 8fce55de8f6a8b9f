"""What silence is worth: exact stretches of time and the verdict on a watch. Pure.

A stretch is a pair (started_at, ended_at) of epoch seconds; a list of them is sorted and does not overlap.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct

Stretch: TypeAlias = tuple[float, float]

REACH = 3
"""A sign of life extends a session's stretch when it comes within this many announced intervals (DESIGN)."""


def union(stretches: Iterable[Stretch], gap: float = 0.0) -> list[Stretch]:
    """The stretches merged where they overlap or lie at most `gap` seconds apart."""
    merged: list[Stretch] = []
    for start, end in sorted(stretches):
        if merged and start - merged[-1][1] <= gap:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def intersection(one: Sequence[Stretch], other: Sequence[Stretch]) -> list[Stretch]:
    """Where both are."""
    common: list[Stretch] = []
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


def length(stretches: Iterable[Stretch]) -> float:
    """Seconds in all."""
    return math.fsum(end - start for start, end in stretches)


def extended(stretches: Sequence[Stretch], signs: Iterable[float], interval: float) -> list[Stretch]:
    """A session's stretches with signs of life added: each within REACH intervals of another joins it."""
    return union([*stretches, *((sign, sign) for sign in signs)], gap=REACH * interval)


class Verdict(StrEnum):
    """What a check of a watch says."""

    WAIT = "wait"
    CLOSE = "close"
    UNSEEN = "unseen"


class Rule(Struct, frozen=True):
    """The settings of [watch], and whether the service runs in batches."""

    duration: float
    min_seen: float
    max_chance: float
    unseen_after: float
    by_clock: bool = False
    batch: bool = False


class Silence(Struct, frozen=True):
    """What is known of an error's silence at the moment of a check."""

    quiet_since: float
    seen: Sequence[Stretch]
    """Where the service was seen alive while a daemon was up."""
    last_seen_alive: float | None
    """Last sign of life of the service."""
    held_back: str = ""
    """Which session may still hold occurrences, '' when none does."""
    failed_tests: bool = False
    runs_ended: int = 0
    """Of a batch service: runs that began after `quiet_since` and said goodbye."""
    rate: float | None = None
    """Occurrences a second before the silence; None when it cannot be told."""


class Finding(Struct, frozen=True):
    """The verdict with its reasons, as shown to people."""

    verdict: Verdict
    seen_seconds: float
    waiting_for: str
    chance: float | None
    """Probability of the same silence without any correction: e^(-rate * seen)."""


def judge(silence: Silence, rule: Rule, now: float) -> Finding:
    """The verdict on a watch at `now` (DESIGN "Evidence")."""
    elapsed = now - silence.quiet_since
    seen = length(intersection(silence.seen, [(silence.quiet_since, now)])) if elapsed > 0 else 0.0
    counted = elapsed if rule.by_clock else seen
    chance = math.exp(-silence.rate * max(counted, 0.0)) if silence.rate is not None else None
    waiting = _waiting(silence, rule, elapsed, seen, chance)
    verdict = Verdict.WAIT if waiting else Verdict.CLOSE
    if waiting and not rule.by_clock:
        alive = max(silence.quiet_since, silence.last_seen_alive or 0.0)
        if now - alive >= rule.unseen_after or (silence.held_back and elapsed >= rule.unseen_after):
            verdict = Verdict.UNSEEN
    return Finding(verdict, seen, waiting, chance)


def _waiting(silence: Silence, rule: Rule, elapsed: float, seen: float, chance: float | None) -> str:
    """What the closing waits for, '' when nothing is left."""
    if silence.failed_tests:
        return "a correction whose tests pass: the last validation failed"
    if elapsed < rule.duration:
        return "the full time without the error"
    if rule.by_clock:
        return ""
    if silence.held_back:
        return f"errors that {silence.held_back} may still hold back"
    if rule.batch:
        return "" if silence.runs_ended else "a run that begins and ends in order without the error"
    if seen < rule.min_seen * rule.duration:
        return "the application to be seen alive long enough"
    if rule.max_chance < 1 and (chance is None or chance > rule.max_chance):
        return "a longer silence: this one is still likely without any correction"
    return ""


def rate_before(occurrences: int, first_seen: float, last_seen: float) -> float | None:
    """Occurrences a second between the first and the last; None when there was only one moment."""
    span = last_seen - first_seen
    return (occurrences - 1) / span if occurrences > 1 and span > 0 else None
