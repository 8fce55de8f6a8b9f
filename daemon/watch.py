"""The hourly round: gathers each watch's evidence, has it judged, takes the tickets on. No mail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog

from tocsin.daemon import evidence
from tocsin.daemon.config import Config
from tocsin.daemon.evidence import Finding, Process, Rule, Silence, Verdict
from tocsin.daemon.lifecycle import Fact, Kind, State
from tocsin.daemon.store import sessions
from tocsin.daemon.store import tickets as rows
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Correction, ErrorLog, Session, Ticket, Watch
from tocsin.daemon.tickets import Tickets

log = structlog.get_logger()

LAST_CHECK = "last_check"
"""Key of the fact that holds the moment of the last complete round."""


def rule_for(config: Config, service: str) -> Rule:
    """The settings that hold for a service's watches."""
    watch = config.watch
    return Rule(
        duration=watch.duration,
        min_seen=watch.min_seen,
        max_chance=watch.max_chance,
        unseen_after=watch.unseen_after,
        by_clock=watch.evidence == "clock",
        batch=config.service_named(service).kind == "batch",
    )


def gather(
    error: ErrorLog, quiet_since: float, corrections: Sequence[Correction], rule: Rule, now: float
) -> Silence:
    """All that is known at `now` of an error's silence since then. Reads only."""
    up = sessions.runs(quiet_since, now)
    gone_before = quiet_since - rule.unseen_after
    processes = [_process(one) for one in sessions.heard_since(error.service, error.environment, gone_before)]
    seen = evidence.intersection(sessions.seen(error.service, error.environment, quiet_since), up)
    return Silence(
        quiet_since=quiet_since,
        up=up,
        seen=seen,
        last_seen_alive=max((end for _, end in seen), default=None),
        held_back=evidence.held_back(processes, up, quiet_since, rule.unseen_after),
        failed_tests=bool(corrections) and corrections[-1].test_status == "failed",
        runs_ended=evidence.runs_ended(processes, quiet_since),
        rate=evidence.rate_before(error.occurrences, error.first_seen, error.last_seen),
    )


def _process(session: Session) -> Process:
    return Process(
        f"process {session.pid} on {session.host}",
        session.started_at,
        session.last_heard,
        session.interval,
        session.backlog,
        session.ended_at,
    )


def finding(store: Store, config: Config, error_id: int, now: float) -> Finding | None:
    """How far the watch over an error has come now; None when there is none. Reads only."""
    with store.reading():
        watch = rows.watches([error_id]).get(error_id)
        if watch is None:
            return None
        error = ErrorLog.get_by_id(error_id)
        rule = rule_for(config, error.service)
        silence = gather(error, watch.quiet_since, rows.corrections(error_id), rule, now)
    return evidence.judge(silence, rule, now)


class Round:
    """Checks every watch of one database."""

    def __init__(self, store: Store, config: Config) -> None:
        self._store = store
        self._config = config
        self._tickets = Tickets(config)

    def run(self, now: float) -> dict[int, Finding]:
        """Checks all watches at `now`; returns the finding per error id. One that fails stops no other."""
        with self._store.reading():
            due = [error.id for error in rows.watched_errors()]
        findings: dict[int, Finding] = {}
        for error_id in due:
            try:
                with self._store.transaction():
                    finding = self._check(error_id, now)
            except Exception:
                log.exception("watch_not_checked", error_id=error_id)
                continue
            if finding is not None:
                findings[error_id] = finding
        with self._store.transaction():
            rows.remember_fact(LAST_CHECK, repr(now))
        return findings

    def _check(self, error_id: int, now: float) -> Finding | None:
        error = ErrorLog.get_by_id(error_id)
        tickets = [t for t in rows.of_errors([error_id])[error_id] if t.status != State.CLOSED]
        watch = rows.watches([error_id]).get(error_id)
        if not tickets or watch is None:
            return None
        corrections = rows.corrections(error_id)
        rule = rule_for(self._config, error.service)
        silence = gather(error, watch.quiet_since, corrections, rule, now)
        finding = evidence.judge(silence, rule, now)
        watch.checked_at, watch.seen_seconds = now, finding.seen_seconds
        watch.waiting_for = finding.waiting_for
        watch.save()
        if finding.verdict is Verdict.CLOSE:
            self._close(error, tickets, watch, corrections, finding, now)
        elif finding.verdict is Verdict.UNSEEN and watch.inconclusive_at is None:
            self._unseen(error, tickets, watch, silence, finding, now)
        return finding

    def _close(
        self,
        error: ErrorLog,
        tickets: Sequence[Ticket],
        watch: Watch,
        corrections: Sequence[Correction],
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
        }
        resolution = "corrected" if corrections else "no_reappearance"
        text = (
            f"quiet for {finding.quiet_seconds:.0f} s, the application seen alive "
            f"for {finding.seen_seconds:.0f} s of them"
        )
        if corrections and not verified:
            text += "; the correction was not verified by tests"
        self._tickets.take(
            error, tickets, Fact(Kind.QUIET, now), now, description=text,
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
        watch.inconclusive_at = now
        watch.save()
        self._tickets.take(
            error,
            tickets,
            Fact(Kind.UNSEEN, now),
            now,
            description=f"silence proves nothing yet: waiting for {finding.waiting_for}",
            details={"unseen_since": unseen_since, "seen_seconds": finding.seen_seconds},
        )
