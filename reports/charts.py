"""Numbers made ready for a chart: series of equal steps, and bars as an SVG path. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time, timedelta

from tocsin.daemon.queries.deployments import DeploymentFacts
from tocsin.daemon.queries.details import HourFacts
from tocsin.daemon.queries.metrics import Day
from tocsin.daemon.time_zone import TimeZone

Series = list[tuple[str, float]]
"""(label, value) in equal steps of time."""
Label = Callable[[datetime], str]
"""Of a step, by its beginning."""


def series(hours: Sequence[HourFacts], last_seen: float, zone: TimeZone, hour: Label, day: Label) -> Series:
    """Occurrences by the hour for a life of up to 3 days, else by the day, as the zone has them.

    It ends at the last occurrence, not now: a page changes only when its error does.
    """
    if not hours:
        return []
    newest = max(last_seen, hours[-1].at)
    if hours[-1].at - hours[0].at > 72 * 3600:
        return _by_day(hours, zone.local(newest).date(), zone, day)
    counts = {int(one.at // 3600): one.count for one in hours}
    end = int(newest // 3600)
    start = max(end - 72, min(int(hours[0].at // 3600), end - 11))
    return [(hour(zone.local(one * 3600)), counts.get(one, 0)) for one in range(start, end + 1)]


def _by_day(hours: Sequence[HourFacts], end: date, zone: TimeZone, label: Label) -> Series:
    counts = Counter[date]()
    for one in hours:
        counts[zone.local(one.at).date()] += one.count
    start = max(end - timedelta(days=59), min(zone.local(hours[0].at).date(), end - timedelta(days=11)))
    days = [start + timedelta(days=ahead) for ahead in range((end - start).days + 1)]
    return [(label(datetime.combine(one, time())), counts[one]) for one in days]


def marks(
    of: Series, deployments: Iterable[DeploymentFacts], zone: TimeZone, *labels: Label
) -> dict[str, str]:
    """What was deployed in the steps of a series, by their labels; `labels` are those that it may have."""
    known = {label for label, _ in of}
    found: dict[str, list[str]] = {}
    for one in deployments:
        hour = one.at // 3600 * 3600
        for label in {write(zone.local(at)) for write in labels for at in (one.at, hour)} & known:
            found.setdefault(label, []).append(f"{one.service} {one.release}")
    return {label: ", ".join(names[:5]) for label, names in found.items()}


def iso_day(local: datetime) -> str:
    """`2026-11-22`."""
    return local.date().isoformat()


def filled(days: Sequence[Day]) -> list[Day]:
    """The last 60 days at most, 14 at least, up to the newest one, those on which nothing happened too."""
    if not days:
        return []
    known = {date.fromisoformat(day.day): day for day in days}
    newest = max(known)
    count = min(60, max(14, (newest - min(known)).days + 1))
    wanted = [newest - timedelta(days=ago) for ago in range(count - 1, -1, -1)]
    return [known.get(day, Day(day.isoformat())) for day in wanted]


def bars(counts: Sequence[int], height: int) -> str:
    """An SVG path of bars, 4 wide with 1 between; an hour with anything in it is at least 2 high."""
    top = max(counts, default=0) or 1
    tall = [max(2, round(height * count / top)) if count else 0 for count in counts]
    return (
        "".join(f"M{at * 4} {height}v-{one}h3v{one}z" for at, one in enumerate(tall) if one)
        or f"M0 {height}h0"
    )
