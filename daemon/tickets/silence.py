"""Gathers what is known of an error's silence: who logged it, who was seen alive and could have told, what was lost.

Reads only; `evidence` judges.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from tocsin.daemon.config import Config
from tocsin.daemon.store import deployments, errors, intervals, sessions, sources
from tocsin.daemon.store import tickets as rows
from tocsin.daemon.store.intervals import Interval
from tocsin.daemon.store.models import ErrorLog, Session
from tocsin.daemon.store.source_models import ErrorSource
from tocsin.daemon.tickets import chance, evidence, kinds, run_reports
from tocsin.daemon.tickets.evidence import NotSeen, Process, Restart, Rule, Silence, WaitingFor
from tocsin.daemon.tickets.kinds import Kind, KindFacts, Run
from tocsin.daemon.tickets.releases import FixedIn, fixed_in
from tocsin.daemon.tickets.run_reports import RunReports, Wanted
from tocsin.daemon.tickets.runs import Runs as JudgedRuns

GATED = "critical"
"""Priority of the tickets that a person closes."""
Alive = tuple[str, float, float]
"""A session's id, and an interval in which it was seen alive."""


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


class Processes(Struct, frozen=True):
    """The processes of a service that a silence is judged by."""

    expected: Sequence[Process]
    """Those that may still be heard."""
    gone: Sequence[Process]
    """Those that are written off."""


class Known(Struct, frozen=True):
    """What is known of a service, the same for all its watches; it reaches back to before the oldest of them."""

    rule: Rule
    now: float
    up: Sequence[Interval]
    processes: Processes
    kinds: Sequence[KindFacts]
    alive: Mapping[Kind, Sequence[Alive]]
    seen: Mapping[Kind, Sequence[Interval]]
    """The same, without telling sessions apart."""
    unheard: Mapping[str, Sequence[tuple[str, float, float]]]
    """Per session (logger, start, end) of what could not be heard."""
    lost_at: float | None
    reports: RunReports
    releases: Mapping[str, str] = {}
    """Per session its release, where the service has releases."""

    def seen_of(
        self, wanted: Collection[Kind] | None, loggers: Collection[str], without: Collection[str] = ()
    ) -> list[Interval]:
        """Where any process of these kinds (None: of all) was seen alive and those loggers could be heard.

        `without`: processes of these releases say nothing.
        """
        every = self.alive if wanted is None else [kind for kind in self.alive if kind in wanted]
        deaf = {
            session: [(start, end) for logger, start, end in found if logger in loggers]
            for session, found in self.unheard.items()
        }
        deaf = {session: found for session, found in deaf.items() if found}
        old = {session for session, release in self.releases.items() if release in without}
        deaf |= {session: [(-math.inf, math.inf)] for session in old}
        if not deaf:
            return intervals.union(one for kind in every for one in self.seen[kind])
        heard: list[Interval] = []
        own: dict[str, list[Interval]] = {}
        for kind in every:
            for session, start, end in self.alive[kind]:
                (own.setdefault(session, []) if session in deaf else heard).append((start, end))
        for session, found in own.items():
            heard += intervals.difference(intervals.union(found), intervals.union(deaf[session]))
        return intervals.union(heard)


class Logged(Struct, frozen=True):
    """What is known of an error: who logged it lately, and in which hours since the epoch it came."""

    sources: Sequence[ErrorSource] = ()
    hours: Sequence[int] = ()
    fixed_in: FixedIn | None = None
    """The release that has its newest correction, where releases say anything of it."""
    by_hand: bool = False
    """A person closes its tickets, all that are open (`watch.critical`)."""


def known(config: Config, service: str, environment: str, since: float, now: float) -> Known:
    """All that is known at `now` of a service whose oldest silence began at `since`."""
    rule, up = rule_for(config, service), sessions.runs(since, now)
    alive = {
        Kind(*kind): found
        for kind, found in sessions.alive(service, environment, since - chance.LOOK_BACK).items()
    }
    return Known(
        rule=rule,
        now=now,
        up=up,
        processes=processes(rule, up, service, environment, since),
        kinds=[
            KindFacts(Kind(program, role), first, last, written_off)
            for program, role, first, last, written_off in sessions.kinds(service, environment)
        ],
        alive=alive,
        seen={
            kind: intervals.union((start, end) for _, start, end in found) for kind, found in alive.items()
        },
        unheard=sessions.unheard(service, environment, since),
        lost_at=sessions.last_loss(service, environment),
        reports=run_reports.gathered(service, environment, since),
        releases=sessions.releases(service, environment, since),
    )


def logged(config: Config, found: Collection[ErrorLog], now: float) -> dict[int, Logged]:
    """What is known of these errors at `now`."""
    gated = {GATED} if config.watch.critical == "by_hand" else set()
    ids = [error.id for error in found]
    who, hours = sources.of_errors(ids, now - kinds.LOGGED_WITHIN), errors.hours_of(ids)
    corrected = rows.newest_corrections(ids)
    places = {(error.service, error.environment) for error in found if error.id in corrected}
    out = {place: deployments.of_service(*place) for place in places}
    priorities = rows.open_priorities(ids)
    known: dict[int, Logged] = {}
    for error in found:
        fix = None
        if (newest := corrected.get(error.id)) is not None:
            fix = fixed_in(newest.fixed_in, newest.applied_at, out[error.service, error.environment])
        known[error.id] = Logged(
            who.get(error.id, ()), hours.get(error.id, ()), fix, priorities.get(error.id, {""}) <= gated
        )
    return known


def silence_of(
    error: ErrorLog, quiet_since: float, last_test: str | None, of: Known, found: Logged
) -> Silence:
    """An error's silence since then; `last_test`: the newest correction's test status, None without one."""
    loggers = {source.logger for source in found.sources}
    needed = _needed(of, found.sources)
    fix = found.fixed_in
    older = fix.older if fix is not None else frozenset()
    each = [(name, of.seen_of(wanted, loggers, older)) for name, wanted in needed]
    seen = _together(heard for _, heard in each)
    told = _together(of.seen_of(wanted, (), older) for _, wanted in needed)
    before = seen if not older else _together(of.seen_of(wanted, loggers) for _, wanted in needed)
    restarts = _restarts(of, fix)
    since = max([quiet_since, *(one.at for one in restarts if one.at is not None)])
    least = min(each, key=lambda one: intervals.length(intervals.clipped(one[1], since, of.now)))
    held = (of.up, quiet_since, of.rule.unseen_after)
    return Silence(
        quiet_since=quiet_since,
        up=of.up,
        seen=intervals.intersection(seen, of.up),
        last_seen_alive=min((heard[-1][1] if heard else 0.0 for _, heard in each), default=None) or None,
        held_back=evidence.held_back(of.processes.expected, *held),
        lost=[one for one in of.processes.gone if evidence.held_back([one], *held)],
        failed_tests=last_test == "failed",
        runs_ended=evidence.runs_ended(
            [one for one in (*of.processes.expected, *of.processes.gone) if one.release not in older],
            since,
            _runs(found.sources),
        ),
        before=chance.hours_before(found.hours, before, error.first_seen, quiet_since),
        runs=_runs_in(of, error.id, quiet_since, needed, fix),
        corrected=last_test is not None,
        restarts=restarts,
        not_seen=NotSeen(
            program=least[0],
            logger=_unheard_now(of, needed, loggers),
            untold=intervals.intersection(intervals.difference(told, seen), of.up),
        ),
    )


def _runs_in(
    of: Known, error_id: int, quiet_since: float, needed: Wanted, fix: FixedIn | None
) -> JudgedRuns | str:
    """How often the error's function ran in the processes that its silence is judged by."""
    if fix is None:
        return of.reports.of(error_id, quiet_since, needed)
    return of.reports.of(error_id, quiet_since, needed, fix.lacks)


def _restarts(of: Known, fix: FixedIn | None) -> list[Restart]:
    found = [] if of.lost_at is None else [Restart(WaitingFor.LOSS, of.lost_at)]
    return found if fix is None else [*found, Restart(WaitingFor.RELEASE, fix.deployed_at, fix.release)]


def _needed(of: Known, who: Iterable[ErrorSource]) -> list[tuple[str, list[Kind] | None]]:
    """(name, kinds) that must each be seen: one of these kinds, None for any process of the service."""
    facts = {one.kind: one for one in of.kinds}
    needed: list[tuple[str, list[Kind] | None]] = []
    for kind in dict.fromkeys(Kind(source.program, source.role) for source in who):
        if not kind.program or kind not in facts:
            continue  # Its handler does not say, or none of its sessions is kept any more.
        later = kinds.successors(facts[kind], of.kinds, of.up, of.rule.unseen_after, of.now)
        if later is None:
            needed.append((kind.name, [kind]))
        elif later:
            needed.append((later[0].name, [kind, *later]))
    return needed or [("", None)]


def given_up(of: Known, found: Logged) -> list[str]:
    """Names of the kinds of process that logged the error and are not waited for any more."""
    facts = {one.kind: one for one in of.kinds}
    names = dict.fromkeys(Kind(source.program, source.role) for source in found.sources)
    return [
        kind.name
        for kind in names
        if kind in facts
        and kind.program
        and kinds.successors(facts[kind], of.kinds, of.up, of.rule.unseen_after, of.now) is not None
    ]


def _runs(who: Iterable[ErrorSource]) -> set[Run]:
    """The runs that logged the error; none where their handlers do not say what they run."""
    return {Run.of(Kind(one.program, one.role), one.arguments) for one in who if one.program}


def _together(parts: Iterable[list[Interval]]) -> list[Interval]:
    """Where all of them are."""
    found: list[Interval] | None = None
    for part in parts:
        found = part if found is None else intervals.intersection(found, part)
    return found or []


def _unheard_now(of: Known, needed: Iterable[tuple[str, list[Kind] | None]], loggers: Collection[str]) -> str:
    """A logger of the error that cannot be heard at this moment in a process that must be seen."""
    wanted = [kind for _, several in needed for kind in several or list(of.alive)]
    living = {session for kind in wanted for session, _, _ in of.alive.get(kind, ())}
    deaf = [
        logger
        for session, found in of.unheard.items()
        for logger, _, end in found
        if session in living and logger in loggers and end == math.inf
    ]
    return min(deaf, default="")


def processes(rule: Rule, up: Sequence[Interval], service: str, environment: str, since: float) -> Processes:
    """Those that a silence since then is judged by: only of a batch service do runs that ended in order count."""
    heard = sessions.heard_since(service, environment, since - rule.unseen_after, settled=rule.batch)
    expected: list[Process] = []
    gone: list[Process] = []
    for process in map(_process, heard):
        (gone if evidence.is_written_off(process, up, rule.unseen_after) else expected).append(process)
    return Processes(expected, gone)


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


def said(gone: Sequence[Process]) -> list[dict[str, Any]]:
    """Processes as a closing names them."""
    return [{"pid": one.pid, "host": one.host, "last_heard": one.last_heard} for one in gone]
