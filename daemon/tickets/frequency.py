"""Has an error become so much more frequent that somebody should know? Counts by hour in, a verdict out.

Pure: no clock, database or mail.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

HOUR = 3600.0
WEEK_HOURS = 168
"""Hours before the recent ones that say what is usual, at most: a week, so that a nightly run is usual."""
LEAST_HOURS = 6
"""Hours that must be known before anything is usual."""
LEAST = 10
"""Recent occurrences, at least: twice instead of never is no flood."""
BUSIEST = 2.0
"""Times the busiest hour before that the busiest recent hour must reach: bursts that always came are usual."""


class Increase(Struct, frozen=True):
    """Occurrences an hour: `usual` before, `recent` in the running hour and the one before it."""

    usual: float
    recent: float


def increase(hourly: Mapping[int, int], first_seen: float, now: float, factor: float) -> Increase | None:
    """Whether what came in the recent hours is at least `factor` times what is usual.

    `hourly`: hours since the epoch -> occurrences; moments are epoch seconds.
    """
    hour = int(now // HOUR)
    begin = hour - 1
    first = max(int(first_seen // HOUR), begin - WEEK_HOURS)
    came = [hourly.get(begin, 0), hourly.get(hour, 0)]
    if begin - first < LEAST_HOURS or sum(came) < LEAST:
        return None
    before = [hourly.get(one, 0) for one in range(first, begin)]
    # Where nothing came before, as if one had: the rate of what never came is not known to be zero.
    usual = max(sum(before), 1) / len(before)
    recent = sum(came) / (now / HOUR - begin)
    if recent < factor * usual or max(came) < BUSIEST * max(before):
        return None
    return Increase(usual, recent)


def is_news(found: Increase, said: float | None, factor: float) -> bool:
    """Whether to say so, when it was last said at `said` occurrences an hour; None: not within a week."""
    return said is None or found.recent >= factor * said
