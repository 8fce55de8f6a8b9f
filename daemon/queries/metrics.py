"""The four numbers of the specification and the honest ones beside them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from statistics import mean, median
from typing import Any

from msgspec import Struct
from peewee import JOIN, SQL, fn

from tocsin.daemon.queries.deployments import DeploymentFacts, all_since
from tocsin.daemon.queries.moment import Moment
from tocsin.daemon.queries.rows import tuples
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Client, Correction, ErrorLog, History, Ticket

FALSE_CLOSING_WINDOW = 7 * 86400.0
"""A ticket that was closed automatically and reopened within these seconds was closed falsely."""

# These run as the specification prints them; SQLite gets the same numbers from the rows.
_AUTO_TICKETS = "SELECT COUNT(*) FROM support_tickets WHERE source = 'auto_detection'"
_AUTO_CLOSED = """
SELECT COUNT(CASE WHEN metadata->>'auto_closed' = 'true' THEN 1 END) * 100.0 / COUNT(*), COUNT(*)
  FROM support_tickets WHERE source = 'auto_detection'"""
_MEAN_HOURS = """
SELECT AVG(EXTRACT(EPOCH FROM (closed_at - created_at))/3600) AS avg_hours
  FROM support_tickets WHERE source = 'auto_detection' AND closed_at IS NOT NULL"""


DEPLOYMENTS = 200
"""Deployments beside the numbers, at most."""


class TopCorrected(Struct, frozen=True):
    """An error that was corrected often."""

    source: str
    message: str
    corrections_count: int


class Share(Struct, frozen=True):
    """The numbers of the automatic tickets of one service or client."""

    name: str
    auto_tickets: int
    auto_closed_percent: float | None
    mean_hours_to_resolution: float | None


class Holding(Struct, frozen=True):
    """Whether the corrections of one hand held.

    Decided by what the error's tickets did until its next correction: where it reappeared or was reopened, the
    correction did not hold, whatever came later; where it only closed, it held; else it is undecided and left out of
    the percentage. Corrections applied together share one verdict.
    """

    applied_by: str
    corrections: int
    held: int
    came_back: int
    undecided: int
    hold_percent: float | None


class Day(Struct, frozen=True):
    """One day (UTC), written `2026-11-22`: automatic tickets opened and closed, corrections applied.

    The mean is over the tickets closed on this day.
    """

    day: str
    opened: int = 0
    closed: int = 0
    auto_closed: int = 0
    mean_hours_to_resolution: float | None = None
    corrections: int = 0


class MetricsFacts(Struct, frozen=True):
    """Its JSON is the documented shape. Percentages 0 to 100, 2 decimals; durations 4; None: nothing yet."""

    auto_tickets: int
    auto_closed_percent: float | None
    mean_hours_to_resolution: float | None
    median_hours_to_resolution: float | None
    top_corrected: list[TopCorrected]
    false_closing_percent: float | None
    """Of the automatic closings, those whose ticket was reopened within 7 days."""
    median_seconds_to_ticket: float | None
    """From an error's first occurrence to its first automatic ticket."""
    by_applied_by: list[Holding]
    by_service: list[Share]
    by_client: list[Share]
    by_day: list[Day]
    deployments: list[DeploymentFacts] = []
    """The newest releases that are out, the oldest first."""


class _Row(Struct, frozen=True):
    """One automatic ticket, as much as the numbers need."""

    error_id: int | None
    created_at: float
    closed_at: float | None
    auto_closed: bool
    service: str
    client: str
    first_seen: float | None

    @property
    def hours(self) -> float | None:
        return None if self.closed_at is None else (self.closed_at - self.created_at) / 3600


def metrics(store: Store) -> MetricsFacts:
    """Every number of the metrics page."""
    with store.reading():
        rows = _rows()
        numbers = _by_query(store) if store.postgres else _by_rows(rows)
        return MetricsFacts(
            *numbers,
            median_hours_to_resolution=_rounded(_median(_hours(rows)), 4),
            top_corrected=top_corrected(store),
            false_closing_percent=_false_closing(),
            median_seconds_to_ticket=_rounded(_median(_waits(rows)), 4),
            by_applied_by=_holding(),
            by_service=_shares(rows, [row.service for row in rows]),
            by_client=_shares(rows, [row.client for row in rows]),
            by_day=_days(rows),
            deployments=all_since(store, 0.0)[-DEPLOYMENTS:],
        )


def _rows() -> list[_Row]:
    query = (
        Ticket.select(
            Ticket.error, Ticket.created_at, Ticket.closed_at, Ticket.metadata, ErrorLog.service,
            Ticket.client_id, ErrorLog.first_seen, Client.name,
        )
        .join(ErrorLog, JOIN.LEFT_OUTER)
        .join(Client, JOIN.LEFT_OUTER, on=(Ticket.client_id == Client.id))
        .where(Ticket.source == "auto_detection")
        .order_by(Ticket.created_at, Ticket.id)
    )  # fmt: skip
    return [
        _Row(
            error_id=error_id,
            created_at=created_at,
            closed_at=closed_at,
            auto_closed=isinstance(metadata, dict) and metadata.get("auto_closed") in (True, "true"),
            service=service or "",
            client=name or client_id or "",
            first_seen=first_seen,
        )
        for error_id, created_at, closed_at, metadata, service, client_id, first_seen, name in tuples(query)
    ]


def _by_query(store: Store) -> tuple[int, float | None, float | None]:
    """Automatic tickets, percentage closed automatically, mean hours: by the specification's own SQL."""
    database: Any = store.database
    total = int(database.execute_sql(_AUTO_TICKETS).fetchone()[0])
    percent = float(database.execute_sql(_AUTO_CLOSED).fetchone()[0]) if total else None
    hours = database.execute_sql(_MEAN_HOURS).fetchone()[0]
    return total, _rounded(percent, 2), _rounded(None if hours is None else float(hours), 4)


def _by_rows(rows: list[_Row]) -> tuple[int, float | None, float | None]:
    """The same numbers where there is no EXTRACT."""
    return len(rows), _auto_closed_percent(rows), _rounded(_mean(_hours(rows)), 4)


def _auto_closed_percent(rows: list[_Row]) -> float | None:
    return _percent(sum(row.auto_closed for row in rows), len(rows))


def _hours(rows: Iterable[_Row]) -> list[float]:
    return [row.hours for row in rows if row.hours is not None]


def _waits(rows: Iterable[_Row]) -> list[float]:
    """Seconds from first occurrence to first ticket, one per error; `rows` by creation."""
    firsts: dict[int, float] = {}
    for row in rows:
        if row.error_id is not None and row.first_seen is not None:
            firsts.setdefault(row.error_id, max(0.0, row.created_at - row.first_seen))
    return list(firsts.values())


def top_corrected(store: Store) -> list[TopCorrected]:
    """The ten errors that were corrected most often."""
    count = fn.COUNT(Correction.id).alias("corrections_count")
    # Ties are broken by text, in one collation, so that both databases choose the same ten.
    collation = SQL('COLLATE "C"' if store.postgres else "COLLATE BINARY")
    query = (
        ErrorLog.select(ErrorLog.source, ErrorLog.message, count)
        .join(Correction, on=(Correction.error == ErrorLog.id))
        .group_by(ErrorLog.source, ErrorLog.message)
        .order_by(SQL("corrections_count DESC"), _collated(ErrorLog.source, collation),
                  _collated(ErrorLog.message, collation))
        .limit(10)
    )  # fmt: skip
    with store.reading():
        return [TopCorrected(*row) for row in tuples(query)]


def _collated(column: Any, collation: Any) -> Any:
    return SQL("{} {}".format(f'"t1"."{column.column_name}"', collation.sql))


def _false_closing() -> float | None:
    rows = (
        History.select(History.ticket, History.action, History.created_at)
        .join(Ticket)
        .where(Ticket.source == "auto_detection", History.action.in_(("auto_closed", "reopened")))
        .order_by(History.created_at, History.id)
    )
    closed_at: dict[int, float] = {}
    closings = false = 0
    for ticket_id, action, at in tuples(rows):
        if action == "auto_closed":
            closings += 1
            closed_at[ticket_id] = at
        elif at - closed_at.pop(ticket_id, float("-inf")) <= FALSE_CLOSING_WINDOW:
            false += 1
    return _percent(false, closings)


def _holding() -> list[Holding]:
    """Verdicts of all corrections, by who applied them."""
    ends = _endings()
    applied: dict[int, list[tuple[float, str]]] = defaultdict(list)
    query = Correction.select(Correction.error, Correction.applied_at, Correction.applied_by)
    for error_id, at, who in tuples(query.order_by(Correction.applied_at, Correction.id)):
        applied[error_id].append((at, who))
    verdicts: dict[str, list[str]] = defaultdict(list)
    for error_id, changes in applied.items():
        for at, who in changes:
            until = min((later for later, _ in changes if later > at), default=float("inf"))
            verdicts[who].append(
                _verdict(action for when, action in ends.get(error_id, ()) if at <= when < until)
            )
    found = []
    for who, given in sorted(verdicts.items(), key=lambda item: (-len(item[1]), item[0])):
        held, back = given.count("held"), given.count("came_back")
        found.append(
            Holding(who, len(given), held, back, len(given) - held - back, _percent(held, held + back))
        )
    return found


def _verdict(actions: Iterable[str]) -> str:
    found = set(actions)
    return "came_back" if "came_back" in found else "held" if found else "undecided"


def _endings() -> dict[int, list[tuple[float, str]]]:
    """What the history says of each error's silence, in order: held (closed) or came back, when that happened."""
    meaning = {"auto_closed": "held", "reopened": "came_back", "reappeared": "came_back"}
    rows = (
        History.select(Ticket.error, History.created_at, History.action, History.details)
        .join(Ticket)
        .where(History.action.in_(list(meaning)), Ticket.error.is_null(False))
        .order_by(History.created_at, History.id)
    )
    found: dict[int, list[tuple[float, str]]] = defaultdict(list)
    for error_id, at, action, details in tuples(rows):
        # What is told late had happened before: perhaps before the correction.
        happened = (details or {}).get("at", at) if action != "auto_closed" else at
        found[error_id].append((happened, meaning[action]))
    return found


def _shares(rows: list[_Row], names: list[str]) -> list[Share]:
    groups: dict[str, list[_Row]] = defaultdict(list)
    for row, name in zip(rows, names, strict=True):
        groups[name].append(row)
    return [
        Share(name, len(group), _auto_closed_percent(group), _rounded(_mean(_hours(group)), 4))
        for name, group in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    ]


def _days(rows: list[_Row]) -> list[Day]:
    opened = Counter(_day(row.created_at) for row in rows)
    applied = Counter(_day(at) for (at,) in tuples(Correction.select(Correction.applied_at)))
    closed: dict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        if row.closed_at is not None:
            closed[_day(row.closed_at)].append(row)
    return [
        Day(
            day=day,
            opened=opened[day],
            closed=len(closed[day]),
            auto_closed=sum(row.auto_closed for row in closed[day]),
            mean_hours_to_resolution=_rounded(_mean(_hours(closed[day])), 4),
            corrections=applied[day],
        )
        for day in sorted({*opened, *applied, *closed})
    ]


def _day(epoch: float) -> str:
    return Moment(epoch).iso[:10]


def _percent(part: int, whole: int) -> float | None:
    return round(part * 100.0 / whole, 2) if whole else None


def _mean(values: list[float]) -> float | None:
    return mean(values) if values else None


def _median(values: list[float]) -> float | None:
    return median(values) if values else None


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
