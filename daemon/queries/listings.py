"""One page of a listing, narrowed by what the reader asked: numbers in their order, and how many there are.

The conditions are SQL: a page of 10,000 errors costs what its own rows cost.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct
from peewee import JOIN, fn

from tocsin.daemon.queries.monitor import URGENCY
from tocsin.daemon.queries.rows import scalar, tuples
from tocsin.daemon.queries.selection import client_ids
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Correction, ErrorLog, HourCount, Mail, Session, Ticket
from tocsin.daemon.store.muting import muted

TEXT_LIMIT = 200
WORDS = 8
CHOICES = 500


class Asked(Struct, frozen=True):
    """What a listing is narrowed to; '' for everything. `text`: each of its words stands somewhere."""

    state: str = ""
    service: str = ""
    environment: str = ""
    release: str = ""
    client: str = ""
    text: str = ""
    sort: str = ""
    channel: str = ""


class Part(Struct, frozen=True):
    """One page: its numbers, which of how many pages it is, and how many there are in all."""

    ids: list[int]
    page: int
    pages: int
    total: int


class Choices(Struct, frozen=True):
    """What a listing can be narrowed to."""

    services: list[str]
    environments: list[str] = []
    releases: list[str] = []
    clients: list[str] = []
    channels: list[str] = []


def errors(store: Store, asked: Asked, now: float, page: int, size: int) -> Part:
    """Errors that live on in no other, those not resolved first."""
    query = _of_errors(ErrorLog.select(ErrorLog.id).where(ErrorLog.merged_into.is_null()), asked)
    if asked.state:
        query = query.where(_state(asked.state, now))
    if asked.client:
        query = query.where(
            ErrorLog.id.in_(HourCount.select(HourCount.error).where(HourCount.client_id == asked.client))
        )
    columns = (ErrorLog.title, ErrorLog.message, ErrorLog.source, ErrorLog.function, ErrorLog.service)
    query = _with_text(query, asked.text, columns)
    orders = {"count": ErrorLog.occurrences.desc(), "first": ErrorLog.first_seen.desc()}
    order = orders.get(asked.sort, ErrorLog.last_seen.desc())
    return _part(store, query, (ErrorLog.resolved, order, ErrorLog.id.desc()), page, size)


def tickets(store: Store, asked: Asked, page: int, size: int) -> Part:
    """Tickets, those not closed first, the newest first."""
    query = Ticket.select(Ticket.id).join(ErrorLog, JOIN.LEFT_OUTER)
    query = _of_errors(query, asked)
    if asked.state:
        query = query.where(Ticket.status == asked.state)
    if asked.client:
        query = query.where(Ticket.client_id == asked.client)
    query = _with_text(query, asked.text, (Ticket.subject, Ticket.message, ErrorLog.title, Ticket.client_id))
    closed = Ticket.status == "closed"
    return _part(store, query, (closed, Ticket.created_at.desc(), Ticket.id.desc()), page, size)


def corrections(store: Store, asked: Asked, page: int, size: int) -> Part:
    """Corrections, the newest first."""
    query = _of_errors(Correction.select(Correction.id).join(ErrorLog), asked)
    if asked.state:
        query = query.where(Correction.test_status == asked.state)
    columns = (Correction.file_path, Correction.description, Correction.applied_by, ErrorLog.title)
    query = _with_text(query, asked.text, columns)
    return _part(store, query, (Correction.applied_at.desc(), Correction.id.desc()), page, size)


def mails(store: Store, asked: Asked, page: int, size: int) -> Part:
    """Mails and the channels' messages, the newest first."""
    query = Mail.select(Mail.id)
    if asked.state:
        query = query.where(Mail.state == asked.state)
    if asked.channel:
        query = query.where(Mail.channel == asked.channel)
    query = _with_text(query, asked.text, (Mail.recipient, Mail.kind, Mail.last_error))
    return _part(store, query, (Mail.id.desc(),), page, size)


def choices(store: Store) -> Choices:
    """The names that errors can be narrowed to, at most `CHOICES` of each."""
    with store.reading():
        return Choices(
            services=_names(ErrorLog.select(ErrorLog.service)),
            environments=_names(ErrorLog.select(ErrorLog.environment)),
            releases=_names(Session.select(Session.release)),
            clients=client_ids(store)[:CHOICES],
        )


def counts(store: Store) -> tuple[int, int]:
    """(errors that are not resolved, tickets that are not closed)."""
    with store.reading():
        unresolved = ErrorLog.select(fn.COUNT(ErrorLog.id)).where(
            ErrorLog.resolved == False,  # noqa: E712  (SQL, as the index has it)
            ErrorLog.merged_into.is_null(),
        )
        not_closed = Ticket.select(fn.COUNT(Ticket.id)).where(Ticket.status != "closed")
        return int(scalar(unresolved)), int(scalar(not_closed))


def _names(query: Any) -> list[str]:
    return sorted(name for (name,) in tuples(query.distinct().limit(CHOICES)) if name)


def _of_errors(query: Any, asked: Asked) -> Any:
    for column, value in (
        (ErrorLog.service, asked.service),
        (ErrorLog.environment, asked.environment),
        (ErrorLog.release, asked.release),
    ):
        if value:
            query = query.where(column == value)
    return query


def _state(state: str, now: float) -> Any:
    """The same states as `monitor.state`, as a condition."""
    if state == "resolved":
        return ErrorLog.resolved
    if state == "muted":
        return ~ErrorLog.resolved & muted(now)
    if state not in URGENCY:
        return ~ErrorLog.resolved & ~muted(now) & ErrorLog.id.not_in(_errors_with(URGENCY))
    more_urgent = URGENCY[: URGENCY.index(state)]
    found = ~ErrorLog.resolved & ~muted(now) & ErrorLog.id.in_(_errors_with((state,)))
    return found & ErrorLog.id.not_in(_errors_with(more_urgent)) if more_urgent else found


def _errors_with(statuses: Iterable[str]) -> Any:
    return Ticket.select(Ticket.error).where(Ticket.status.in_(list(statuses)), Ticket.error.is_null(False))


def _with_text(query: Any, text: str, columns: Iterable[Any]) -> Any:
    for word in text[:TEXT_LIMIT].split()[:WORDS]:
        found = None
        for column in columns:
            here = column.contains(word)
            found = here if found is None else found | here
        query = query.where(found)
    return query


def _part(store: Store, query: Any, order: tuple[Any, ...], page: int, size: int) -> Part:
    with store.reading():
        total = int(query.count())
        pages = max(1, -(-total // size))
        page = min(max(1, page), pages)
        found = tuples(query.order_by(*order).limit(size).offset((page - 1) * size))
    return Part([number for (number,) in found], page, pages, total)
