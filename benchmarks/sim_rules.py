"""Plays one error's ticket under a rule, as a daemon would see it, and holds the outcome against the truth.

Ours is the product's own pure code: `lifecycle.step`, `evidence.judge`, `evidence.held_back`, `recurrence`.
The others are the bare clock of the source design (signature file | message | line, silence for 24 h by the
clock) and "nothing since the last occurrence", as trackers resolve automatically.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache

from msgspec import Struct
from sim_world import HORIZON, HOUR, INTERVAL, Error, Occurrence, Worker, next_up

from tocsin.daemon.store import intervals
from tocsin.daemon.store.intervals import Interval
from tocsin.daemon.tickets import chance, evidence, lifecycle
from tocsin.daemon.tickets.evidence import Process, Rule, Silence, Verdict
from tocsin.daemon.tickets.lifecycle import Action, EventType, State, TicketEvent
from tocsin.daemon.tickets.recurrence import old_code, same_after_correction

WATCH = 24 * HOUR
LIKELY = 0.05
"""Chance, by the error's true rate, above which the silence of a watch was likely anyway."""
ALWAYS: list[Interval] = [(0.0, HORIZON)]
SEEN_RULE = Rule(duration=WATCH, min_seen=0.9, max_chance=1.0, unseen_after=72 * HOUR)
CLOCK_RULE = Rule(duration=WATCH, min_seen=0.9, max_chance=1.0, unseen_after=72 * HOUR, by_clock=True)
CHANGED = "total=prices[str(sku)]"


class Policy(Struct, frozen=True):
    """One rule by which tickets close."""

    name: str
    rule: Rule
    ours: bool = False
    by_line: bool = False
    """The signature holds the line number, so that a deploy that shifts lines makes a new error of it."""
    corrections: bool = True
    """A recorded correction restarts the watch."""


POLICIES = (
    Policy("Tocsin", SEEN_RULE, ours=True),
    Policy(
        "Tocsin, max_chance = 0.05",
        Rule(duration=WATCH, min_seen=0.9, max_chance=0.05, unseen_after=72 * HOUR),
        ours=True,
    ),
    Policy("24 h by the clock", CLOCK_RULE, by_line=True),
    Policy("last occurrence only", CLOCK_RULE, corrections=False),
)


class Days(Struct, frozen=True):
    """What every error shares: where a daemon is up, and when its rounds are."""

    up: list[Interval]
    rounds: list[float]


def days(up: list[Interval]) -> Days:
    """One round an hour while a daemon is up, and one when it comes back."""
    hours = [hour * HOUR for hour in range(int(HORIZON / HOUR))]
    return Days(up, sorted({next_up(up, at) for at in hours} - {math.inf}))


def play(error: Error, policy: Policy, shared: Days) -> Counter[str]:
    """Plays an error under a policy: one ticket for each signature that the policy gives it."""
    groups: dict[tuple[bool, int], list[Occurrence]] = {}
    for one in error.occurrences:
        groups.setdefault(_signature(error, policy, one), []).append(one)
    counted: Counter[str] = Counter()
    for known in groups.values():
        counted.update(Play(error, policy, shared, known).run())
    return counted


def _signature(error: Error, policy: Policy, one: Occurrence) -> tuple[bool, int]:
    """What tells occurrences of the same bug apart, under the policy."""
    changed = one.changed
    if policy.ours and changed:
        recorded = error.corrected_at is not None and error.corrected_at <= one.received
        changed = not (recorded and _stands_in(error.new_code))
    return changed, one.line if policy.by_line else 0


@lru_cache
def _stands_in(new_code: str) -> bool:
    return same_after_correction(CHANGED, new_code)


class Play:
    """One ticket under one policy."""

    def __init__(self, error: Error, policy: Policy, shared: Days, told: Sequence[Occurrence]) -> None:
        self._error = error
        self._policy = policy
        self._shared = shared
        self._told = told
        self._state: State | None = None
        self._quiet_since = 0.0
        self._told_at: float | None = None
        self._known: list[Occurrence] = []
        self._tests = "none"
        self._closed_right = False
        self.counted: Counter[str] = Counter()

    def run(self) -> Counter[str]:
        """Plays everything that became known, with the rounds between; returns what is to be counted."""
        facts: list[tuple[float, Occurrence | str]] = [(one.received, one) for one in self._told]
        if self._error.corrected_at is not None:
            facts.append((self._error.corrected_at, "corrected"))
            facts.append((self._error.corrected_at + 300, "tested"))
        facts.sort(key=lambda pair: pair[0])
        before = 0.0
        for at, fact in [*facts, (HORIZON, "end")]:
            self._rounds(before, at)
            before = at
            if isinstance(fact, Occurrence):
                self._occurrence(fact, at)
            elif fact == "corrected" and self._state not in (None, State.CLOSED) and self._policy.corrections:
                self._step(EventType.CORRECTED, at)
            elif fact == "tested" and self._policy.ours:
                self._tests = self._error.tests
                kind = {"passed": EventType.VALIDATED, "failed": EventType.VALIDATION_FAILED}.get(self._tests)
                if kind and self._state not in (None, State.CLOSED):
                    self._step(kind, at)
        if self._state is not None:
            self.counted["tickets"] += 1
            self.counted["still open, though gone"] += self._state is not State.CLOSED and not self._alive(
                HORIZON
            )
        return self.counted

    def _step(self, kind: EventType, at: float) -> None:
        told = self._told_at if kind is EventType.REAPPEARED else None
        found = lifecycle.step(self._state, TicketEvent(kind, at, told))
        self._state = found.state
        if Action.WATCH in found.actions:
            self._quiet_since = max(self._quiet_since, at)
        if kind is EventType.REAPPEARED and Action.RECORD in found.actions:
            self._told_at = at

    # What comes in

    def _occurrence(self, one: Occurrence, received: float) -> None:
        self._known.append(one)
        at = one.at if self._policy.ours else received
        if self._state is None:
            moments = sorted(known.at for known in self._known[-20:])
            if lifecycle.reached(moments, 3, HOUR):
                self._state = lifecycle.step(None, TicketEvent(EventType.CREATED, received)).state
                self._quiet_since = received
        elif self._state is not State.CLOSED:
            if at > self._quiet_since:
                self._step(EventType.REAPPEARED, at)
        elif at > self._quiet_since or not self._policy.ours:
            self._came_back(one, at, received)

    def _came_back(self, one: Occurrence, at: float, received: float) -> None:
        applied_at = self._error.corrected_at
        if self._policy.ours and applied_at is not None and applied_at <= received:
            newer = any(applied_at <= worker.start <= received for worker in self._error.service.workers)
            if old_code(one.worker.start, applied_at, newer_process=newer):
                self._step(EventType.OLD_CODE, at)
                self.counted["old code noticed"] += 1
                return
        self._step(EventType.REAPPEARED, at)
        self._told_at = None
        if self._alive(at):
            self.counted["reopened rightly"] += 1
        else:
            late = received - one.at > 60
            self.counted["false reopening: " + ("told late" if late else "old worker lives on")] += 1

    # The rounds

    def _rounds(self, after: float, until: float) -> None:
        """The hourly checks in (after, until], from the first that could close."""
        if self._state in (None, State.CLOSED) or until < self._quiet_since + WATCH:
            return
        rounds = self._shared.rounds
        start = bisect_right(rounds, after)
        while self._state not in (None, State.CLOSED):
            start = max(start, bisect_left(rounds, self._quiet_since + WATCH - 1e-6))
            if start >= len(rounds) or rounds[start] > until:
                return
            now = rounds[start]
            if evidence.judge(self._silence(now), self._policy.rule, now).verdict is Verdict.CLOSE:
                self._close(now)
            start += 1

    def _silence(self, now: float) -> Silence:
        since = self._quiet_since
        if not self._policy.ours:
            return Silence(quiet_since=since, up=ALWAYS, seen=ALWAYS, last_seen_alive=now)
        where, up = self._error.service, self._shared.up
        up = [(start, min(end, now)) for start, end in up if start <= now]
        processes = [_process(worker, up, now) for worker in where.workers if worker.start <= now]
        seen = where.seen
        held = evidence.held_back(processes, up, since, self._policy.rule.unseen_after)
        moments = [one.at for one in self._known]
        before = chance.hours_before({int(at // HOUR) for at in moments}, seen, min(moments), since)
        last = max((min(end, now) for start, end in seen if start <= now), default=None)
        applied = self._error.corrected_at
        return Silence(
            quiet_since=since, up=up, seen=seen, last_seen_alive=last, held_back=held,
            failed_tests=self._tests == "failed", before=before,
            corrected=self._policy.corrections and applied is not None and applied <= now,
        )  # fmt: skip

    def _close(self, now: float) -> None:
        self._step(EventType.QUIET, now)
        if self._alive(now):
            self.counted["false closings"] += 1
            self.counted.update("false closing: " + kind for kind in self._kinds(now))
        elif not self._closed_right:
            self._closed_right = True
            self.counted["closed rightly"] += 1
            self.counted["hours to the right closing"] += int((now - self._error.gone_at) // HOUR)

    def _alive(self, now: float) -> bool:
        return now < self._error.gone_at

    def _kinds(self, now: float) -> Iterator[str]:
        """What made this closing false; more than one may."""
        watched, error = (self._quiet_since, now), self._error
        ran = intervals.length(intervals.intersection(error.service.alive, [watched]))
        if ran < 0.9 * WATCH:
            yield "application not running"
        missed = [one for one in error.truth if watched[0] < one.at < now]
        if any(one.received > now for one in missed):
            yield "came back, not told yet"
        if any(one.received <= now for one in missed):
            yield "came back under another signature"
        if error.tests == "failed" and error.corrected_at is not None and error.corrected_at + 300 <= now:
            yield "correction that fails its tests"
        workers = error.service.workers
        run = sum(max(0.0, min(one.end, now) - max(one.start, watched[0])) for one in workers)
        if math.exp(-error.rate * run) > LIKELY:
            yield "silence likely anyway"


def _process(worker: Worker, up: Sequence[Interval], now: float) -> Process:
    """The worker as the daemon knows it at `now`."""
    end = min(worker.end, worker.cut_at, now)
    heard = max((min(stop, end) for start, stop in up if start <= end), default=worker.start)
    ended_at = worker.end if worker.goodbye and worker.end <= now and heard >= worker.end else None
    backlog = worker.backlog if worker.cut_at <= now else 0
    if worker.adopted_at <= now:
        heard, backlog = max(heard, worker.adopted_at), 0
    return Process(0, worker.host, worker.start, heard, INTERVAL, backlog, ended_at)
