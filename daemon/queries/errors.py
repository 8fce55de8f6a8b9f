"""Errors: read-only queries into small frozen values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct
from peewee import fn

from tocsin.daemon.queries.moment import Moment, moment
from tocsin.daemon.queries.rows import dicts, pairs, tuples
from tocsin.daemon.queries.selection import EVERYTHING, Selection, following, of_errors
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Correction, ErrorLog, HourCount, Ticket
from tocsin.daemon.store.table import among


class ErrorFacts(Struct, frozen=True):
    """An error; its JSON is the documented shape. The last three are numbers."""

    id: int
    signature: str
    coarse: str
    title: str
    message: str
    source: str
    line: int
    service: str
    environment: str
    module: str
    function: str
    level: int
    occurrences: int
    first_seen: Moment
    last_seen: Moment
    release: str | None
    resolved: bool
    resolved_at: Moment | None
    muted_until: Moment | None
    muted_rate: float | None
    merged_into: int | None
    assignee: str
    """Who sees to it; '' for nobody yet."""
    link: str
    """Its issue or pull request elsewhere, '' for none."""
    open_tickets: int
    corrections: int
    clients_hit: int


def errors(
    store: Store,
    *,
    open_only: bool = False,
    error_ids: Iterable[int] | None = None,
    merged: bool = False,
    selection: Selection = EVERYTHING,
) -> list[ErrorFacts]:
    """Errors, newest occurrence first; `merged` ones only where asked: they live on in another error."""
    wanted = None if error_ids is None else list(error_ids)
    query = _chosen(open_only, wanted, merged, selection)
    query = following(query, selection, ErrorLog.last_seen, ErrorLog.id)
    query = query.order_by(ErrorLog.last_seen.desc(), ErrorLog.id.desc()).limit(selection.limit)
    with store.reading():
        rows = dicts(query)
        counts = _counts(wanted if selection == EVERYTHING else [row["id"] for row in rows])
        return [_facts(row, counts) for row in rows]


def error_count(store: Store, *, open_only: bool = False, selection: Selection = EVERYTHING) -> int:
    """How many `errors` would be there without a limit."""
    with store.reading():
        return int(_chosen(open_only, None, False, selection).count())


def _chosen(open_only: bool, error_ids: list[int] | None, merged: bool, selection: Selection) -> Any:
    query = of_errors(ErrorLog.select(), selection, since=ErrorLog.last_seen)
    if not merged:
        query = query.where(ErrorLog.merged_into.is_null())
    if open_only:
        query = query.where(ErrorLog.resolved == False)  # noqa: E712  (SQL)
    return query if error_ids is None else query.where(among(ErrorLog.id, error_ids))


def recent_hours(
    store: Store, since: int, error_ids: Iterable[int] | None = None
) -> dict[int, dict[int, int]]:
    """{error: {hour since the epoch: occurrences}} from the hour `since` on, over all clients."""
    query = (
        HourCount.select(HourCount.error, HourCount.hour, fn.SUM(HourCount.count))
        .where(HourCount.hour >= since)
        .group_by(HourCount.error, HourCount.hour)
    )
    if error_ids is not None:
        query = query.where(among(HourCount.error, list(error_ids)))
    found: dict[int, dict[int, int]] = {}
    with store.reading():
        for error_id, hour, count in tuples(query):
            found.setdefault(error_id, {})[hour] = int(count)
    return found


def _counts(error_ids: list[int] | None) -> tuple[dict[int, int], dict[int, int], dict[int, int]]:
    """Open tickets, corrections and clients hit, by error."""
    open_tickets = Ticket.select(Ticket.error, fn.COUNT(Ticket.id)).where(Ticket.status != "closed")
    corrected = Correction.select(Correction.error, fn.COUNT(Correction.id))
    hit = HourCount.select(HourCount.error, fn.COUNT(fn.DISTINCT(HourCount.client_id)))
    hit = hit.where(HourCount.client_id != "")
    if error_ids is not None:
        open_tickets = open_tickets.where(among(Ticket.error, error_ids))
        corrected = corrected.where(among(Correction.error, error_ids))
        hit = hit.where(among(HourCount.error, error_ids))
    return (
        pairs(open_tickets.group_by(Ticket.error)),
        pairs(corrected.group_by(Correction.error)),
        pairs(hit.group_by(HourCount.error)),
    )


def _facts(row: dict[str, Any], counts: tuple[dict[int, int], dict[int, int], dict[int, int]]) -> ErrorFacts:
    values = {name: row[name] for name in ErrorFacts.__struct_fields__[:-3]}
    for name in ("first_seen", "last_seen", "resolved_at", "muted_until"):
        values[name] = moment(values[name])
    values["resolved"] = bool(values["resolved"])
    open_tickets, corrected, hit = (count.get(row["id"], 0) for count in counts)
    return ErrorFacts(**values, open_tickets=open_tickets, corrections=corrected, clients_hit=hit)
