"""The mails that were written, whatever became of them: read-only queries into small frozen values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct
from peewee import JOIN

from tocsin.daemon.queries.moment import Moment, moment
from tocsin.daemon.queries.rows import dicts
from tocsin.daemon.queries.selection import EVERYTHING, Selection, narrowed
from tocsin.daemon.reason import Reason
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import ErrorLog, Mail, Ticket


class OutboxMail(Struct, frozen=True):
    """One mail, whether it has been sent or not; its JSON is the documented shape."""

    id: int
    state: str
    kind: str
    ticket_id: int | None
    audience: str
    recipient: str
    language: str
    title: str | None
    message_id: str
    created_at: Moment
    due_at: Moment
    sent_at: Moment | None
    attempts: int
    last_error: Reason
    channel: str | None = None


def outbox(
    store: Store,
    states: Sequence[str] = (),
    selection: Selection = EVERYTHING,
    *,
    mail_ids: Iterable[int] | None = None,
) -> list[OutboxMail]:
    """Mails, newest first, of these states or of any; all, or some of them."""
    query = _chosen(Mail.select(), states, selection).order_by(Mail.id.desc()).limit(selection.limit)
    if mail_ids is not None:
        query = query.where(Mail.id.in_(list(mail_ids)))
    if selection.after is not None:
        query = query.where(Mail.id < selection.after[1])
    with store.reading():
        return [_mail(row) for row in dicts(query)]


def mails_by_id(store: Store, mail_ids: Sequence[int]) -> dict[int, OutboxMail]:
    """Some mails, by number."""
    with store.reading():
        rows = dicts(Mail.select().where(Mail.id.in_(list(mail_ids))))
        return {row["id"]: _mail(row) for row in rows}


def outbox_count(store: Store, states: Sequence[str], selection: Selection) -> int:
    """How many mails `outbox` would list without a limit."""
    with store.reading():
        return int(_chosen(Mail.select(), states, selection).count())


def _chosen(query: Any, states: Sequence[str], selection: Selection) -> Any:
    query = query.join(Ticket, JOIN.LEFT_OUTER).join(ErrorLog, JOIN.LEFT_OUTER)
    query = narrowed(
        query, selection, service=ErrorLog.service, client=Ticket.client_id, since=Mail.created_at
    )
    return query.where(Mail.state.in_(list(states))) if states else query


def _mail(row: dict[str, Any]) -> OutboxMail:
    facts = row["facts"]
    return OutboxMail(
        id=row["id"],
        state=row["state"],
        kind=row["kind"],
        ticket_id=facts.get("ticket_id"),
        audience=row["audience"],
        recipient=row["recipient"],
        language=row["language"],
        title=facts.get("title"),
        message_id=row["message_id"],
        created_at=moment(row["created_at"]),
        due_at=moment(row["due_at"]),
        sent_at=moment(row["sent_at"]),
        attempts=row["attempts"],
        last_error=Reason.read(row["last_error"], row["error_parts"]),
        channel=row["channel"],
    )
