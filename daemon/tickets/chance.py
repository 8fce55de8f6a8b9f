"""How likely the same silence would have been without any correction. Pure.

An error is taken to come in a share of the units that are looked at: hours in which the application was seen alive,
or runs of the code location. Which share it is, nobody knows; what was seen before the silence tells, in Bayes' way,
with Jeffreys' prior, Beta(1/2, 1/2). The chance of clean units only then is the Beta-binomial's. A burst counts once
an hour, however many occurrences it holds, and a fresh error stays honestly uncertain.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from msgspec import Struct

from tocsin.daemon.store.intervals import Interval, within

HOUR = 3600.0
LOOK_BACK = 30 * 86400.0
"""Seconds before a silence that are looked at, at most."""
_PRIOR = 0.5
_LONGEST = 1e7
"""Units after which nobody waits any longer."""


class Before(Struct, frozen=True):
    """What was seen before a silence: units with the error, and without."""

    failed: float
    clean: float


def of_silence(before: Before, clean: float) -> float:
    """The chance that `clean` more units have no error: 1 for none, and less the more they are."""
    failed, passed = before.failed + _PRIOR, before.clean + _PRIOR
    return min(math.exp(_log_beta(failed, passed + max(clean, 0.0)) - _log_beta(failed, passed)), 1.0)


def units_until(before: Before, at_most: float) -> float:
    """How many clean units it takes until the chance is that small; inf where it takes too many."""
    low, high = 0.0, 1.0
    while of_silence(before, high) > at_most:
        low, high = high, high * 2
        if high > _LONGEST:
            return math.inf
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if of_silence(before, middle) <= at_most else (middle, high)
    return high


def hours_before(
    failed_hours: Collection[int], alive: Sequence[Interval], first_seen: float, until: float
) -> Before | None:
    """The hours before a silence that began at `until`; None when the application was never seen alive in them.

    `failed_hours`: hours since the epoch in which the error came; `alive`: where the application was seen alive.
    The first hour of all is left out: the error itself has chosen it. Fractions of hours count.
    """
    first = int(first_seen // HOUR) + 1
    since = max(first * HOUR, until - LOOK_BACK)
    failed = sorted(
        {hour for hour in failed_hours if since <= (hour + 1) * HOUR - 1 and hour * HOUR <= until}
    )
    failed = [hour for hour in failed if hour >= first]
    if not alive or alive[0][0] > until:
        return None
    seen = within(alive, since, until) if since < until else 0.0
    with_error = math.fsum(within(alive, hour * HOUR, (hour + 1) * HOUR) for hour in failed)
    overlap = min(with_error, seen)
    return Before(float(len(failed)), (seen - overlap) / HOUR)


def _log_beta(one: float, other: float) -> float:
    return math.lgamma(one) + math.lgamma(other) - math.lgamma(one + other)
