"""What a listing is narrowed to, and which names it could be narrowed to."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from tocsin.daemon.queries.rows import tuples
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Client, ErrorLog, HourCount, Session, Ticket


class Selection(Struct, frozen=True):
    """Only of this service, of this client, since then (epoch seconds), and at most so many; None: all.

    `after` is the last row of the page before, as (moment, number): of a listing only what comes after it.
    """

    service: str | None = None
    client: str | None = None
    since: float | None = None
    limit: int | None = None
    after: tuple[float, int] | None = None


EVERYTHING = Selection()


def narrowed(query: Any, selection: Selection, *, service: Any, client: Any, since: Any) -> Any:
    """The query with the selection's conditions on these columns; its limit is not applied."""
    for column, value in ((service, selection.service), (client, selection.client)):
        if value is not None:
            query = query.where(column == value)
    return query if selection.since is None else query.where(since >= selection.since)


def of_errors(query: Any, selection: Selection, *, since: Any) -> Any:
    """The same for a query that has `ErrorLog`: a client's are the errors that it met."""
    if selection.service is not None:
        query = query.where(ErrorLog.service == selection.service)
    if selection.client is not None:
        met = HourCount.select(HourCount.error).where(HourCount.client_id == selection.client)
        query = query.where(ErrorLog.id.in_(met))
    return query if selection.since is None else query.where(since >= selection.since)


def following(query: Any, selection: Selection, at: Any, number: Any) -> Any:
    """Of a query that lists the newest first, by these columns: what comes after the page before."""
    if selection.after is None:
        return query
    moment, last = selection.after
    return query.where((at < moment) | ((at == moment) & (number < last)))


def services(store: Store) -> list[str]:
    """Every service that has been heard of."""
    with store.reading():
        known = tuples(ErrorLog.select(ErrorLog.service).distinct())
        known += tuples(Session.select(Session.service).distinct())
    return sorted({name for (name,) in known})


def client_ids(store: Store) -> list[str]:
    """Every client that is known or has a ticket."""
    with store.reading():
        known = tuples(Client.select(Client.id)) + tuples(Ticket.select(Ticket.client_id).distinct())
    return sorted({name for (name,) in known if name})
