"""The weekly report: when it is due, and what it says. Each week is reported once."""

from __future__ import annotations

from datetime import datetime, time, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from tocsin.daemon.config import Config
from tocsin.daemon.queries.week import WeekFacts, week
from tocsin.daemon.settings import DAYS
from tocsin.daemon.store import tickets as rows
from tocsin.daemon.store.database import Store
from tocsin.daemon.tickets import addresses, admin

EVERY = 60.0
"""Seconds between two looks at the calendar."""
REPORTED = "weekly_report"
"""Key of the fact that holds the moment up to which was reported."""
HOUR = 3600.0


def last_due(now: float, day: int, hour: int, zone: tzinfo | None) -> float:
    """The newest moment, not after `now`, at which it is that weekday (0 is Monday) and hour in the zone.

    Without a zone the server's counts. All moments are epoch seconds.
    """
    today = datetime.fromtimestamp(now, zone).date()
    for ago in ((today.weekday() - day) % 7, (today.weekday() - day) % 7 + 7):
        due = datetime.combine(today - timedelta(days=ago), time(hour), zone).timestamp()
        if due <= now:
            return due
    raise AssertionError("a weekday is at most two weeks ago")


class WeeklyReport:
    """Reports each week of one database to the admins."""

    def __init__(self, store: Store, config: Config) -> None:
        self._store = store
        self._config = config
        zone = config.weekly.timezone or config.organisation.timezone
        self._zone = ZoneInfo(zone) if zone else None

    def run(self, now: float) -> bool:
        """Queues the report when it is due; returns whether it was. What was missed meanwhile is one report."""
        due = self._last_due(now)
        with self._store.reading():
            known = rows.fact(REPORTED)
        last = float(known) if known else None
        if last is not None and last >= due:
            return False
        # The first look at a database only begins the first week.
        wanted = self._config.weekly.enabled and last is not None
        # A week in which the clocks change is an hour longer or shorter.
        facts = self._facts(week(self._store, self._last_due(due - 1), due), now) if wanted else None
        with self._store.transaction():
            rows.remember_fact(REPORTED, repr(due))
            if facts is not None:
                admin.notify(self._config, "weekly", facts, now)
        return facts is not None

    def _last_due(self, now: float) -> float:
        settings = self._config.weekly
        return last_due(now, DAYS.index(settings.day), settings.hour, self._zone)

    def _facts(self, said: WeekFacts, now: float) -> dict[str, Any]:
        return {
            "since": said.since, "until": said.until, "created_at": now, "occurrences": said.occurrences,
            "new_errors": said.new_errors, "opened": said.opened, "closed": said.closed,
            "closed_automatically": said.closed_automatically, "reopened": said.reopened, "open": said.open,
            "corrections_held": said.held, "corrections_came_back": said.came_back,
            "top": [
                {"error_id": one.error_id, "service": one.service, "title": one.title, "count": one.count,
                 "url": addresses.error(self._config, one.error_id)}
                for one in said.top
            ],
            "days": [{"day": one.day, "opened": one.opened, "closed": one.closed} for one in said.days],
            "metrics_url": addresses.metrics(self._config),
        }  # fmt: skip
