"""The hourly check: gathers each watch's evidence, has it judged, takes the tickets on. No mail."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from msgspec import structs

from tocsin.daemon.config import Config
from tocsin.daemon.log import log
from tocsin.daemon.store import errors, regrouping, sessions
from tocsin.daemon.store import tickets as rows
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Correction, ErrorLog, Ticket, Watch
from tocsin.daemon.tickets import evidence
from tocsin.daemon.tickets.evidence import Finding, Process, Rule, Silence, Verdict
from tocsin.daemon.tickets.known import Known, known, processes
from tocsin.daemon.tickets.lifecycle import EventType, State, TicketEvent
from tocsin.daemon.tickets.runs import Runs
from tocsin.daemon.tickets.silence import GATED, Logged, given_up, logged, said, silence_of
from tocsin.daemon.tickets.steps import Tickets

GONE_NAMED = 5
"""Processes that a closing names of those that were written off."""
LAST_CHECK = "last_check"
"""Key of the fact that holds the moment of the last complete hourly check."""


class Missing(NamedTuple):
    """What a closing does not know of."""

    lost: Sequence[Process]
    """Processes that were written off and may have held something back."""
    programs: Sequence[str]
    """Kinds of process that logged the error and are not there any more."""


def ran(finding: Finding, error: ErrorLog, quiet_since: float, *, corrected: bool) -> dict[str, Any]:
    """How often the error's function ran, as closings and pages keep it; `corrected`: there is a correction."""
    if not isinstance(finding.runs, Runs):
        return {"unknown": finding.runs} if finding.runs else {}
    return finding.runs.facts | ({"corrected": True} if corrected and quiet_since > error.last_seen else {})


def facts(finding: Finding) -> dict[str, Any]:
    """What the closing waits for, as the tables keep it."""
    return finding.waiting.facts if finding.waiting is not None else {}


def found(finding: Finding, error: ErrorLog, quiet_since: float, *, corrected: bool) -> rows.Found:
    """A finding as the tables keep it until the next check."""
    earliest = finding.earliest_close if math.isfinite(finding.earliest_close) else None
    beside = {
        "earliest_close": earliest,
        "chance": finding.chance,
        "runs": ran(finding, error, quiet_since, corrected=corrected),
    }
    return rows.Found(finding.seen_seconds, facts(finding), beside)


def finding(store: Store, config: Config, error_id: int, now: float) -> Finding | None:
    """How far the watch over an error has come now; None when there is none. Reads only."""
    with store.reading():
        watch = rows.watches([error_id]).get(error_id)
        if watch is None:
            return None
        error = ErrorLog.get_by_id(error_id)
        of = known(config, error.service, error.environment, watch.quiet_since, now)
        found = logged(config, [error], now)[error_id]
        silence = silence_of(error, watch.quiet_since, rows.last_tests([error_id]).get(error_id), of, found)
    return evidence.judge(silence, _rule(of, found), now)


def _rule(of: Known, found: Logged) -> Rule:
    """The service's rule, and whether a person closes this error's tickets."""
    return structs.replace(of.rule, by_hand=found.by_hand)


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
        waiting: list[tuple[int, float, rows.Found]] = []
        for watch, error, silence, of, who in self._watched(now):
            try:
                finding = evidence.judge(silence, _rule(of, who), now)
                notified = {Verdict.UNSEEN: watch.inconclusive_at, Verdict.READY: watch.ready_at}
                if finding.verdict is Verdict.WAIT or notified.get(finding.verdict) is not None:
                    noted = found(finding, error, watch.quiet_since, corrected=silence.corrected)
                    waiting.append((error.id, watch.quiet_since, noted))
                else:
                    with self._store.transaction():
                        finding = self._check(error.id, of, who, now) or finding
                findings[error.id] = finding
            except Exception:
                log.exception("watch_not_checked", error_id=error.id)
        with self._store.transaction():
            rows.note_checks(self._store, waiting, now)
            rows.remember_fact(LAST_CHECK, repr(now))
        return findings

    def _restart_aliases(self) -> None:
        """An error that is the same as another, each with its ticket, is quiet while both are."""
        with self._store.reading():
            seen = regrouping.last_seen_as_another({watch.error_id for watch in Watch.select(Watch.error)})
        if seen:
            with self._store.transaction():
                rows.restart_watches(self._store, seen)

    def _watched(self, now: float) -> list[tuple[Watch, ErrorLog, Silence, Known, Logged]]:
        """Every watch with its error's silence, and what is known of the service."""
        with self._store.reading():
            watched = {error.id: error for error in rows.watched_errors()}
            watches = [watch for watch in Watch.select().order_by(Watch.error) if watch.error_id in watched]
            tests = rows.last_tests(None)
            who = logged(self._config, [watched[watch.error_id] for watch in watches], now)
            since: dict[tuple[str, str], float] = {}
            for watch in watches:
                error = watched[watch.error_id]
                place = (error.service, error.environment)
                since[place] = min(since.get(place, math.inf), watch.quiet_since)
            services = {place: known(self._config, *place, oldest, now) for place, oldest in since.items()}
        gathered = []
        for watch in watches:
            error = watched[watch.error_id]
            of = services[error.service, error.environment]
            silence = silence_of(error, watch.quiet_since, tests.get(error.id), of, who[error.id])
            gathered.append((watch, error, silence, of, who[error.id]))
        return gathered

    def _check(self, error_id: int, of: Known, who: Logged, now: float) -> Finding | None:
        """Looks again at what may speak against a step; where the service was seen alive, only more can have come."""
        errors.lock(self._store, [error_id])
        error = ErrorLog.get_by_id(error_id)
        tickets = [t for t in rows.of_errors([error_id])[error_id] if t.status != State.CLOSED]
        watch = rows.watches([error_id]).get(error_id)
        if not tickets or watch is None:
            return None
        corrections = rows.corrections(error_id)
        place = (error.service, error.environment)
        newest = processes(of.rule, *place, watch.quiet_since, of.up)
        of = structs.replace(of, processes=newest, lost_at=sessions.last_loss(*place))
        last_test = corrections[-1].test_status if corrections else None
        silence = silence_of(error, watch.quiet_since, last_test, of, who)
        finding = evidence.judge(silence, _rule(of, who), now)
        noted = found(finding, error, watch.quiet_since, corrected=silence.corrected)
        rows.note_check(watch, noted, now)
        if finding.verdict is Verdict.CLOSE:
            missing = Missing(silence.lost, given_up(of, who))
            gated = self._config.watch.critical == "by_hand"
            own = [ticket for ticket in tickets if not (gated and ticket.priority == GATED)]
            self._close(error, own, watch, corrections, missing, finding, now)
        elif finding.verdict is Verdict.READY and watch.ready_at is None:
            self._ready(error, tickets, watch, finding, now)
        elif finding.verdict is Verdict.UNSEEN and watch.inconclusive_at is None:
            self._unseen(error, tickets, watch, silence, finding, now)
        return finding

    def _close(
        self,
        error: ErrorLog,
        tickets: Sequence[Ticket],
        watch: Watch,
        corrections: Sequence[Correction],
        missing: Missing,
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
        gone = said(missing.lost[:GONE_NAMED])
        if gone:
            details |= {"gone": gone, "gone_total": len(missing.lost)}
        if missing.programs:
            details["programs_gone"] = missing.programs
        if finding.untold_seconds:
            details["untold_seconds"] = finding.untold_seconds
        happened = {
            "gone": gone,
            "programs_gone": missing.programs,
            "untold_seconds": finding.untold_seconds,
            "quiet_seconds": finding.quiet_seconds,
            "seen_seconds": finding.seen_seconds,
            "unverified": bool(corrections) and not verified,
            "runs": details["runs"],
        }
        self._tickets.apply(
            error, tickets, TicketEvent(EventType.QUIET, now), now, happened=happened,
            details={**details, "resolution": resolution}, resolution=resolution,
        )  # fmt: skip

    def _ready(
        self, error: ErrorLog, tickets: Sequence[Ticket], watch: Watch, finding: Finding, now: float
    ) -> None:
        """Nothing is missing, and a person has the last word: the admins are told so once."""
        rows.note_ready(watch, now)
        happened = {"quiet_seconds": finding.quiet_seconds, "seen_seconds": finding.seen_seconds}
        details = {
            "quiet_since": watch.quiet_since,
            "watched_seconds": finding.quiet_seconds,
            "seen_seconds": finding.seen_seconds,
            "evidence": self._config.watch.evidence,
            "chance": finding.chance,
        }
        event = TicketEvent(EventType.READY, now)
        self._tickets.apply(error, tickets, event, now, happened=happened, details=details)

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
