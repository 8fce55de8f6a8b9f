"""How likely the same silence would have been without any correction. Pure.

An error is taken to come in a share of the units that are looked at: hours in which the application was seen alive,
or runs of the code location. Which share it is, nobody knows; what was seen before the silence tells, in Bayes' way,
with Jeffreys' prior, Beta(1/2, 1/2). The chance of clean units only then is the Beta-binomial's. A burst counts once
an hour, however many occurrences it holds, and a fresh error stays honestly uncertain.

Errors that come in bursts, by day, or with a job of the week keep away for longer than a share of hours lets expect.
So a silence is never called less likely than the gaps say that were there before, whatever their distribution: of k
gaps and the next one each is as likely to be the longest.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise

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
    gaps: Sequence[float] = ()
    """Units from each with the error to the next one with it, the shortest first."""


def of_silence(before: Before, clean: float) -> float:
    """The chance that `clean` more units have no error: 1 for none, and less the more they are."""
    failed, passed = before.failed + _PRIOR, before.clean + _PRIOR
    share = math.exp(_log_beta(failed, passed + max(clean, 0.0)) - _log_beta(failed, passed))
    return min(max(share, _gap_as_long(before.gaps, clean)), 1.0)


def _gap_as_long(gaps: Sequence[float], length: float) -> float:
    """The chance that the next gap is as long: by its rank among those so far; beyond the longest, by its length."""
    if not gaps:
        return 0.0
    as_long = len(gaps) - bisect_left(gaps, length)
    if as_long:
        return (as_long + 1) / (len(gaps) + 1)
    return gaps[-1] / length / (len(gaps) + 1)


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
    began = [hour * HOUR for hour in sorted({*failed, first - 1}) if hour * HOUR >= until - LOOK_BACK]
    gaps = sorted((later - one) / HOUR for one, later in pairwise(_lived(alive, began)))
    return Before(float(len(failed)), (seen - overlap) / HOUR, gaps)


def _lived(alive: Sequence[Interval], moments: Iterable[float]) -> list[float]:
    """Seconds that it was seen alive before each of these moments, which ascend."""
    found, total, at = [], 0.0, 0
    for moment in moments:
        while at < len(alive) and alive[at][1] <= moment:
            total += alive[at][1] - alive[at][0]
            at += 1
        found.append(total + (max(moment - alive[at][0], 0.0) if at < len(alive) else 0.0))
    return found


def _log_beta(one: float, other: float) -> float:
    return math.lgamma(one) + math.lgamma(other) - math.lgamma(one + other)
