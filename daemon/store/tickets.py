"""Queries on tickets, their history, watches and clients. Called inside the caller's transaction."""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from peewee import fn

from tocsin.daemon.store import runs
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Client, Correction, ErrorLog, History, KeyValue, Message, Ticket, Watch
from tocsin.daemon.store.table import among, moment
from tocsin.daemon.ticket_wording import Facts, described, waiting


def of_errors(error_ids: Collection[int]) -> dict[int, list[Ticket]]:
    """Per error its tickets, oldest first."""
    found: dict[int, list[Ticket]] = {}
    for ticket in Ticket.select().where(among(Ticket.error, error_ids)).order_by(Ticket.id):
        found.setdefault(ticket.error_id, []).append(ticket)
    return found


def open_by_client(error_ids: Collection[int]) -> dict[int, dict[str, str]]:
    """Per error the statuses of its tickets that are not closed, by client id or ''."""
    found: dict[int, dict[str, str]] = {}
    query = Ticket.select(Ticket.error, Ticket.client_id, Ticket.status)
    still = query.where(among(Ticket.error, error_ids) & (Ticket.status != "closed")).order_by(Ticket.id)
    for error_id, client_id, status in still.tuples():
        found.setdefault(error_id, {})[client_id or ""] = status
    return found


def open_priorities(error_ids: Collection[int]) -> dict[int, set[str]]:
    """Per error the priorities of its tickets that are not closed."""
    query = Ticket.select(Ticket.error, Ticket.priority).distinct()
    found: dict[int, set[str]] = {}
    for error_id, priority in query.where(
        among(Ticket.error, error_ids) & (Ticket.status != "closed")
    ).tuples():
        found.setdefault(error_id, set()).add(priority)
    return found


def watched_since(error_ids: Collection[int]) -> dict[int, tuple[float, float | None]]:
    """Per watched error since when it is quiet, and when its last `reappeared` row was written."""
    query = Watch.select(Watch.error, Watch.quiet_since, Watch.reappeared_at)
    found = query.where(among(Watch.error, error_ids)).tuples()
    return {error_id: (quiet_since, notified_at) for error_id, quiet_since, notified_at in found}


def watches(error_ids: Collection[int]) -> dict[int, Watch]:
    """Per error its watch."""
    return {watch.error_id: watch for watch in Watch.select().where(among(Watch.error, error_ids))}


def watched_errors() -> list[ErrorLog]:
    """The errors with an open ticket, in id order."""
    return list(ErrorLog.select().where(ErrorLog.id.in_(_errors_with_open_tickets())).order_by(ErrorLog.id))


def _errors_with_open_tickets() -> Any:
    return Ticket.select(Ticket.error).where((Ticket.status != "closed") & Ticket.error.is_null(False))


def add_ticket(**columns: object) -> Ticket:
    """A new ticket."""
    ticket: Ticket = Ticket.create(**columns)
    return ticket


def save_ticket(ticket: Ticket) -> None:
    """Writes what was changed of a ticket."""
    ticket.save()


def set_status(ticket: Ticket, status: str) -> None:
    """Sets a ticket's status, and nothing else."""
    ticket.status = status
    ticket.save(only=[Ticket.status])


def record(
    ticket: Ticket, action: str, now: float, details: Facts | None = None, by: str = "system", text: str = ""
) -> None:
    """Writes a history row of facts, worded by `ticket_wording`; `text` is what somebody wrote, as it is."""
    History.create(
        ticket=ticket,
        action=action,
        description=text or described(action, details or {}),
        details=details or {},
        created_by=by,
        created_at=now,
    )


def add_message(ticket: Ticket, sender: str, author: str, text: str, now: float) -> Message:
    """A new message on a ticket."""
    message: Message = Message.create(ticket=ticket, sender=sender, author=author, text=text, created_at=now)
    return message


def record_mails(action: str, sent: Iterable[tuple[int, Facts]], now: float) -> None:
    """Writes history rows of (ticket id, facts); tickets that are gone are passed over."""
    sent = list(sent)
    known = {row.id for row in Ticket.select(Ticket.id).where(Ticket.id << [one for one, _ in sent])}
    rows = [
        {
            "ticket": ticket_id,
            "action": action,
            "description": described(action, details),
            "details": details,
            "created_at": now,
        }
        for ticket_id, details in sent
        if ticket_id in known
    ]
    if rows:
        History.insert_many(rows).execute()


def recorded_since(ticket: Ticket, action: str, since: float) -> bool:
    """Whether the ticket has such a history row since then."""
    return bool(
        History.select()
        .where((History.ticket == ticket) & (History.action == action) & (History.created_at >= since))
        .exists()
    )


class Found(NamedTuple):
    """What a look at a watch found."""

    seen_seconds: float
    waits: Facts
    """What the closing waits for."""
    beside: Facts
    """`Watch.found`."""


def restart_watch(error: ErrorLog, quiet_since: float) -> None:
    """Begins the error's watch, or restarts it when `quiet_since` is later."""
    watch = Watch.get_or_none(Watch.error == error)
    if watch is None:
        Watch.create(error=error, quiet_since=quiet_since)
    elif quiet_since > watch.quiet_since:
        watch.quiet_since = quiet_since
        watch.seen_seconds = 0.0
        watch.inconclusive_at = watch.ready_at = None
        watch.found = {}
        watch.save()
    else:
        return
    runs.begin_silence_of(error.id)


def end_watch(error: ErrorLog) -> None:
    """The error is not watched any more."""
    Watch.delete().where(Watch.error == error).execute()


def note_reappeared(error: ErrorLog, at: float | None) -> None:
    """Notes when the error last came back with a history row; None: not since its correction."""
    Watch.update(reappeared_at=at).where(Watch.error == error).execute()


def note_check(watch: Watch, found: Found, now: float) -> None:
    """Notes what the newest look at a watch found."""
    watch.checked_at, watch.seen_seconds, watch.found = now, found.seen_seconds, found.beside
    watch.waiting, watch.waiting_for = found.waits, waiting(found.waits)
    watch.save()


def note_ready(watch: Watch, now: float) -> None:
    """Notes that the evidence is complete and a person is asked to close."""
    watch.ready_at = now
    watch.save()


def note_inconclusive(watch: Watch, now: float) -> None:
    """Notes that nothing can be told of a watch's error."""
    watch.inconclusive_at = now
    watch.save()


def restart_watches(store: Store, quiet_since: Mapping[int, float]) -> None:
    """Restarts these errors' watches where the moment is later than the watch's own."""
    runs.begin_silence(store, quiet_since)
    store.run_many(
        "UPDATE watches SET quiet_since = ?, seen_seconds = 0, inconclusive_at = NULL, ready_at = NULL, "
        "found = '{}' WHERE error_id = ? AND quiet_since < ?",
        [(moment(at), error_id, moment(at)) for error_id, at in sorted(quiet_since.items())],
    )


def opened_since(since: float) -> dict[str, int]:
    """Automatic tickets opened in the two hours from then on, by place (coarse signature).

    Those of a time that has not come yet (the clock was set back) do not count.
    """
    query = (
        Ticket.select(ErrorLog.coarse, fn.COUNT(Ticket.id))
        .join(ErrorLog)
        .where(
            (Ticket.created_at >= since)
            & (Ticket.created_at <= since + 7200)
            & (Ticket.source == "auto_detection")
        )
    )
    return dict(query.group_by(ErrorLog.coarse).tuples())


def corrections(error_id: int) -> list[Correction]:
    """An error's corrections, oldest first."""
    return list(Correction.select().where(Correction.error == error_id).order_by(Correction.id))


def newest_corrections(error_ids: Collection[int]) -> dict[int, Correction]:
    """Per error its newest correction."""
    query = Correction.select().where(among(Correction.error, error_ids)).order_by(Correction.id)
    return {correction.error_id: correction for correction in query}


def last_tests(error_ids: Collection[int] | None) -> dict[int, str]:
    """Per error (of some, or of all) the test status of its newest correction."""
    query = Correction.select(Correction.error, Correction.test_status).order_by(Correction.id)
    if error_ids is not None:
        query = query.where(among(Correction.error, error_ids))
    return dict(query.tuples())


def note_checks(store: Store, checks: Collection[tuple[int, float, Found]], now: float) -> None:
    """Notes what was found (error, quiet since, found) of watches that were not restarted meanwhile."""
    store.run_many(
        "UPDATE watches SET checked_at = ?, seen_seconds = ?, waiting_for = ?, waiting = ?, found = ? "
        "WHERE error_id = ? AND quiet_since = ?",
        [
            (
                moment(now), found.seen_seconds, waiting(found.waits), json.dumps(found.waits),
                json.dumps(found.beside), error_id, moment(since),
            )
            for error_id, since, found in checks
        ],
    )  # fmt: skip


def client(client_id: str) -> Client | None:
    """A client that is known."""
    return Client.get_or_none(Client.id == client_id)


def remember_client(
    client_id: str,
    name: str = "",
    email: str | None = None,
    language: str | None = None,
    timezone: str | None = None,
) -> Client:
    """Adds a client, or completes one: what is given wins over what was there. Its folder stays."""
    known = Client.get_or_none(Client.id == client_id)
    if known is None:
        folder = secrets.token_urlsafe(24)
        return Client.create(
            id=client_id, name=name, email=email, language=language, timezone=timezone, folder=folder
        )
    given = {"name": name, "email": email, "language": language, "timezone": timezone}
    for column, value in given.items():
        if value:
            setattr(known, column, value)
    known.save()
    return known


def fact(key: str) -> str | None:
    """A single value about the whole."""
    row = KeyValue.get_or_none(KeyValue.key == key)
    return None if row is None else str(row.value)


def keep_fact(key: str, value: str) -> None:
    """Sets a single value about the whole, unless it is set."""
    KeyValue.insert(key=key, value=value).on_conflict_ignore().execute()


def remember_fact(key: str, value: str) -> None:
    """Sets a single value about the whole."""
    KeyValue.insert(key=key, value=value).on_conflict(
        conflict_target=[KeyValue.key], update={KeyValue.value: value}
    ).execute()
