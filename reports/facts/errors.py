"""Errors: read-only queries into small frozen values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct
from peewee import fn

from tocsin.daemon.store.bodies import decode_body
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Client, Correction, ErrorLog, HourCount, Sample, Session, Ticket
from tocsin.reports.facts.corrections import CorrectionFacts, corrections
from tocsin.reports.facts.moment import Moment, moment
from tocsin.reports.facts.rows import dicts, first, pairs, tuples
from tocsin.reports.facts.samples import EventFacts, event_facts
from tocsin.reports.facts.tickets import TicketFacts, history, tickets


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
    open_tickets: int
    corrections: int
    clients_hit: int


class HourFacts(Struct, frozen=True):
    """Occurrences in the hour that begins at `at`."""

    at: Moment
    count: int


class ClientCount(Struct, frozen=True):
    """How often a client met the error. `name` is empty for one that is not declared."""

    id: str
    name: str
    count: int


class SampleFacts(Struct, frozen=True):
    """One stored event and the process it came from. `event` is None when its bytes cannot be read."""

    id: int
    occurred_at: Moment
    client_id: str
    session_id: str
    position: int
    release: str | None
    host: str | None
    pid: int | None
    python: str | None
    event: EventFacts | None


class Happening(Struct, frozen=True):
    """One line of the timeline. `kind`: first_seen, correction, resolved, or a history row's action."""

    at: Moment
    kind: str
    text: str
    by: str
    ticket_id: int | None = None
    correction_id: int | None = None


class ErrorDetail(ErrorFacts, frozen=True, kw_only=True):
    """Everything known of one error."""

    components: Any
    samples: list[SampleFacts]
    hours: list[HourFacts]
    clients: list[ClientCount]
    sessions: list[str]
    releases: list[str]
    hosts: list[str]
    tickets: list[TicketFacts]
    corrections_recorded: list[CorrectionFacts]
    timeline: list[Happening]


def errors(
    store: Store, *, open_only: bool = False, error_ids: Iterable[int] | None = None
) -> list[ErrorFacts]:
    """Errors, newest occurrence first; merged ones are shown in the error they were merged into."""
    query = ErrorLog.select().where(ErrorLog.merged_into.is_null())
    if open_only:
        query = query.where(ErrorLog.resolved == False)  # noqa: E712  (SQL)
    wanted = None if error_ids is None else list(error_ids)
    if wanted is not None:
        query = query.where(ErrorLog.id.in_(wanted))
    with store.reading():
        counts = _counts(wanted)
        return [
            _facts(row, counts)
            for row in dicts(query.order_by(ErrorLog.last_seen.desc(), ErrorLog.id.desc()))
        ]


def error(store: Store, error_id: int) -> ErrorDetail | None:
    """Everything about one error, None when there is none with this number."""
    with store.reading():
        row = first(ErrorLog.select().where(ErrorLog.id == error_id))
        if row is None:
            return None
        plain = _facts(row, _counts([error_id]))
        samples = _samples(error_id)
        own_tickets = tickets(store, error_id=error_id)
        changes = corrections(store, error_id)
        return ErrorDetail(
            **{name: getattr(plain, name) for name in ErrorFacts.__struct_fields__},
            components=row["components"],
            samples=samples,
            hours=_hours(error_id),
            clients=_clients(error_id),
            sessions=_distinct(sample.session_id for sample in samples),
            releases=_distinct(sample.release for sample in samples),
            hosts=_distinct(sample.host for sample in samples),
            tickets=own_tickets,
            corrections_recorded=changes,
            timeline=_timeline(store, plain, own_tickets, changes),
        )


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
        query = query.where(HourCount.error.in_(list(error_ids)))
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
        open_tickets = open_tickets.where(Ticket.error.in_(error_ids))
        corrected = corrected.where(Correction.error.in_(error_ids))
        hit = hit.where(HourCount.error.in_(error_ids))
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


def _samples(error_id: int) -> list[SampleFacts]:
    query = Sample.select().where(Sample.error == error_id)
    rows = dicts(query.order_by(Sample.occurred_at.desc(), Sample.id.desc()))
    sessions = {
        row["id"]: row
        for row in dicts(Session.select().where(Session.id.in_({row["session_id"] for row in rows})))
    }
    found = []
    for row in rows:
        body = decode_body(row["body"])
        session = sessions.get(row["session_id"], {})
        found.append(
            SampleFacts(
                id=row["id"],
                occurred_at=moment(row["occurred_at"]),
                client_id=row["client_id"],
                session_id=row["session_id"],
                position=row["position"],
                release=session.get("release"),
                host=session.get("host"),
                pid=session.get("pid"),
                python=session.get("python"),
                event=event_facts(body) if body else None,
            )
        )
    return found


def _hours(error_id: int) -> list[HourFacts]:
    query = HourCount.select(HourCount.hour, fn.SUM(HourCount.count)).where(HourCount.error == error_id)
    rows = tuples(query.group_by(HourCount.hour).order_by(HourCount.hour))
    return [HourFacts(Moment(hour * 3600), int(count)) for hour, count in rows]


def _clients(error_id: int) -> list[ClientCount]:
    total = fn.SUM(HourCount.count)
    query = HourCount.select(HourCount.client_id, total).where(
        HourCount.error == error_id, HourCount.client_id != ""
    )
    counts = tuples(query.group_by(HourCount.client_id).order_by(total.desc(), HourCount.client_id))
    ids = [row[0] for row in counts]
    names = pairs(Client.select(Client.id, Client.name).where(Client.id.in_(ids)))
    return [ClientCount(client, names.get(client, ""), int(count)) for client, count in counts]


def _timeline(
    store: Store, plain: ErrorFacts, own_tickets: list[TicketFacts], changes: list[CorrectionFacts]
) -> list[Happening]:
    found = [Happening(plain.first_seen, "first_seen", plain.message, "system")]
    found += [
        Happening(change.applied_at, "correction", change.description or change.file_path, change.applied_by,
                  correction_id=change.id)
        for change in changes
    ]  # fmt: skip
    found += [
        Happening(row.created_at, row.action, row.description, row.created_by, ticket_id=row.ticket_id)
        for row in history(store, [one.id for one in own_tickets])
        if row.action != "correction_logged"  # the correction itself stands there already
    ]
    if plain.resolved_at is not None:
        found.append(Happening(plain.resolved_at, "resolved", "", "system"))
    return sorted(found, key=lambda one: one.at)


def _distinct(values: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(value for value in values if value))
