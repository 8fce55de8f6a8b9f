"""What becomes of the moments in the database when the clock is set back. Inside the caller's transaction.

Moments written before the step lie in the future afterwards. Left there, a watch would be frozen until the
clock reaches them, a second pass over the same hours would count as seen twice, and a mail would wait for
years. They are cut at the present: what was seen in the repeated hours is forgotten, never counted twice.
"""

from __future__ import annotations

from tocsin.daemon.log import log
from tocsin.daemon.store import folding
from tocsin.daemon.store.deployments import Deployment
from tocsin.daemon.store.models import (
    AliveInterval,
    Correction,
    ErrorLog,
    Loss,
    Mail,
    Run,
    Session,
    Ticket,
    Watch,
)
from tocsin.daemon.store.reminder_models import Reminder
from tocsin.daemon.store.source_models import ErrorSource, UnheardInterval


def cut(now: float) -> None:
    """Cuts at `now` (epoch seconds, after the step) every moment that decides something."""
    log.warning("clock_set_back", now=now)
    for table, end in (
        (AliveInterval, AliveInterval.ended_at),
        (UnheardInterval, UnheardInterval.ended_at),
        (Run, Run.alive_until),
    ):
        table.delete().where(table.started_at > now).execute()
        table.update({end: now}).where(end > now).execute()
    folding.cut(now)
    for column in (
        Session.started_at, Session.last_heard, Session.ended_at, Session.caught_up_at,
        Session.emptied_at, ErrorSource.last_at, Loss.last_at, Deployment.at, Correction.applied_at,
        Watch.quiet_since,
        ErrorLog.resolved_at, ErrorLog.sampled_at, Mail.due_at, Mail.tried_at, Mail.trying_since, Reminder.said_at,
    ):  # fmt: skip
        column.model.update({column: now}).where(column > now).execute()
    Watch.update(reappeared_at=None).where(Watch.reappeared_at > now).execute()
    Mail.update(leased_until=None).where(Mail.leased_until > now).execute()
    _closings(now)
    _recent(now)


def _closings(now: float) -> None:
    """A closed ticket's silence begins now at the latest: what comes next is a reappearance."""
    for ticket in Ticket.select().where((Ticket.status == "closed") & (Ticket.closed_at > now)):
        watch = {**ticket.metadata.get("watch", {}), "quiet_since": now}
        ticket.metadata = {**ticket.metadata, "watch": watch}
        ticket.save(only=[Ticket.metadata])


def _recent(now: float) -> None:
    """Occurrences after the present count no longer towards a threshold: new ones would be lost behind."""
    for error in ErrorLog.select().where(ErrorLog.last_seen > now):
        error.recent = [[at, client] for at, client in error.recent if at <= now]
        error.save(only=[ErrorLog.recent])
