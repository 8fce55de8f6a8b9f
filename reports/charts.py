"""Numbers made ready for a chart: series of equal steps, and bars as an SVG path. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from tocsin.daemon.queries.deployments import DeploymentFacts
from tocsin.daemon.queries.details import HourFacts
from tocsin.daemon.queries.metrics import Day
from tocsin.daemon.queries.moment import Moment

Series = list[tuple[str, float]]
"""(label, value) in equal steps of time, UTC."""


def series(hours: Sequence[HourFacts], last_seen: float) -> Series:
    """Occurrences by the hour for a life of up to 3 days, else by the day.

    It ends at the last occurrence, not now: a page changes only when its error does.
    """
    if not hours:
        return []
    hourly = hours[-1].at - hours[0].at <= 72 * 3600
    size, most = (3600, 73) if hourly else (86400, 60)
    counts = Counter[int]()
    for hour in hours:
        counts[int(hour.at // size)] += hour.count
    end = int(max(last_seen, hours[-1].at) // size)
    start = max(end - most + 1, min(int(hours[0].at // size), end - 11))
    moments = [(one, Moment(one * size).text) for one in range(start, end + 1)]
    return [(f"{text[5:16]} UTC" if hourly else text[:10], counts[one]) for one, text in moments]


def marks(of: Series, deployments: Iterable[DeploymentFacts]) -> dict[str, str]:
    """What was deployed in the steps of a series, by their labels."""
    known = {label for label, _ in of}
    found: dict[str, list[str]] = {}
    for one in deployments:
        hour = Moment(one.at // 3600 * 3600).text[5:16]
        label = hour if hour in known else Moment(one.at).text[:10]
        if label in known:
            found.setdefault(label, []).append(f"{one.service} {one.release}")
    return {label: ", ".join(names[:5]) for label, names in found.items()}


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
