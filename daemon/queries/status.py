"""Is everything well? One look at the daemon, the applications, the mails and the losses."""

from __future__ import annotations

from gettext import NullTranslations
from importlib import import_module
from typing import Any

import msgspec
from msgspec import Struct, field
from peewee import fn

from tocsin.daemon.config import Config
from tocsin.daemon.queries.moment import Moment, moment
from tocsin.daemon.queries.rows import dicts, first, pairs, scalar
from tocsin.daemon.reason import NONE, Reason
from tocsin.daemon.store import outbox
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import ErrorLog, KeyValue, Loss, Quarantined, Run, Session
from tocsin.daemon.store.sessions import DROPPED

DAEMON_GRACE = 30.0
"""Seconds after a daemon's last heartbeat in which it counts as alive."""

_ENGLISH = NullTranslations()

INTERVALS_ALIVE = 3
"""A session is alive until this many of its announced intervals passed without a word (design: evidence)."""

CLOCK_APART = 60.0
"""Seconds two machines' clocks may differ; windows and watches come out right beyond it too."""

SESSIONS_SHOWN = 7 * 86400.0
"""A session that ended longer ago than these seconds is not listed unless it holds a backlog."""


def _(text: str) -> str:
    """Marks a text for the catalogue; it is translated where it is shown."""
    return text


LOST = {
    "spool_full": _("an application's spool was full"),
    "unwritable": _("an application's disk could not be written"),
    "damaged": _("a spool file was damaged"),
    "undefined": _("a spool file's beginning was missing"),
    "failed": _("the handler could not record it"),
    "not_held_any_more": _("no longer held by the applications after a backup was restored"),
}
"""Why events were lost: the handler's and the digest's reasons, for people."""


class SessionFacts(Struct, frozen=True):
    """One process of a service. `backlog` in bytes not yet delivered, `interval` in seconds.

    `clock_offset`: seconds added to its clock to get the daemon's; 0 below a second, and on the same machine.
    """

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
    clock_offset: float
    backlog: int
    events: int
    live: bool
    alive: bool
    gone_at: Moment | None = None
    """When somebody wrote it off."""


class Outbox(Struct, frozen=True):
    """Mails by state, and the newest reason of those that wait and of those that failed ('' for none)."""

    waiting: int
    sent: int
    failed: int
    held: int
    # By a factory, because a schema is drawn of these, and it can show no default but plain data.
    why_waiting: Reason = field(default_factory=lambda: NONE)
    why_failed: Reason = field(default_factory=lambda: NONE)


class ChannelFacts(Struct, frozen=True):
    """A channel's messages, like `Outbox`. `configured`: it stands in the configuration."""

    name: str
    configured: bool
    waiting: int
    sent: int
    failed: int
    why_waiting: Reason = field(default_factory=lambda: NONE)
    why_failed: Reason = field(default_factory=lambda: NONE)


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
    dropped: int
    """Messages on the sockets that were no handler's."""
    backlog: int
    outbox: Outbox
    last_check: Moment | None
    problems: list[str]
    channels: list[ChannelFacts] = []


def status(store: Store, config: Config, now: float) -> StatusFacts:
    """How things stand at `now` (epoch seconds)."""
    with store.reading():
        run = first(Run.select().order_by(Run.alive_until.desc(), Run.id.desc()))
        check = KeyValue.get_or_none(KeyValue.key == "last_check")
        dropped = KeyValue.get_or_none(KeyValue.key == DROPPED)
        counted = scalar(ErrorLog.select(fn.SUM(ErrorLog.occurrences)).where(ErrorLog.merged_into.is_null()))
        lost = pairs(Loss.select(Loss.reason, fn.SUM(Loss.count)).group_by(Loss.reason).order_by(Loss.reason))
        why = outbox.reasons()
        facts = StatusFacts(
            alive=bool(run and not run["stopped"] and now - run["alive_until"] <= DAEMON_GRACE),
            database="postgresql" if store.postgres else "sqlite",
            daemon=_daemon(run) if run else None,
            sessions=_sessions(now),
            events_counted=int(counted or 0),
            lost={reason: int(count) for reason, count in lost.items()},
            quarantined=Quarantined.select().count(),
            dropped=int(dropped.value) if dropped else 0,
            backlog=int(scalar(Session.select(fn.SUM(Session.backlog))) or 0),
            outbox=Outbox(**outbox.counts(), why_waiting=why["waiting"], why_failed=why["failed"]),
            last_check=_epoch(check.value) if check else None,
            problems=[],
            channels=_channels(config),
        )
    return msgspec.structs.replace(facts, problems=problems(facts, config, now))


def _channels(config: Config) -> list[ChannelFacts]:
    """Those of the configuration, and others for which something still waits."""
    named = {channel.name for channel in config.channel}
    found = []
    for name in sorted(named.union(outbox.channels())):
        counts, why = outbox.counts(name), outbox.reasons(name)
        if name in named or counts["waiting"]:
            found.append(
                ChannelFacts(
                    name=name,
                    configured=name in named,
                    waiting=counts["waiting"],
                    sent=counts["sent"],
                    failed=counts["failed"],
                    why_waiting=why["waiting"],
                    why_failed=why["failed"],
                )
            )
    return found


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
            clock_offset=round(row["clock_offset"], 1),
            backlog=row["backlog"],
            events=row["events"],
            live=bool(row["live"]),
            gone_at=moment(row["gone_at"]),
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


def problems(facts: StatusFacts, config: Config, now: float, words: NullTranslations = _ENGLISH) -> list[str]:
    """Each thing that needs a person, in one sentence with its remedy, in the language of `words`."""
    _, ngettext, code = words.gettext, words.ngettext, _code(words)
    found = []
    if not facts.alive:
        found.append(_("The daemon is not running: start it with tocsin daemon, or systemctl start tocsin."))
    count = facts.outbox.waiting
    if config.smtp is None and count:
        text = ngettext(
            "%(num)s mail waits and no mail server is set: set SMTP_HOST in the environment or .env.",
            "%(num)s mails wait and no mail server is set: set SMTP_HOST in the environment or .env.",
            count,
        )
        found.append(text % {"num": count})
    elif count and facts.outbox.why_waiting:
        text = ngettext("%(num)s mail waits: %(reason)s", "%(num)s mails wait: %(reason)s", count)
        found.append(text % {"num": count, "reason": facts.outbox.why_waiting.said(code)})
    count = facts.outbox.failed
    if count:
        text = ngettext(
            "%(num)s mail could not be delivered (tocsin mail outbox), to %(reason)s",
            "%(num)s mails could not be delivered (tocsin mail outbox), the newest to %(reason)s",
            count,
        )
        found.append(text % {"num": count, "reason": facts.outbox.why_failed.said(code)})
    for channel in facts.channels:
        found += _channel_problems(channel, words)
    if config.mail.templates:
        # What renders mails is loaded for that alone.
        check = import_module("tocsin.daemon.outgoing.mailcheck").check_templates
        found += check(config.mail.templates)
    count = facts.outbox.held
    if count:
        text = ngettext(
            "%(num)s client mail waits for your release.",
            "%(num)s client mails wait for your release.",
            count,
        )
        found.append(text % {"num": count})
    return found + _losses(facts, config, now, words)


def _channel_problems(channel: ChannelFacts, words: NullTranslations) -> list[str]:
    ngettext, code = words.ngettext, _code(words)
    found = []
    if channel.waiting and not channel.configured:
        text = ngettext(
            "%(num)s message waits for channel %(name)s, which the configuration lacks: "
            "add it again, or drop the message with tocsin mail outbox drop.",
            "%(num)s messages wait for channel %(name)s, which the configuration lacks: "
            "add it again, or drop them with tocsin mail outbox drop.",
            channel.waiting,
        )
        found.append(text % {"num": channel.waiting, "name": channel.name})
    elif channel.waiting and channel.why_waiting:
        text = ngettext(
            "%(num)s message for channel %(name)s waits: %(reason)s",
            "%(num)s messages for channel %(name)s wait: %(reason)s",
            channel.waiting,
        )
        found.append(
            text % {"num": channel.waiting, "name": channel.name, "reason": channel.why_waiting.said(code)}
        )
    if channel.failed:
        text = ngettext(
            "%(num)s message for channel %(name)s could not be delivered (tocsin mail outbox): %(reason)s",
            "%(num)s messages for channel %(name)s could not be delivered (tocsin mail outbox), "
            "the newest: %(reason)s",
            channel.failed,
        )
        found.append(
            text % {"num": channel.failed, "name": channel.name, "reason": channel.why_failed.said(code)}
        )
    return found


def _code(words: NullTranslations) -> str:
    """The language of a catalogue, which its header names."""
    return words.info().get("language", "en")


def _losses(facts: StatusFacts, config: Config, now: float, words: NullTranslations) -> list[str]:
    """What was lost, could not be read, or has not arrived."""
    _, ngettext = words.gettext, words.ngettext
    found = []
    for reason, count in facts.lost.items():
        text = ngettext("%(num)s event was lost: %(reason)s.", "%(num)s events were lost: %(reason)s.", count)
        why = _(LOST[reason]) if reason in LOST else reason
        found.append(text % {"num": count, "reason": why})
    count = facts.quarantined
    if count:
        text = ngettext(
            "%(num)s record could not be read; it is kept.",
            "%(num)s records could not be read; they are kept.",
            count,
        )
        found.append(text % {"num": count})
    if facts.alive and facts.last_check is not None and now - facts.last_check > 2 * config.watch.every:
        found.append(_("The hourly check is overdue: run tocsin check and look at the daemon's log."))
    apart = {one.host: -one.clock_offset for one in facts.sessions if one.alive and _is_apart(one)}
    for host, offset in sorted(apart.items()):
        text = _("The clock of %(host)s is %(seconds)s s off: set it there, with timedatectl set-ntp true.")
        found.append(text % {"host": host, "seconds": f"{offset:+.0f}"})
    silent = sorted(
        {one.service for one in facts.sessions if one.backlog and not one.alive and one.gone_at is None}
    )
    if silent:
        text = _("Processes of %(services)s left undelivered errors: run tocsin ship on their machine.")
        found.append(text % {"services": ", ".join(silent)})
    return found


def _is_apart(one: SessionFacts) -> bool:
    return abs(one.clock_offset) > CLOCK_APART
