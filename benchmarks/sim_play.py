"""Plays one error's ticket under a rule, as a daemon would see it, and holds the outcome against the truth."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence

from sim_errors import Error, Occurrence
from sim_rules import WATCH, Days, Policy, Witness, fix_of, least_version, signature
from sim_world import HORIZON, HOUR

from tocsin.daemon.store import intervals
from tocsin.daemon.tickets import evidence, lifecycle
from tocsin.daemon.tickets.evidence import Finding, Verdict, WaitingFor
from tocsin.daemon.tickets.lifecycle import Action, EventType, State, TicketEvent
from tocsin.daemon.tickets.recurrence import old_code

LIKELY = 0.05
"""Share of errors of this rate, by their true rate, above which the silence of a watch was likely anyway."""
SETTLED = (WaitingFor.PASSING_TESTS,)
"""What no time changes."""


def play(error: Error, policy: Policy, shared: Days) -> Counter[str]:
    """Plays an error under a policy: one ticket for each signature that the policy gives it."""
    counted: Counter[str] = Counter()
    for known in by_signature(error, policy):
        counted.update(Play(error, policy, shared, known).run())
    return counted


def by_signature(error: Error, policy: Policy) -> list[list[Occurrence]]:
    """What the daemon is told of, a list for each error that the policy makes of it."""
    groups: dict[tuple[bool, int], list[Occurrence]] = {}
    for one in error.occurrences:
        groups.setdefault(signature(error, policy, one), []).append(one)
    return list(groups.values())


class Play:
    """One ticket under one policy."""

    def __init__(self, error: Error, policy: Policy, shared: Days, told: Sequence[Occurrence]) -> None:
        self._error = error
        self._policy = policy
        self._shared = shared
        self._told = told
        self._witness = Witness(error, policy, shared.up, [])
        self._state: State | None = None
        self._quiet_since = 0.0
        self._reported_at: float | None = None
        self._known: list[Occurrence] = []
        self._tests = "none"
        self.counted: Counter[str] = Counter()

    def run(self) -> Counter[str]:
        """Plays everything that became known, with the checks between; returns what is to be counted."""
        facts: list[tuple[float, Occurrence | str]] = [(one.received, one) for one in self._told]
        if self._error.corrected_at is not None:
            facts.append((self._error.corrected_at, "corrected"))
            facts.append((self._error.corrected_at + 300, "tested"))
        facts.sort(key=lambda pair: pair[0])
        before = 0.0
        for at, fact in [*facts, (HORIZON, "end")]:
            self._checks(before, at)
            before = at
            if isinstance(fact, Occurrence):
                self._occurrence(fact, at)
            elif fact == "corrected" and self._open and self._policy.corrections:
                self._step(EventType.CORRECTED, at)
            elif fact == "tested" and self._policy.ours:
                self._tests = self._error.tests
                kind = {"passed": EventType.VALIDATED, "failed": EventType.VALIDATION_FAILED}.get(self._tests)
                if kind and self._open:
                    self._step(kind, at)
        self._end_watch(HORIZON, "horizon")
        if self._state is not None:
            self.counted["tickets"] += 1
            self.counted["still open, though gone"] += self._open and not self._alive(HORIZON)
        return self.counted

    @property
    def _open(self) -> bool:
        return self._state not in (None, State.CLOSED)

    def _step(self, kind: EventType, at: float) -> None:
        reported = self._reported_at if kind is EventType.REAPPEARED else None
        was_open = self._open
        found = lifecycle.step(self._state, TicketEvent(kind, at, reported))
        self._state = found.state
        if Action.WATCH in found.actions:
            self._end_watch(at, "restarted")
            self._quiet_since = max(self._quiet_since, at)
        if kind is EventType.REAPPEARED and Action.RECORD in found.actions:
            self._reported_at = at
        if self._open and not was_open:
            self._witness.opened.append([at, math.inf])
        elif was_open and not self._open:
            self._witness.opened[-1][1] = at

    def _end_watch(self, at: float, why: str) -> None:
        """A watch ends; `sim_calibration` looks at each."""

    # What comes in

    def _occurrence(self, one: Occurrence, received: float) -> None:
        self._known.append(one)
        at = self._moment(one)
        if self._state is None:
            moments = sorted(known.at for known in self._known[-20:])
            if lifecycle.reached(moments, 3, HOUR):
                self._step(EventType.CREATED, received)
                self._quiet_since = received
        elif at > self._quiet_since or (self._state is State.CLOSED and not self._policy.ours):
            self._again(one, at, received)

    def _moment(self, one: Occurrence) -> float:
        """When it happened, as far as the rule knows."""
        if self._policy.by_stamp:
            return min(one.told_at, one.received)
        if not self._policy.ours:
            return one.received
        believed = not self._policy.tells_apart and self._error.service.named_like_daemon
        return min(one.told_at, one.received) if believed else one.at

    def _again(self, one: Occurrence, at: float, received: float) -> None:
        fix = fix_of(self._error, received) if self._policy.tells_apart else None
        if fix is not None and one.worker.version < least_version(fix):
            if self._open and fix.waits:
                self._end_watch(at, "restarted")
                self._quiet_since = at
            elif not self._open and not fix.waits:
                self._old_code(at)
        elif self._open:
            self._step(EventType.REAPPEARED, at)
        elif fix is None and self._policy.ours and self._is_old(one, received):
            self._old_code(at)
        else:
            self._came_back(one, at, received)

    def _is_old(self, one: Occurrence, received: float) -> bool:
        applied = self._error.corrected_at
        if applied is None or applied > received:
            return False
        newer = any(applied <= worker.start <= received for worker in self._error.service.workers)
        return old_code(one.worker.start, applied, newer_process=newer)

    def _old_code(self, at: float) -> None:
        self._step(EventType.OLD_CODE, at)
        self.counted["old code noticed"] += 1

    def _came_back(self, one: Occurrence, at: float, received: float) -> None:
        self._step(EventType.REAPPEARED, at)
        self._reported_at = None
        if self._alive(one.at):
            self.counted["reopened rightly"] += 1
        else:
            late = received - one.at > 60
            self.counted["false reopening: " + ("told late" if late else "old worker lives on")] += 1

    # The checks

    def _checks(self, after: float, until: float) -> None:
        """The hourly checks in (after, until], from the first that could close."""
        checks = self._shared.checks
        start = bisect_right(checks, after)
        while self._open:
            start = max(start, bisect_left(checks, self._quiet_since + WATCH - 1e-6))
            if start >= len(checks) or checks[start] > until:
                return
            now = checks[start]
            found = self._judge(now)
            if found is None or found.verdict is Verdict.CLOSE:
                if found is None or self._closes(found, now):
                    self._close(now)
            elif found.waiting is not None and found.waiting.kind in SETTLED:
                return
            start = max(start + 1, bisect_left(checks, found.earliest_close - 1.0) if found else 0)

    def _judge(self, now: float) -> Finding | None:
        """What the rule says; None closes. A rule that judges no evidence waits for its duration."""
        if self._policy.ours:
            silence = self._witness.silence(self._known, self._quiet_since, self._tests, now)
            return evidence.judge(silence, self._witness.rule, now)
        if self._policy.newer_release and self._error.service.tells_releases:
            last = max(one.worker.version for one in self._known)
            newer = any(one.version > last and one.start <= now for one in self._error.service.workers)
            if not newer:
                return _WAIT
        return None

    def _closes(self, found: Finding, now: float) -> bool:
        """Whether a closing is carried out."""
        return True

    def _close(self, now: float) -> None:
        self._step(EventType.QUIET, now)
        self._end_watch(now, "closed")
        if self._alive(now):
            self.counted["false closings"] += 1
            self.counted["false closings, corrected"] += (self._error.corrected_at or HORIZON) <= now
            self.counted.update("false closing: " + kind for kind in self._kinds(now))
        elif not self.counted["closed rightly"]:
            self.counted["closed rightly"] += 1
            self.counted["hours to the right closing"] += int((now - self._error.gone_at) // HOUR)

    def _alive(self, now: float) -> bool:
        return now < self._error.gone_at

    def _kinds(self, now: float) -> Iterator[str]:
        """What made this closing false; more than one may."""
        error, since = self._error, self._quiet_since
        lived = [
            (one.start, one.end)
            for one in error.service.workers
            if one.role in error.clean and one.start < now
        ]
        ran = intervals.length(intervals.clipped(intervals.union(lived), since, now))
        if ran < 0.9 * min(WATCH, now - since):
            yield "application not running"
        missed = [one for one in error.truth if since < one.at < now]
        if any(one.received > now for one in missed):
            yield "came back, not told yet"
        if any(one.received <= now for one in missed):
            yield "came back, not counted"
        if error.tests == "failed" and error.corrected_at is not None and error.corrected_at + 300 <= now:
            yield "correction that fails its tests"
        if error.pattern.uncalled(since, now) > 0.5 * (now - since):
            yield "code not called"
        if error.pattern.between_bursts(since, now):
            yield "between two bursts"
        busy = sum(error.service.traffic(at * HOUR) for at in range(int(since // HOUR), int(now // HOUR)))
        if math.exp(-error.rate * HOUR * busy * ran / (now - since)) > LIKELY:
            yield "silence likely anyway"


_WAIT = Finding(Verdict.WAIT, 0.0, 0.0, None, None, 0.0)
