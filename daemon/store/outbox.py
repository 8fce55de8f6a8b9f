"""Every query on the outbox: mails that must be sent, written in the transaction that makes them true.

It holds the messages of channels too: a `channel` of None means the mails, a name one `[[channel]]`.
Knows no rule of when to mail and no wording. All but `queue` run in a transaction of
the caller's too: the courier's or a command's.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from peewee import fn

from tocsin.daemon.reason import NONE, Reason
from tocsin.daemon.store.models import Mail, Ticket

HOUR = 3600.0
FIRST_RETRY = 60.0
LAST_RETRY = 6 * HOUR
GIVE_UP_AFTER = 3 * 86400.0
LEASE = 300.0
"""Seconds one courier has for one mail; longer than the slowest exchange the connection permits."""

_COURIERS_LOCK = 0x70C51

Audience = Literal["client", "admin"]


def queue(
    kind: str,
    *,
    audience: Audience,
    recipient: str,
    language: str,
    ticket_id: int | None,
    facts: dict[str, Any],
    now: float,
    held: bool = False,
    channel: str | None = None,
    gather: float = 0.0,
) -> None:
    """Writes down that a mail must be sent; call it inside the transaction that makes it true.

    `kind` is a key of `mail.KINDS`; `held` mails wait for the admin's release. The recipient of a channel's
    message is the channel's name. With `gather` it waits until that many seconds after the recipient's first mail
    of this kind, for what else comes until then; a held one waits for its release alone.
    """
    first = _leading(kind, recipient, now - gather) if gather and not held else None
    until = None if first is None else first + gather
    Mail.create(
        kind=kind,
        audience=audience,
        recipient=recipient,
        language=language,
        ticket=ticket_id,
        facts=facts,
        message_id=message_id(),
        state="held" if held else "waiting",
        channel=channel,
        created_at=now,
        due_at=now if until is None else until,
        gathered_until=until,
    )


def _leading(kind: str, recipient: str, since: float) -> float | None:
    """When the recipient's last mail of that kind that waited for no other was written, if after `since`."""
    leading = Mail.select(fn.MAX(Mail.created_at)).where(
        Mail.recipient == recipient,
        Mail.kind == kind,
        Mail.created_at > since,
        Mail.gathered_until.is_null(),
    )
    written: float | None = leading.scalar()
    return written


def message_id() -> str:
    """The local part of a Message-ID; the sender's domain follows when the mail is composed."""
    return f"tocsin.{uuid.uuid4().hex}"


def lease(now: float, per_hour: int, *, postgres: bool, channel: str | None = None) -> list[Mail]:
    """Leases what goes into the next mail: one row, or all of one recipient's that must become a digest.

    The hour has room for `per_hour` mails, to one recipient and in all; when more waits than it has room
    for, a recipient's new mails become one. The recipient who got the fewest comes first, so that one
    recipient's storm does not keep the others waiting. Empty when nothing may be sent now. The caller
    closes the transaction at once.
    """
    if postgres:
        Mail.select(fn.pg_advisory_xact_lock(_COURIERS_LOCK)).limit(1).execute()
    sent = _sent_in_last_hour(now, channel)
    waiting = _due_by_recipient(now, channel)
    room = per_hour - sum(sent.values())
    if room <= 0:
        return []
    tight = sum(count for count, _ in waiting.values()) > room
    for recipient in sorted(waiting, key=lambda who: (sent.get(who, 0), waiting[who][1])):
        rows = _lock(
            _due(now, channel).where(Mail.recipient == recipient).order_by(Mail.due_at, Mail.id), postgres
        )
        fresh = [row for row in rows if row.tried_at is None]
        together = fresh if tight else [row for row in fresh if row.gathered_until is not None]
        chosen = together if len(together) > 1 else list(rows[:1])
        if chosen:
            leased = Mail.update(leased_until=now + LEASE, tried_at=now)
            leased.where(Mail.id << [row.id for row in chosen[:1]]).execute()
            return chosen
    return []


def fold(rows: Sequence[Mail], items: list[dict[str, Any]], total: int, now: float) -> Mail:
    """Makes one leased `digest` of the rows, which become `digested`."""
    ids = [row.id for row in rows]
    for start in range(0, len(ids), 500):
        folded = Mail.update(state="digested", leased_until=None, tried_at=None)
        folded.where(Mail.id << ids[start : start + 500]).execute()
    return Mail.create(
        kind="digest",
        audience="admin" if any(row.audience == "admin" for row in rows) else "client",
        recipient=rows[-1].recipient,
        language=rows[-1].language,
        channel=rows[-1].channel,
        facts={"mails": items, "total": total, "timezone": rows[-1].facts.get("timezone")},
        message_id=message_id(),
        created_at=now,
        due_at=now,
        leased_until=now + LEASE,
        tried_at=now,
    )


def mark_sent(mail_id: int, now: float) -> None:
    """The server took it."""
    Mail.update(
        state="sent",
        sent_at=now,
        tried_at=now,
        leased_until=None,
        attempts=Mail.attempts + 1,
        last_error="",
        error_parts=None,
    ).where(Mail.id == mail_id).execute()


def mark_retry(mail_id: int, reason: Reason, permanent: bool, now: float, *, uncertain: bool = False) -> bool:
    """The mail was not taken, or nobody knows (`uncertain`): tried again a minute to six hours later.

    It is `failed` when `permanent`, or three days after it was first tried; returns whether it is.
    """
    row = Mail.get_by_id(mail_id)
    since = row.trying_since if row.trying_since is not None else now
    given_up = permanent or now - since >= GIVE_UP_AFTER
    changed = Mail.update(
        state="failed" if given_up else "waiting",
        attempts=Mail.attempts + 1,
        trying_since=since,
        tried_at=now if uncertain else None,
        leased_until=None,
        due_at=now + retry_delay(row.attempts + 1),
        last_error=reason,
        error_parts=reason.stored,
    ).where(Mail.id == mail_id, Mail.state == "waiting")
    return bool(changed.execute()) and given_up


def retry_delay(attempts: int) -> float:
    """Seconds to wait after so many failed attempts: 1, 2, 4, ... minutes, at most six hours."""
    return min(LAST_RETRY, FIRST_RETRY * 2.0 ** min(attempts - 1, 30))


def unlease(channel: str | None = None) -> int:
    """Frees what a killed courier had leased. Only where no other courier can be at work (SQLite)."""
    leased = Mail.leased_until.is_null(False) & _of(channel)
    return Mail.update(leased_until=None).where(leased).execute()


def thread_root(mail: Mail) -> Mail | None:
    """The first mail of the same ticket to the same recipient, when that is another one."""
    if mail.ticket_id is None:
        return None
    first = (
        Mail.select()
        .where(Mail.ticket == mail.ticket_id, Mail.recipient == mail.recipient, Mail.channel.is_null())
        .order_by(Mail.id)
        .first()
    )
    return first if first is not None and first.id != mail.id else None


def due(now: float, channel: str | None = None) -> int:
    """How many mails could be sent now, the caps aside."""
    return _due(now, channel).count()


def note_not_notified(error_id: int, client: str, now: float) -> None:
    """Names a client without a mail address in the admins' mails queued at `now` about the same error.

    Call it inside the transaction that queued them.
    """
    queued = Mail.select().join(Ticket).where(Ticket.error == error_id, Mail.audience == "admin")
    for row in queued.where(Mail.created_at == now, Mail.state == "waiting"):
        row.facts = {**row.facts, "untold": [*row.facts.get("untold", ()), client]}
        row.save(only=[Mail.facts])


def counts(channel: str | None = None) -> dict[str, int]:
    """How many mails are `waiting`, `sent`, `failed` and `held`."""
    rows: Any = Mail.select(Mail.state, fn.COUNT(Mail.id)).where(_of(channel)).group_by(Mail.state)
    found: dict[str, int] = dict(rows.tuples())
    return {state: found.get(state, 0) for state in ("waiting", "sent", "failed", "held")}


def channels() -> list[str]:
    """The channels that ever had a message, as far as the outbox goes back."""
    rows: Any = Mail.select(Mail.channel).where(Mail.channel.is_null(False)).distinct().order_by(Mail.channel)
    return [name for (name,) in rows.tuples()]


def reasons(channel: str | None = None) -> dict[str, Reason]:
    """Why mails wait (`waiting`) and were given up (`failed`): the newest one's reason; empty for none.

    That of a mail that was given up names the recipient.
    """
    trouble = Mail.select().where(Mail.last_error != "", _of(channel))
    stuck = trouble.where(Mail.state == "waiting").order_by(Mail.trying_since.desc(), Mail.id.desc()).first()
    failed = trouble.where(Mail.state == "failed").order_by(Mail.id.desc()).first()
    why = NONE if failed is None else _reason(failed)
    if failed is not None and channel is None:
        why = Reason("%(recipient)s: %(reason)s", recipient=failed.recipient, reason=why)
    return {"waiting": NONE if stuck is None else _reason(stuck), "failed": why}


def _reason(row: Mail) -> Reason:
    return Reason.read(row.last_error, row.error_parts)


def ids(states: Iterable[str]) -> list[int]:
    """The numbers of all mails in these states."""
    return [row.id for row in Mail.select(Mail.id).where(Mail.state << list(states)).order_by(Mail.id)]


def newest(kind: str, ticket_id: int) -> Mail | None:
    """The ticket's newest mail of that kind."""
    mails = Mail.select().where(Mail.kind == kind, Mail.ticket == ticket_id, Mail.channel.is_null())
    return mails.order_by(Mail.id.desc()).first()


def release(mails: Sequence[int], now: float) -> int:
    """Lets held mails go; returns how many did."""
    return _change(mails, ("held",), state="waiting", due_at=now)


def rewrite(mail_id: int, subject: str, text: str) -> bool:
    """Puts an admin's own words in the place of a held mail's; False when it is not held any more."""
    mail = Mail.get_or_none((Mail.id == mail_id) & (Mail.state == "held"))
    if mail is None:
        return False
    facts = {**mail.facts, "edited": {"subject": subject, "text": text}}
    return bool(_change([mail_id], ("held",), facts=facts))


def drop(mails: Sequence[int]) -> int:
    """Mails that shall never be sent; returns how many there were."""
    return _change(mails, ("held", "waiting", "failed"), state="dropped")


def retry(mails: Sequence[int], now: float) -> int:
    """Given-up or waiting mails are tried at once, for another three days; returns how many."""
    return _change(mails, ("failed", "waiting"), state="waiting", due_at=now, trying_since=None, attempts=0)


def drop_before(moment: float) -> int:
    """Deletes mails made before then that are done with, however that ended; returns how many."""
    done = Mail.state << ["sent", "failed", "dropped", "digested"]
    return int(Mail.delete().where(done, Mail.created_at < moment).execute())


def _change(mails: Sequence[int], states: Sequence[str], **values: Any) -> int:
    update = Mail.update(**values).where(Mail.id << list(mails), Mail.state << list(states))
    return update.execute()


def _of(channel: str | None) -> Any:
    return Mail.channel.is_null() if channel is None else Mail.channel == channel


def _due(now: float, channel: str | None) -> Any:
    free = Mail.leased_until.is_null() | (Mail.leased_until <= now)
    return Mail.select().where(Mail.state == "waiting", Mail.due_at <= now, free, _of(channel))


def _due_by_recipient(now: float, channel: str | None) -> dict[str, tuple[int, int]]:
    """recipient -> (how many wait, the first one's id)."""
    rows = (
        _due(now, channel).select(Mail.recipient, fn.COUNT(Mail.id), fn.MIN(Mail.id)).group_by(Mail.recipient)
    )
    return {recipient: (count, first) for recipient, count, first in rows.tuples()}


def _sent_in_last_hour(now: float, channel: str | None) -> dict[str, int]:
    tried = (Mail.tried_at > now - HOUR) & _of(channel)
    rows: Any = Mail.select(Mail.recipient, fn.COUNT(Mail.id)).where(tried)
    return dict(rows.group_by(Mail.recipient).tuples())


def _lock(query: Any, postgres: bool) -> list[Mail]:
    return list(query.for_update("FOR UPDATE SKIP LOCKED") if postgres else query)
