"""What an interval of time brought, for the weekly report: read-only queries into small frozen values."""

from __future__ import annotations

from datetime import date, timedelta

from msgspec import Struct
from peewee import fn

from tocsin.daemon.queries.metrics import Day, metrics
from tocsin.daemon.queries.moment import Moment
from tocsin.daemon.queries.rows import tuples
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import ErrorLog, History, HourCount, Ticket

CHARTED = 28
"""Days of the chart."""
TOP = 5


class TopError(Struct, frozen=True):
    """An error and how often it came."""

    error_id: int
    service: str
    title: str
    count: int


class WeekFacts(Struct, frozen=True):
    """Numbers of `since` to `until` (epoch seconds); `open` and the corrections as they stand now."""

    since: float
    until: float
    occurrences: int
    new_errors: int
    opened: int
    closed: int
    closed_automatically: int
    reopened: int
    open: int
    held: int
    came_back: int
    top: list[TopError]
    days: list[Day]
    """The last days up to `until`, one each (UTC), those on which nothing happened too."""


def week(store: Store, since: float, until: float) -> WeekFacts:
    """Everything the report says."""
    with store.reading():
        numbers = metrics(store)
        first, last = int(since // 3600), int(until // 3600)
        hours = (HourCount.hour >= first) & (HourCount.hour < last)
        total = HourCount.select(fn.SUM(HourCount.count)).where(hours).scalar()
        new = ErrorLog.select().where(
            ErrorLog.first_seen >= since, ErrorLog.first_seen < until, ErrorLog.merged_into.is_null()
        )
        opened = Ticket.select().where(Ticket.created_at >= since, Ticket.created_at < until)
        ended = _happened(since, until)
        return WeekFacts(
            since=since,
            until=until,
            occurrences=int(total or 0),
            new_errors=new.count(),
            opened=opened.count(),
            closed=ended.get("auto_closed", 0) + ended.get("resolved", 0),
            closed_automatically=ended.get("auto_closed", 0),
            reopened=ended.get("reopened", 0),
            open=Ticket.select().where(Ticket.status != "closed").count(),
            held=sum(one.held for one in numbers.by_applied_by),
            came_back=sum(one.came_back for one in numbers.by_applied_by),
            top=_top(first, last),
            days=_days(numbers.by_day, until),
        )


def _happened(since: float, until: float) -> dict[str, int]:
    """Action -> how many history rows of it."""
    rows = (
        History.select(History.action, fn.COUNT(History.id))
        .where(History.created_at >= since, History.created_at < until)
        .where(History.action.in_(("auto_closed", "resolved", "reopened")))
        .group_by(History.action)
    )
    return {action: int(count) for action, count in tuples(rows)}


def _top(first: int, last: int) -> list[TopError]:
    count = fn.SUM(HourCount.count)
    rows = (
        HourCount.select(ErrorLog.id, ErrorLog.service, ErrorLog.title, count)
        .join(ErrorLog)
        .where((HourCount.hour >= first) & (HourCount.hour < last))
        .group_by(ErrorLog.id, ErrorLog.service, ErrorLog.title)
        .order_by(count.desc(), ErrorLog.id)
        .limit(TOP)
    )
    return [
        TopError(error_id, service, title, int(number)) for error_id, service, title, number in tuples(rows)
    ]


def _days(known: list[Day], until: float) -> list[Day]:
    by_day = {day.day: day for day in known}
    newest = date.fromisoformat(Moment(until - 1).iso[:10])
    wanted = [(newest - timedelta(days=ago)).isoformat() for ago in range(CHARTED - 1, -1, -1)]
    return [by_day.get(day, Day(day)) for day in wanted]
