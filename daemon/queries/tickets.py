"""Tickets and clients: read-only queries into small frozen values."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from msgspec import Struct, structs
from peewee import JOIN

from tocsin.daemon.config import Config
from tocsin.daemon.queries.moment import Moment, moment
from tocsin.daemon.queries.rows import dicts, pairs, tuples
from tocsin.daemon.queries.selection import EVERYTHING, Selection, following, narrowed
from tocsin.daemon.reason import Reason
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Client, ErrorLog, History, Mail, Message, Ticket, Watch
from tocsin.daemon.store.table import among
from tocsin.daemon.store.tickets import last_tests
from tocsin.daemon.ticket_wording import waiting
from tocsin.daemon.tickets import watch
from tocsin.daemon.tickets.runs import Runs


class HistoryFacts(Struct, frozen=True):
    """One action on a ticket. `description` is English; `ticket_wording.history` says `details` in any language."""

    id: int
    ticket_id: int
    action: str
    description: str
    created_by: str
    created_at: Moment
    details: dict[str, Any] = {}


class WatchFacts(Struct, frozen=True):
    """How far the silence of an error has come, as the last hourly check wrote it down. Durations in seconds."""

    started_at: Moment
    required_seconds: float
    seen_seconds: float
    quiet_since: Moment
    earliest_close: Moment | None
    """Not before this moment, provided that the error stays away and its service is seen; None: nobody knows."""
    waiting_for: str
    """What the closing waits for, in English; '' for nothing."""
    waiting: dict[str, Any] = {}
    """The same as data: `kind` (one of `evidence.WaitingFor`), and with `backlog` the process's `pid` and `host`."""
    checked_at: Moment | None = None
    min_seen: float = 0.9
    inconclusive_at: Moment | None = None
    runs: dict[str, Any] = {}
    """How often the error's function ran: `function`, `since` then, `before`, of which `failed`; `estimated`;
    `unknown`: why some or all are not known (`ticket_wording.runs` says it)."""
    untold_seconds: float = 0.0
    """Of one ticket, as of now: how long it was seen alive and its errors could not have reached the handler."""
    chance: float | None = None
    """How likely the same silence is without any correction; None: cannot be told."""


class MailFacts(Struct, frozen=True):
    """One mail of a ticket, or a message about it to the `channel` of that name."""

    id: int
    kind: str
    audience: str
    recipient: str
    state: str
    created_at: Moment
    sent_at: Moment | None
    attempts: int
    last_error: Reason
    channel: str | None = None


class MessageFacts(Struct, frozen=True):
    """What was written on a ticket. `sender`: `client` or `team`."""

    id: int
    ticket_id: int
    sender: str
    author: str
    text: str
    created_at: Moment


class TicketFacts(Struct, frozen=True):
    """A ticket; its JSON is the documented shape."""

    id: int
    error_id: int | None
    error_signature: str | None
    client_id: str | None
    client_email: str | None
    subject: str
    status: str
    priority: str
    category: str
    source: str
    resolution: str | None
    created_at: Moment
    closed_at: Moment | None
    metadata: Any
    service: str | None = None
    """Of its error."""
    title: str | None = None
    """Of its error."""
    client_text: str | None = None
    """Of its error, for clients."""
    assignee: str = ""
    """Who sees to it; '' for nobody yet."""


class TicketDetail(TicketFacts, frozen=True, kw_only=True):
    """One ticket with its history, its conversation, its mails and the watch over its error."""

    message: str = ""
    history: list[HistoryFacts] = []
    watch: WatchFacts | None = None
    mails: list[MailFacts] = []
    messages: list[MessageFacts] = []
    """Oldest first."""


class ClientFacts(Struct, frozen=True):
    """Somebody the errors concern. `folder` names the client's pages and is not to be guessed."""

    id: str
    name: str
    email: str | None
    language: str | None
    timezone: str | None
    folder: str


def tickets(
    store: Store,
    *,
    open_only: bool = False,
    ticket_ids: Iterable[int] | None = None,
    error_ids: Iterable[int] | None = None,
    client_id: str | None = None,
    selection: Selection = EVERYTHING,
) -> list[TicketFacts]:
    """Tickets, newest first."""
    query = _chosen(_select(), open_only, selection)
    query = following(query, selection, Ticket.created_at, Ticket.id)
    query = query.order_by(Ticket.created_at.desc(), Ticket.id.desc()).limit(selection.limit)
    if ticket_ids is not None:
        query = query.where(Ticket.id.in_(list(ticket_ids)))
    if error_ids is not None:
        query = query.where(Ticket.error.in_(list(error_ids)))
    if client_id is not None:
        query = query.where(Ticket.client_id == client_id)
    with store.reading():
        return [_facts(row) for row in dicts(query)]


def ticket_count(store: Store, *, open_only: bool = False, selection: Selection = EVERYTHING) -> int:
    """How many `tickets` would be there without a limit."""
    with store.reading():
        return int(_chosen(_select(), open_only, selection).count())


def ticket(store: Store, ticket_id: int, config: Config, now: float) -> TicketDetail | None:
    """One ticket with everything about it, None when there is none. `now` in epoch seconds.

    Its watch is judged at this moment, not as the last hourly check wrote it down.
    """
    found = ticket_details(store, [ticket_id], config, now).get(ticket_id)
    if found is None or found.watch is None or found.error_id is None:
        return found
    judged = watch.finding(store, config, found.error_id, now)
    if judged is None:
        return found
    with store.reading():
        corrected = _corrected({found.error_id: float(found.watch.quiet_since)})
    as_of_now = structs.replace(
        found.watch,
        seen_seconds=judged.seen_seconds,
        earliest_close=moment(judged.earliest_close) if math.isfinite(judged.earliest_close) else None,
        waiting_for=waiting(watch.facts(judged)),
        waiting=watch.facts(judged),
        runs=_said(judged.runs, corrected=bool(corrected)),
        untold_seconds=judged.untold_seconds,
        chance=judged.chance,
    )
    return structs.replace(found, watch=as_of_now)


def ticket_details(
    store: Store, ticket_ids: Iterable[int], config: Config, now: float
) -> dict[int, TicketDetail]:
    """Some tickets with everything about them, by number: with as many queries as one."""
    wanted = list(ticket_ids)
    with store.reading():
        rows = dicts(_select(Ticket.message).where(Ticket.id.in_(wanted)))
        plain = {row["id"]: _facts(row) for row in rows}
        watched = {
            one.error_id for one in plain.values() if one.error_id is not None and one.status != "closed"
        }
        seen = watches(store, config, watched, now)
        happened: dict[int, list[HistoryFacts]] = defaultdict(list)
        for entry in history(store, wanted):
            happened[entry.ticket_id].append(entry)
        sent, written = mails(store, wanted), messages(store, wanted)
    return {
        row["id"]: TicketDetail(
            **{name: getattr(plain[row["id"]], name) for name in TicketFacts.__struct_fields__},
            message=row["message"],
            history=happened[row["id"]],
            watch=seen.get(row["error_id"]) if row["status"] != "closed" else None,
            mails=sent[row["id"]],
            messages=written[row["id"]],
        )
        for row in rows
    }


def history(store: Store, ticket_ids: Iterable[int]) -> list[HistoryFacts]:
    """The history rows of some tickets, oldest first."""
    with store.reading():
        rows = (
            History.select()
            .where(History.ticket.in_(list(ticket_ids)))
            .order_by(History.created_at, History.id)
        )
        return [
            HistoryFacts(
                row["id"],
                row["ticket"],
                row["action"],
                row["description"],
                row["created_by"],
                moment(row["created_at"]),
                row["details"] or {},
            )
            for row in dicts(rows)
        ]


def mails(store: Store, ticket_ids: Iterable[int]) -> dict[int, list[MailFacts]]:
    """The mails of some tickets, oldest first."""
    query = Mail.select().where(Mail.ticket.in_(list(ticket_ids))).order_by(Mail.created_at, Mail.id)
    found: dict[int, list[MailFacts]] = defaultdict(list)
    with store.reading():
        for row in dicts(query):
            values = {name: row[name] for name in MailFacts.__struct_fields__}
            values["last_error"] = Reason.read(row["last_error"], row["error_parts"])
            values["created_at"], values["sent_at"] = moment(row["created_at"]), moment(row["sent_at"])
            found[row["ticket"]].append(MailFacts(**values))
    return found


def messages(store: Store, ticket_ids: Iterable[int]) -> dict[int, list[MessageFacts]]:
    """The conversations of some tickets, oldest first."""
    query = Message.select().where(Message.ticket.in_(list(ticket_ids))).order_by(Message.id)
    found: dict[int, list[MessageFacts]] = defaultdict(list)
    with store.reading():
        for row in dicts(query):
            found[row["ticket"]].append(
                MessageFacts(
                    row["id"], row["ticket"], row["sender"], row["author"], row["text"],
                    moment(row["created_at"]),
                )
            )  # fmt: skip
    return found


def watches(
    store: Store, config: Config, error_ids: Iterable[int] | None, now: float
) -> dict[int, WatchFacts]:
    """The running watches by error: of some errors, or of all."""
    query = Watch.select()
    if error_ids is not None:
        query = query.where(among(Watch.error, list(error_ids)))
    with store.reading():
        return {row["error"]: _watch(row, config) for row in dicts(query)}


def _corrected(quiet_since: dict[int, float]) -> set[int]:
    """The errors whose silence began with a correction, not with an occurrence."""
    changed = last_tests(quiet_since)
    last_seen = pairs(ErrorLog.select(ErrorLog.id, ErrorLog.last_seen).where(among(ErrorLog.id, changed)))
    return {error_id for error_id, at in last_seen.items() if quiet_since[error_id] > at}


def _said(known: Runs | str, *, corrected: bool) -> dict[str, Any]:
    if isinstance(known, Runs):
        return known.facts | ({"corrected": True} if corrected else {})
    return {"unknown": known} if known else {}


def _watch(row: dict[str, Any], config: Config) -> WatchFacts:
    required = float(config.watch.duration)
    found = {"earliest_close": row["quiet_since"] + required, **(row["found"] or {})}
    return WatchFacts(
        started_at=moment(row["quiet_since"]),
        required_seconds=required,
        seen_seconds=row["seen_seconds"],
        quiet_since=moment(row["quiet_since"]),
        earliest_close=moment(found["earliest_close"]),
        waiting_for=row["waiting_for"],
        waiting=row["waiting"] or {},
        checked_at=moment(row["checked_at"]),
        min_seen=config.watch.min_seen if config.watch.evidence == "seen" else 0.0,
        inconclusive_at=moment(row["inconclusive_at"]),
        runs=found.get("runs", {}),
        chance=found.get("chance"),
    )


def ticket_titles(store: Store) -> list[tuple[int, str, str, str, str]]:
    """(number, subject, service, state, client) of every ticket, newest first: for a search on all pages."""
    query = Ticket.select(Ticket.id, Ticket.subject, ErrorLog.service, Ticket.status, Ticket.client_id)
    query = query.join(ErrorLog, JOIN.LEFT_OUTER).order_by(Ticket.created_at.desc(), Ticket.id.desc())
    with store.reading():
        return [
            (number, subject[:160], service or "", status, client or "")
            for number, subject, service, status, client in tuples(query)
        ]


def clients(store: Store) -> list[ClientFacts]:
    """Every client, by id."""
    with store.reading():
        columns = [getattr(Client, name) for name in ClientFacts.__struct_fields__]
        return [ClientFacts(**row) for row in dicts(Client.select(*columns).order_by(Client.id))]


def _chosen(query: Any, open_only: bool, selection: Selection) -> Any:
    query = narrowed(
        query, selection, service=ErrorLog.service, client=Ticket.client_id, since=Ticket.created_at
    )
    return query.where(Ticket.status != "closed") if open_only else query


def _select(*more: Any) -> Any:
    columns = [getattr(Ticket, name) for name in TicketFacts.__struct_fields__[:14] if name != "error_id"]
    return Ticket.select(
        *columns,
        Ticket.error.alias("error_id"),
        ErrorLog.service,
        ErrorLog.title,
        ErrorLog.client_text,
        Ticket.assignee,
        *more,
    ).join(ErrorLog, JOIN.LEFT_OUTER)


def _facts(row: dict[str, Any]) -> TicketFacts:
    values = {name: row[name] for name in TicketFacts.__struct_fields__}
    values["created_at"] = moment(values["created_at"])
    values["closed_at"] = moment(values["closed_at"])
    return TicketFacts(**values)
