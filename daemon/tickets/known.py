"""What is known of a service, the same for all its watches: its processes, where they were seen alive, what was lost.

Reads only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from msgspec import Struct

from tocsin.daemon.config import Config
from tocsin.daemon.store import sessions
from tocsin.daemon.store.intervals import Interval, Timeline
from tocsin.daemon.store.models import Session
from tocsin.daemon.store.sessions import SeenHour
from tocsin.daemon.tickets import chance, evidence, run_reports
from tocsin.daemon.tickets.ended_runs import Ended, EndedRuns
from tocsin.daemon.tickets.evidence import Process, Rule
from tocsin.daemon.tickets.kinds import Kind, KindFacts, Run, masked
from tocsin.daemon.tickets.run_reports import RunReports
from tocsin.daemon.tickets.seen_alive import Alive, SeenAlive

HOUR = 3600.0
FOLDED = "folded "
"""What stands for the sessions that are folded, before their release."""


class Processes(Struct, frozen=True):
    """Those of a service that a silence is judged by."""

    holding: Sequence[Process] = ()
    """Those that are expected, and may hold something back in some silence."""
    gone: Sequence[Process] = ()
    """Those that are written off, and may have."""
    ended: EndedRuns = EndedRuns()
    """Of a batch service: the runs that ended in order."""


class Known(Struct, frozen=True):
    """What is known of a service; it reaches back to before the oldest of its watches."""

    rule: Rule
    now: float
    up: Timeline
    """Where a daemon was up."""
    processes: Processes
    kinds: Sequence[KindFacts]
    alive: SeenAlive
    lost_at: float | None
    reports: RunReports


def rule_for(config: Config, service: str) -> Rule:
    """The settings that hold for a service's watches."""
    watch = config.watch
    return Rule(
        duration=watch.duration,
        min_seen=watch.min_seen,
        max_chance=watch.max_chance,
        unseen_after=config.unseen_after(service),
        by_clock=watch.evidence == "clock",
        batch=config.service_named(service).kind == "batch",
        min_runs=watch.min_runs,
        longest=watch.longest,
    )


def known(config: Config, service: str, environment: str, since: float, now: float) -> Known:
    """All that is known at `now` of a service whose oldest silence began at `since`."""
    rule, up = rule_for(config, service), Timeline(sessions.runs(since, now))
    hours = sessions.hours(service, environment, since - chance.LOOK_BACK)
    alive: dict[Kind, list[Alive]] = {}
    for kind, found in sessions.alive(service, environment, since - chance.LOOK_BACK).items():
        alive.setdefault(Kind(*kind), []).extend(found)
    for hour in hours:
        alive.setdefault(Kind(hour.program, hour.role), []).extend(_seen_in(hour))
    releases = sessions.releases(service, environment, since)
    releases |= {FOLDED + hour.release: hour.release for hour in hours if hour.release}
    return Known(
        rule=rule,
        now=now,
        up=up,
        processes=processes(rule, service, environment, since, up),
        kinds=_kinds(sessions.kinds(service, environment), hours),
        alive=SeenAlive(alive, sessions.unheard(service, environment, since), releases, up),
        lost_at=sessions.last_loss(service, environment),
        reports=run_reports.gathered(service, environment, since),
    )


def processes(rule: Rule, service: str, environment: str, since: float, up: Sequence[Interval]) -> Processes:
    """Those that a silence since then or later is judged by: only of a batch service do runs that ended count."""
    holding: list[Process] = []
    gone: list[Process] = []
    ended: list[Ended] = []
    heard = sessions.heard_since(service, environment, since - rule.unseen_after, settled=rule.batch)
    for process in map(_process, heard):
        if evidence.held_back([process], up, -math.inf) is not None:
            written_off = evidence.is_written_off(process, up, rule.unseen_after)
            (gone if written_off else holding).append(process)
        if rule.batch and process.ended_at is not None and not process.backlog:
            run = Run(*process.kind, masked(process.arguments))
            ended.append(Ended(run, process.started_at, process.release))
    if rule.batch:
        for hour in sessions.hours(service, environment, since):
            ended += _ended_in(hour)
    return Processes(holding, gone, EndedRuns(ended))


def _process(session: Session) -> Process:
    return Process(
        session.pid,
        session.host,
        session.started_at,
        session.last_heard,
        session.interval,
        session.backlog,
        session.ended_at,
        session.gone_at is not None,
        session.emptied_at is not None,
        Kind(session.program, session.role),
        session.arguments,
        session.release or "",
    )


def _seen_in(hour: SeenHour) -> list[Alive]:
    began = hour.hour * HOUR
    return [(FOLDED + hour.release, began + start, began + end) for start, end in hour.pieces]


def _ended_in(hour: SeenHour) -> list[Ended]:
    """Of several, only of the last is known when in the hour it began."""
    run = Run(hour.program, hour.role, hour.arguments)
    if hour.began_at is None:
        return []
    moments = [hour.hour * HOUR] * (hour.ended - 1) + [hour.began_at]
    return [Ended(run, at, hour.release) for at in moments]


def _kinds(
    living: Sequence[tuple[str, str, float, float, bool]], hours: Sequence[SeenHour]
) -> list[KindFacts]:
    """The kinds of the sessions that are not folded, and of those that are, as far back as the hours go."""
    facts = {
        Kind(program, role): KindFacts(Kind(program, role), first, last, written_off)
        for program, role, first, last, written_off in living
    }
    for kind, (first, last) in _bounds(hours).items():
        one = facts.get(kind, KindFacts(kind, first, last))
        facts[kind] = one._replace(
            first_heard=min(first, one.first_heard), last_heard=max(last, one.last_heard)
        )
    return list(facts.values())


def _bounds(hours: Sequence[SeenHour]) -> Mapping[Kind, tuple[float, float]]:
    """Per kind from when until when it was seen alive."""
    found: dict[Kind, tuple[float, float]] = {}
    for hour in hours:
        if not hour.pieces:
            continue
        began = hour.hour * HOUR
        first, last = began + hour.pieces[0][0], began + hour.pieces[-1][1]
        before = found.get(Kind(hour.program, hour.role), (first, last))
        found[Kind(hour.program, hour.role)] = min(first, before[0]), max(last, before[1])
    return found
