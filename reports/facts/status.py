"""Is everything well? One look at the daemon, the applications, the mails and the losses."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from peewee import fn

from tocsin.daemon.config import Config
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import ErrorLog, Fact, Loss, Mail, Quarantined, Run, Session
from tocsin.reports.facts.moment import Moment, moment
from tocsin.reports.facts.rows import dicts, first, pairs, scalar

DAEMON_GRACE = 30.0
"""Seconds after a daemon's last sign of life in which it counts as alive."""

INTERVALS_ALIVE = 3
"""A session is alive until this many of its announced intervals passed without a word (design: evidence)."""

SESSIONS_SHOWN = 7 * 86400.0
"""A session that ended longer ago than these seconds is not listed unless it holds a backlog."""


class SessionFacts(Struct, frozen=True):
    """One process of a service. `backlog` in bytes not yet delivered, `interval` in seconds."""

    id: str
    service: str
    environment: str
    release: str | None
    host: str
    pid: int
    python: str
    started_at: Moment
    last_heard: Moment
    ended_at: Moment | None
    interval: float
    backlog: int
    events: int
    live: bool
    alive: bool


class Outbox(Struct, frozen=True):
    """Mails by state."""

    waiting: int
    sent: int
    failed: int
    held: int


class DaemonFacts(Struct, frozen=True):
    """The newest run of a daemon."""

    host: str
    pid: int
    started_at: Moment
    alive_until: Moment


class StatusFacts(Struct, frozen=True):
    """Its JSON is the documented shape. `problems` are sentences for people, empty when all is well."""

    alive: bool
    database: str
    daemon: DaemonFacts | None
    sessions: list[SessionFacts]
    events_counted: int
    lost: dict[str, int]
    quarantined: int
    backlog: int
    outbox: Outbox
    last_check: Moment | None
    problems: list[str]


def status(store: Store, config: Config, now: float) -> StatusFacts:
    """How things stand at `now` (epoch seconds)."""
    with store.reading():
        run = first(Run.select().order_by(Run.alive_until.desc(), Run.id.desc()))
        check = Fact.get_or_none(Fact.key == "last_check")
        counted = scalar(ErrorLog.select(fn.SUM(ErrorLog.occurrences)).where(ErrorLog.merged_into.is_null()))
        lost = pairs(Loss.select(Loss.reason, fn.SUM(Loss.count)).group_by(Loss.reason).order_by(Loss.reason))
        states = pairs(Mail.select(Mail.state, fn.COUNT(Mail.id)).group_by(Mail.state))
        facts = StatusFacts(
            alive=bool(run and not run["stopped"] and now - run["alive_until"] <= DAEMON_GRACE),
            database="postgresql" if store.postgres else "sqlite",
            daemon=_daemon(run) if run else None,
            sessions=_sessions(now),
            events_counted=int(counted or 0),
            lost={reason: int(count) for reason, count in lost.items()},
            quarantined=Quarantined.select().count(),
            backlog=int(scalar(Session.select(fn.SUM(Session.backlog))) or 0),
            outbox=Outbox(*(states.get(state, 0) for state in Outbox.__struct_fields__)),
            last_check=_epoch(check.value) if check else None,
            problems=[],
        )
    return StatusFacts(
        **{name: getattr(facts, name) for name in StatusFacts.__struct_fields__[:-1]},
        problems=_problems(facts, config, now),
    )


def _daemon(run: dict[str, Any]) -> DaemonFacts:
    return DaemonFacts(run["host"], run["pid"], moment(run["started_at"]), moment(run["alive_until"]))


def _sessions(now: float) -> list[SessionFacts]:
    query = (
        Session.select()
        .where((Session.last_heard >= now - SESSIONS_SHOWN) | (Session.backlog > 0))
        .order_by(Session.service, Session.started_at.desc(), Session.id)
    )
    return [
        SessionFacts(
            id=row["id"],
            service=row["service"],
            environment=row["environment"],
            release=row["release"],
            host=row["host"],
            pid=row["pid"],
            python=row["python"],
            started_at=moment(row["started_at"]),
            last_heard=moment(row["last_heard"]),
            ended_at=moment(row["ended_at"]),
            interval=row["interval"],
            backlog=row["backlog"],
            events=row["events"],
            live=bool(row["live"]),
            alive=row["ended_at"] is None
            and bool(row["live"])
            and now - row["last_heard"] <= INTERVALS_ALIVE * row["interval"],
        )
        for row in dicts(query)
    ]


def _epoch(text: str) -> Moment | None:
    try:
        return Moment(text)
    except ValueError:
        return None


def _problems(facts: StatusFacts, config: Config, now: float) -> list[str]:
    """Each in one sentence with its remedy."""
    found = []
    if not facts.alive:
        found.append("The daemon is not running: start it with `tocsin daemon` or `systemctl start tocsin`.")
    waiting = facts.outbox.waiting
    if config.smtp is None and waiting:
        found.append(
            f"{_several(waiting, 'mail waits', 'mails wait')} and no mail server is set: set SMTP_HOST."
        )
    if facts.outbox.failed:
        found.append(f"{_several(facts.outbox.failed, 'mail', 'mails')} failed: see `tocsin mail outbox`.")
    if facts.outbox.held:
        found.append(
            f"{_several(facts.outbox.held, 'client mail waits', 'client mails wait')} for your release."
        )
    for reason, count in facts.lost.items():
        found.append(f"{_several(count, 'event was', 'events were')} lost: {reason}.")
    if facts.quarantined:
        found.append(
            f"{_several(facts.quarantined, 'record', 'records')} could not be read and stand in quarantine."
        )
    if facts.alive and facts.last_check is not None and now - facts.last_check > 2 * config.watch.every:
        found.append("The hourly check is overdue: run `tocsin check` and look at the daemon's log.")
    silent = sorted({one.service for one in facts.sessions if one.backlog and not one.alive})
    if silent:
        found.append(
            f"Processes of {', '.join(silent)} left undelivered errors: run `tocsin ship` on their machine."
        )
    return found


def _several(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
