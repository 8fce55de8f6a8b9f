"""The rules by which tickets close, as they are played in the simulated world.

Ours is the product's own pure code: `lifecycle.step`, `evidence.judge`, `evidence.held_back`, `recurrence`,
`releases`, `runs`, `chance`. *Before releases and runs* is the same code without what tells kinds of processes,
releases and runs apart. The others: the bare clock of the source design (signature file | message | line, silence for
24 h by the clock); nothing since the last occurrence, by its own time stamp, as trackers resolve automatically; and
the same where a newer release than that of the last occurrence was seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache

from msgspec import Struct, structs
from sim_errors import Error, Occurrence
from sim_world import HORIZON, HOUR, INTERVAL, Worker, next_up

from tocsin.daemon.store.intervals import Interval, clipped, difference, intersection
from tocsin.daemon.tickets import chance, evidence
from tocsin.daemon.tickets import runs as judged
from tocsin.daemon.tickets.evidence import NotSeen, Process, Restart, Rule, Silence, WaitingFor
from tocsin.daemon.tickets.recurrence import same_after_correction
from tocsin.daemon.tickets.releases import FixedIn, fixed_in
from tocsin.daemon.tickets.runs import Runs

WATCH = 24 * HOUR
ALWAYS: list[Interval] = [(0.0, HORIZON)]
SEEN_RULE = Rule(duration=WATCH, min_seen=0.9, max_chance=1.0, unseen_after=72 * HOUR)
EPHEMERAL = 0.5 * HOUR
CHANGED = "total=prices[str(sku)]"


class Policy(Struct, frozen=True):
    """One rule by which tickets close."""

    name: str
    rule: Rule = SEEN_RULE
    ours: bool = False
    """It judges evidence."""
    tells_apart: bool = False
    """Kinds of processes, releases, losses, runs."""
    by_stamp: bool = False
    """Time stamps are believed as they come."""
    newer_release: bool = False
    by_line: bool = False
    """The signature holds the line number, so that a deploy that shifts lines makes a new error of it."""
    corrections: bool = True
    """A recorded correction restarts the watch."""

    def gated(self, most: float, name: str = "") -> Policy:
        """The same with another `max_chance`."""
        return structs.replace(
            self, name=name or f"max_chance = {most:g}", rule=structs.replace(self.rule, max_chance=most)
        )


OURS = Policy("Tocsin", ours=True, tells_apart=True)
BEFORE = Policy("before releases and runs", ours=True)
CLOCK = Policy("24 h by the clock", by_line=True)
LAST = Policy("last occurrence only", by_stamp=True, corrections=False)
NEWER = Policy("a newer release was seen", by_stamp=True, newer_release=True, corrections=False)


class Days(Struct, frozen=True):
    """What every error shares: where a daemon is up, and when its hourly checks are."""

    up: list[Interval]
    checks: list[float]


def days(up: list[Interval]) -> Days:
    """One check an hour while a daemon is up, and one when it comes back."""
    hours = [hour * HOUR for hour in range(int(HORIZON / HOUR))]
    return Days(up, sorted({next_up(up, at) for at in hours} - {math.inf}))


def signature(error: Error, policy: Policy, one: Occurrence) -> tuple[bool, int]:
    """What tells occurrences of the same bug apart, under the policy."""
    changed = one.changed
    if policy.ours and changed:
        recorded = error.corrected_at is not None and error.corrected_at <= one.received
        changed = not (recorded and _stands_in(error.new_code))
    return changed, one.worker.version if policy.by_line else 0


@lru_cache
def _stands_in(new_code: str) -> bool:
    return same_after_correction(CHANGED, new_code)


def release(worker: Worker) -> str:
    return f"v{worker.version:03}"


def fix_of(error: Error, now: float) -> FixedIn | None:
    """What the product knows at a moment of the release that has the correction; None without one, or releases."""
    applied = error.corrected_at
    if applied is None or applied > now or not error.service.tells_releases:
        return None
    out = [(f"v{version:03}", at) for version, at in enumerate(error.service.out_since()) if at <= now]
    named = None if error.fixed_in is None else f"v{error.fixed_in:03}"
    return fixed_in(named, applied, sorted(out, key=lambda pair: (pair[1], pair[0])))


def least_version(fix: FixedIn | None) -> int:
    """The first version that has the correction."""
    if fix is None:
        return 0
    return 10**6 if fix.waits else int(fix.release[1:])


class Witness(Struct):
    """What a daemon knows of one error's silence under an evidence rule, gathered from the world."""

    error: Error
    policy: Policy
    up: list[Interval]
    opened: list[list[float]] = []
    """When a ticket was open: its function is counted then."""

    def silence(self, known: Sequence[Occurrence], since: float, tests: str, now: float) -> Silence:
        """All that `evidence.judge` asks for."""
        applied = self.error.corrected_at
        up = clipped(self.up, 0.0, now)
        corrected = self.policy.corrections and applied is not None and applied <= now
        failed = {int(one.at // HOUR) for one in known}
        first = known[0].at
        plain = {"quiet_since": since, "up": up, "failed_tests": tests == "failed", "corrected": corrected}
        if not self.policy.tells_apart:
            seen = self.error.service.seen("", 0, hearing=False, up=self.up)
            held = evidence.held_back(self._processes(up, now), up, since, self.policy.rule.unseen_after)
            return Silence(
                **plain, seen=seen, last_seen_alive=_last(seen, now), held_back=held,
                before=chance.hours_before(failed, seen, first, since),
            )  # fmt: skip
        roles = sorted({one.worker.role for one in known})
        fix = fix_of(self.error, now)
        each = [self._seen(role, least_version(fix)) for role in roles]
        seen, before = _together(each), _together(self._seen(role, 0) for role in roles)
        told = _together(
            self.error.service.seen(role, least_version(fix), hearing=False, up=self.up) for role in roles
        )
        gone_after = self.rule.unseen_after
        expected = [
            one for one in self._processes(up, now) if not evidence.is_written_off(one, up, gone_after)
        ]
        return Silence(
            **plain, seen=seen, last_seen_alive=min((_last(one, now) or 0.0 for one in each), default=None) or None,
            held_back=evidence.held_back(expected, up, since, gone_after),
            before=chance.hours_before(failed, before, first, since),
            runs=self._runs(known, roles, since, fix, now), restarts=self._restarts(fix, now),
            not_seen=NotSeen(untold=difference(told, seen)),
        )  # fmt: skip

    @property
    def rule(self) -> Rule:
        if self.policy.tells_apart and self.error.service.ephemeral:
            return structs.replace(self.policy.rule, unseen_after=EPHEMERAL)
        return self.policy.rule

    def _seen(self, role: str, least: int) -> list[Interval]:
        return self.error.service.seen(role, least, hearing=True, up=self.up)

    def _processes(self, up: Sequence[Interval], now: float) -> list[Process]:
        workers = self.error.service.workers
        return [_process(one, up, now) for one in workers if one.start <= now]

    def _restarts(self, fix: FixedIn | None, now: float) -> list[Restart]:
        back = [next_up(self.up, one.until) for one in self.error.service.losses]
        found = [Restart(WaitingFor.LOSS, at) for at in back if at <= now]
        return found if fix is None else [*found, Restart(WaitingFor.RELEASE, fix.deployed_at, fix.release)]

    def _runs(
        self, known: Sequence[Occurrence], roles: Sequence[str], since: float, fix: FixedIn | None, now: float
    ) -> Runs | str:
        """As the product counts them: while a ticket is open; of each kind that logged the error."""
        if not self.error.service.counts_runs:
            return "no_monitoring"
        lost = max((one.at or 0.0 for one in self._restarts(None, now)), default=0.0)
        return judged.together(
            {role: self._counted(role, known, max(since, lost), least_version(fix), now) for role in roles}
        )

    def _counted(
        self, role: str, known: Sequence[Occurrence], since: float, least: int, now: float
    ) -> Runs | str:
        clean = self.error.clean[role]
        own = [one.at for one in known if one.worker.role == role]
        before = failed = after = 0
        hours: set[int] = set()
        for begun, ended in self.opened:
            begun, ended = begun + 2 * INTERVAL, min(ended, now)
            hits = sum(begun <= at <= ended for at in own)
            quiet = min(max(since, begun), ended)
            failed += hits
            hours |= {int(at // HOUR) for at in own if begun <= at <= ended}
            before += (
                hits
                + clean.count(begun, quiet)
                + clean.count(quiet, ended)
                - clean.count(quiet, ended, least)
            )
            after += clean.count(quiet, ended, least)
        return Runs("place", after, before, failed, failing_hours=len(hours))


def _last(seen: Sequence[Interval], now: float) -> float | None:
    return max((min(end, now) for start, end in seen if start <= now), default=None)


def _together(parts: Iterable[list[Interval]]) -> list[Interval]:
    found: list[Interval] | None = None
    for part in parts:
        found = part if found is None else intersection(found, part)
    return found or []


def _process(worker: Worker, up: Sequence[Interval], now: float) -> Process:
    """The worker as the daemon knows it at `now`."""
    end = min(worker.heard_until, now)
    heard = max((min(stop, end) for start, stop in up if start <= end), default=worker.start)
    ended_at = worker.end if worker.goodbye and worker.end <= now and heard >= worker.end else None
    backlog = worker.backlog if worker.cut_at <= now else 0
    emptied = worker.adopted_at <= now
    if emptied:
        heard, backlog = max(heard, worker.adopted_at), 0
    return Process(0, str(worker.host), worker.start, heard, INTERVAL, backlog, ended_at, emptied=emptied)
