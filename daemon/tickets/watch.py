"""The hourly check: gathers each watch's evidence, has it judged, takes the tickets on. No mail."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from tocsin.daemon.config import Config
from tocsin.daemon.log import log
from tocsin.daemon.store import errors, intervals, regrouping, sessions
from tocsin.daemon.store import tickets as rows
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.intervals import Interval
from tocsin.daemon.store.models import Correction, ErrorLog, Session, Ticket, Watch
from tocsin.daemon.tickets import evidence, run_reports
from tocsin.daemon.tickets.evidence import Finding, Process, Rule, Silence, Verdict
from tocsin.daemon.tickets.lifecycle import EventType, State, TicketEvent
from tocsin.daemon.tickets.run_reports import RunReports
from tocsin.daemon.tickets.runs import Runs
from tocsin.daemon.tickets.steps import Tickets

GONE_NAMED = 5
"""Processes that a closing names of those that were written off."""
LAST_CHECK = "last_check"
"""Key of the fact that holds the moment of the last complete hourly check."""


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


class Known(Struct, frozen=True):
    """What is known of a service, the same for all its watches; it reaches back to the oldest of them."""

    rule: Rule
    up: Sequence[Interval]
    seen: Sequence[Interval]
    processes: Sequence[Process]
    reports: RunReports


def known(config: Config, service: str, environment: str, since: float, now: float) -> Known:
    """All that is known at `now` of a service whose oldest silence began at `since`. Reads only."""
    rule = rule_for(config, service)
    up = sessions.runs(since, now)
    seen = intervals.intersection(sessions.seen(service, environment, since), up)
    reports = run_reports.gathered(service, environment, since)
    return Known(rule, up, seen, _processes(rule, service, environment, since), reports)


def silence_of(error: ErrorLog, quiet_since: float, last_test: str | None, of: Known) -> Silence:
    """An error's silence since then; `last_test`: the newest correction's test status, None without one."""
    expected: list[Process] = []
    gone: list[Process] = []
    for process in of.processes:
        written_off = evidence.is_written_off(process, of.up, of.rule.unseen_after)
        (gone if written_off else expected).append(process)
    return Silence(
        quiet_since=quiet_since,
        up=of.up,
        seen=of.seen,
        last_seen_alive=of.seen[-1][1] if of.seen else None,
        held_back=evidence.held_back(expected, of.up, quiet_since, of.rule.unseen_after),
        lost=[one for one in gone if evidence.held_back([one], of.up, quiet_since, of.rule.unseen_after)],
        failed_tests=last_test == "failed",
        runs_ended=evidence.runs_ended(of.processes, quiet_since),
        rate=evidence.rate_before(error.occurrences, error.first_seen, error.last_seen),
        runs=of.reports.of(error.id, quiet_since),
    )


def ran(finding: Finding, error: ErrorLog, quiet_since: float, *, corrected: bool) -> dict[str, Any]:
    """How often the error's function ran, as closings and pages keep it; `corrected`: there is a correction."""
    if not isinstance(finding.runs, Runs):
        return {"unknown": finding.runs} if finding.runs else {}
    return finding.runs.facts | ({"corrected": True} if corrected and quiet_since > error.last_seen else {})


def facts(finding: Finding) -> dict[str, Any]:
    """What the closing waits for, as the tables keep it."""
    return finding.waiting.facts if finding.waiting is not None else {}


def _processes(rule: Rule, service: str, environment: str, since: float) -> list[Process]:
    """Those that a silence since then is judged by: only of a batch service do runs that ended in order count."""
    heard = sessions.heard_since(service, environment, since - rule.unseen_after, settled=rule.batch)
    return [_process(one) for one in heard]


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
    )


def finding(store: Store, config: Config, error_id: int, now: float) -> Finding | None:
    """How far the watch over an error has come now; None when there is none. Reads only."""
    with store.reading():
        watch = rows.watches([error_id]).get(error_id)
        if watch is None:
            return None
        error = ErrorLog.get_by_id(error_id)
        of = known(config, error.service, error.environment, watch.quiet_since, now)
        silence = silence_of(error, watch.quiet_since, rows.last_tests([error_id]).get(error_id), of)
    return evidence.judge(silence, of.rule, now)


class WatchSweep:
    """Checks every watch of one database."""

    def __init__(self, store: Store, config: Config) -> None:
        self._store = store
        self._config = config
        self._tickets = Tickets(config)

    def run(self, now: float) -> dict[int, Finding]:
        """Checks all watches at `now`; returns the finding per error id. One that fails stops no other.

        All are looked at in one read. Those that only wait are noted together; whatever something follows
        from is looked at again in its own transaction.
        """
        try:
            self._restart_aliases()
        except Exception:
            log.exception("aliases_not_looked_at")
        findings: dict[int, Finding] = {}
        waiting: list[tuple[Watch, Finding]] = []
        for watch, error, silence, of in self._watched(now):
            try:
                finding = evidence.judge(silence, of.rule, now)
                notified = watch.inconclusive_at is not None
                if finding.verdict is Verdict.WAIT or (finding.verdict is Verdict.UNSEEN and notified):
                    waiting.append((watch, finding))
                else:
                    with self._store.transaction():
                        finding = self._check(error.id, of, now) or finding
                findings[error.id] = finding
            except Exception:
                log.exception("watch_not_checked", error_id=error.id)
        with self._store.transaction():
            rows.note_checks(
                self._store,
                [(w.error_id, w.quiet_since, f.seen_seconds, facts(f)) for w, f in waiting], now,
            )  # fmt: skip
            rows.remember_fact(LAST_CHECK, repr(now))
        return findings

    def _restart_aliases(self) -> None:
        """An error that is the same as another, each with its ticket, is quiet while both are."""
        with self._store.reading():
            seen = regrouping.last_seen_as_another({watch.error_id for watch in Watch.select(Watch.error)})
        if seen:
            with self._store.transaction():
                rows.restart_watches(self._store, seen)

    def _watched(self, now: float) -> list[tuple[Watch, ErrorLog, Silence, Known]]:
        """Every watch with its error's silence, and what is known of the service."""
        with self._store.reading():
            watched = {error.id: error for error in rows.watched_errors()}
            watches = [watch for watch in Watch.select().order_by(Watch.error) if watch.error_id in watched]
            tests = rows.last_tests(None)
            since: dict[tuple[str, str], float] = {}
            for watch in watches:
                error = watched[watch.error_id]
                place = (error.service, error.environment)
                since[place] = min(since.get(place, math.inf), watch.quiet_since)
            services = {place: known(self._config, *place, oldest, now) for place, oldest in since.items()}
        found = []
        for watch in watches:
            error = watched[watch.error_id]
            of = services[error.service, error.environment]
            silence = silence_of(error, watch.quiet_since, tests.get(error.id), of)
            found.append((watch, error, silence, of))
        return found

    def _check(self, error_id: int, of: Known, now: float) -> Finding | None:
        """Looks again at what may speak against a step; where the service was seen alive, only more can have come."""
        errors.lock(self._store, [error_id])
        error = ErrorLog.get_by_id(error_id)
        tickets = [t for t in rows.of_errors([error_id])[error_id] if t.status != State.CLOSED]
        watch = rows.watches([error_id]).get(error_id)
        if not tickets or watch is None:
            return None
        corrections = rows.corrections(error_id)
        processes = _processes(of.rule, error.service, error.environment, watch.quiet_since)
        of = Known(of.rule, of.up, of.seen, processes, of.reports)
        last_test = corrections[-1].test_status if corrections else None
        silence = silence_of(error, watch.quiet_since, last_test, of)
        finding = evidence.judge(silence, of.rule, now)
        rows.note_check(watch, finding.seen_seconds, facts(finding), now)
        if finding.verdict is Verdict.CLOSE:
            self._close(error, tickets, watch, corrections, silence.lost, finding, now)
        elif finding.verdict is Verdict.UNSEEN and watch.inconclusive_at is None:
            self._unseen(error, tickets, watch, silence, finding, now)
        return finding

    def _close(
        self,
        error: ErrorLog,
        tickets: Sequence[Ticket],
        watch: Watch,
        corrections: Sequence[Correction],
        lost: Sequence[Process],
        finding: Finding,
        now: float,
    ) -> None:
        verified = bool(corrections) and corrections[-1].test_status == "passed"
        details: dict[str, Any] = {
            "quiet_since": watch.quiet_since,
            "watched_seconds": finding.quiet_seconds,
            "seen_seconds": finding.seen_seconds,
            "evidence": self._config.watch.evidence,
            "chance": finding.chance,
            "corrections": len(corrections),
            "verified_by_tests": verified,
            "runs": ran(finding, error, watch.quiet_since, corrected=bool(corrections)),
        }
        resolution = "corrected" if corrections else "no_reappearance"
        gone = [{"pid": one.pid, "host": one.host, "last_heard": one.last_heard} for one in lost[:GONE_NAMED]]
        if gone:
            details |= {"gone": gone, "gone_total": len(lost)}
        happened = {
            "gone": gone,
            "quiet_seconds": finding.quiet_seconds,
            "seen_seconds": finding.seen_seconds,
            "unverified": bool(corrections) and not verified,
            "runs": details["runs"],
        }
        self._tickets.apply(
            error, tickets, TicketEvent(EventType.QUIET, now), now, happened=happened,
            details={**details, "resolution": resolution}, resolution=resolution,
        )  # fmt: skip

    def _unseen(
        self,
        error: ErrorLog,
        tickets: Sequence[Ticket],
        watch: Watch,
        silence: Silence,
        finding: Finding,
        now: float,
    ) -> None:
        unseen_since = max(silence.last_seen_alive or 0.0, watch.quiet_since)
        rows.note_inconclusive(watch, now)
        self._tickets.apply(
            error,
            tickets,
            TicketEvent(EventType.UNSEEN, now),
            now,
            happened={"waiting": facts(finding)},
            details={
                "unseen_since": unseen_since,
                "seen_seconds": finding.seen_seconds,
                "waiting": facts(finding),
                "quiet_since": watch.quiet_since,
                "quiet_seconds": finding.quiet_seconds,
            },
        )
