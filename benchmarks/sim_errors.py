"""What really happens to the errors of a simulated service: when their code runs and fails, what becomes of them.

An error fails a share of its runs, evenly or in bursts; its code is called always, on some days only, or from some
day on no more.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate

from msgspec import Struct
from sim_world import DAY, HORIZON, HOUR, HOURS, SCHEDULER, WEB, WORKER, Service, Worker, next_up

from tocsin.daemon.store.intervals import Interval, clipped, length

CHANGED_STATEMENT = "total = prices[str(sku)]"
FATES = {"fixed": 45, "wrong": 20, "changed": 10, "none": 15, "by itself": 10}
FEW = 400
"""Expected clean runs of a role up to which each has its moment; of more only the number in each hour is known."""


class Occurrence(Struct, frozen=True):
    """One time the error was logged, and when the daemon got to know."""

    at: float
    received: float
    worker: Worker
    changed: bool
    """The failing statement is the one that a wrong correction put there."""

    @property
    def told_at(self) -> float:
        """By the clock of its process."""
        return self.at + self.worker.clock


class CleanRuns(Struct):
    """How often the code ran without failing, in the processes of one role, by version."""

    moments: dict[int, list[float]] = {}
    totals: dict[int, list[float]] = {}
    """Per version the runs until the end of each hour, where there are many."""

    def count(self, since: float, until: float, least: int = 0) -> int:
        """Runs in that time in processes of this version or a later one."""
        few = sum(
            bisect_right(at, until) - bisect_right(at, since)
            for version, at in self.moments.items()
            if version >= least
        )
        return few + sum(
            int(_total(at, until)) - int(_total(at, since))
            for version, at in self.totals.items()
            if version >= least
        )


def _total(totals: Sequence[float], at: float) -> float:
    hour = min(int(at // HOUR), HOURS - 1)
    before = totals[hour - 1] if hour else 0.0
    return before + (totals[hour] - before) * min(at / HOUR - hour, 1.0)


class Pattern(Struct):
    """When its code is called and fails."""

    called: list[Interval]
    bursts: list[Interval]
    """Empty: it fails evenly."""
    share: float
    """Of the time that is in bursts."""

    def is_called(self, at: float) -> bool:
        return _inside(self.called, at)

    def between_bursts(self, since: float, until: float) -> bool:
        """Whether bursts take less than a tenth of that time."""
        return bool(self.bursts) and length(clipped(self.bursts, since, until)) < 0.1 * (until - since)

    def uncalled(self, since: float, until: float) -> float:
        """Seconds of that time in which nobody calls it."""
        return until - since - length(clipped(self.called, since, until))


class Error(Struct):
    """One error and its fate: corrected, corrected wrongly, left alone, or gone by itself."""

    service: Service
    fate: str
    rate: float
    """Occurrences a second, on average where it is called."""
    occurrences: list[Occurrence]
    """By the moment the daemon got to know."""
    truth: list[Occurrence]
    """By the moment they happened; also those never told."""
    clean: dict[str, CleanRuns]
    """By role."""
    pattern: Pattern
    gone_at: float
    """From then on the code that runs does not have it, infinite when it always has."""
    corrected_at: float | None
    fixed_in: int | None
    """The version that was named with the correction."""
    new_code: str
    tests: str
    """passed, failed or pending."""


def _inside(intervals: Sequence[Interval], at: float) -> bool:
    found = bisect_right(intervals, (at, math.inf)) - 1
    return found >= 0 and intervals[found][0] <= at < intervals[found][1]


def error(rng: random.Random, where: Service, up: Sequence[Interval], fate: str | None = None) -> Error:
    """An error of the service: when it begins, how often it comes, what becomes of it."""
    first = rng.uniform(0, 7) * DAY
    each = math.exp(rng.uniform(math.log(1 / (5 * DAY)), math.log(2 / HOUR)))
    fate = fate or rng.choices(list(FATES), list(FATES.values()))[0]
    corrected_at, fixed_in, version = (
        _correction(rng, where, first) if fate in _CORRECTED else (None, None, None)
    )
    gone_at = math.inf
    if fate == "by itself":
        gone_at = first + rng.uniform(0.1, 8) * DAY
    elif fate == "fixed" and version is not None:
        old = [one.start for one in where.workers if one.version >= version]
        gone_at = max(where.deploys[version - 1], _rolled_out(where, version)) if old else math.inf
    pattern = _pattern(rng, first)
    roles = _roles(rng, where)
    hosts = {role: len({one.host for one in where.workers if one.role == role}) for role in roles}
    rate = each * sum(hosts.values())
    truth: list[Occurrence] = []
    for worker in sorted(where.workers, key=lambda one: (one.start, one.host)):
        if worker.role not in roles or (
            fate == "fixed" and version is not None and worker.version >= version
        ):
            continue
        until = min(worker.end, gone_at) if fate == "by itself" else worker.end
        changed = fate == "changed" and version is not None and worker.version >= version
        begin = max(worker.start, first)
        moments = [] if truth or begin >= until else [begin + second for second in (0.0, 1.0, 2.0)]
        moments += _moments(rng, where, pattern, each, begin, until)
        for at in moments:
            if not any(role == worker.role and a <= at < b for role, a, b in where.deaf):
                truth.append(Occurrence(at, _received(where, worker, at, up), worker, changed))
    truth.sort(key=lambda one: one.at)
    ratio = math.exp(rng.uniform(0, math.log(3000)))
    tests = {"fixed": ("passed", 0.7), "wrong": ("failed", 0.6), "changed": ("failed", 0.4)}.get(fate)
    return Error(
        where, fate, rate, sorted((one for one in truth if one.received < HORIZON), key=lambda one: one.received),
        truth, {role: _clean(rng, where, role, pattern, each * hosts[role] * ratio) for role in roles},
        pattern, gone_at, corrected_at, fixed_in,
        new_code=CHANGED_STATEMENT if fate == "changed" else "total = prices.get(sku, 0)",
        tests=tests[0] if tests and rng.random() < tests[1] else "pending",
    )  # fmt: skip


_CORRECTED = ("fixed", "wrong", "changed")


def _correction(
    rng: random.Random, where: Service, first: float
) -> tuple[float | None, int | None, int | None]:
    """(when it is recorded, the version named with it, the version that has it)."""
    wanted = first + math.exp(rng.uniform(math.log(HOUR), math.log(4 * DAY)))
    version = next((number for number, at in enumerate(where.deploys, 1) if at >= wanted), None)
    if version is None:
        return (wanted if wanted < HORIZON else None), None, None
    if rng.random() < 0.7:
        return wanted, None, version
    late = where.deploys[version - 1] + 600
    return (late if late < HORIZON else None), (version if rng.random() < 0.7 else None), version


def _rolled_out(where: Service, version: int) -> float:
    """When the last process of a kind that is replaced by this version began; those that live on do not count."""
    begun: dict[tuple[str, int], float] = {}
    for one in where.workers:
        if one.version >= version:
            key = (one.role, one.host)
            begun[key] = min(begun.get(key, math.inf), one.start)
    deployed = where.deploys[version - 1]
    return max((at for at in begun.values() if at < deployed + 1.1 * DAY), default=deployed)


def _roles(rng: random.Random, where: Service) -> list[str]:
    """In which kinds of process its code runs."""
    if WORKER not in where.roles:
        return [rng.choice(where.roles)] if SCHEDULER in where.roles else [WEB]
    return rng.choices(([WEB], [WORKER], [WEB, WORKER]), (45, 35, 20))[0]


def _pattern(rng: random.Random, first: float) -> Pattern:
    called, at = [(0.0, HORIZON)], first + rng.uniform(0.1, 6) * DAY
    draw = rng.random()
    if draw < 0.08:
        called = [(0.0, at)]
    elif draw < 0.2:
        called = [(0.0, at)]
        while at < HORIZON:
            at += rng.uniform(1, 8) * DAY
            called.append((at, at := at + rng.uniform(0.2, 3) * DAY))
    bursts: list[Interval] = []
    if rng.random() < 0.35:
        long, gap = rng.uniform(0.1, 4) * HOUR, rng.uniform(0.2, 3) * DAY
        at = first
        while at < HORIZON:
            end = at + rng.expovariate(1 / long)
            bursts.append((at, end))
            at = end + rng.expovariate(1 / gap)
        return Pattern(called, bursts, long / (long + gap))
    return Pattern(called, [], 1.0)


def _moments(
    rng: random.Random, where: Service, pattern: Pattern, rate: float, begin: float, until: float
) -> list[float]:
    """When it fails in one process; a burst brings 30 an hour at most."""
    most = min(rate / pattern.share, max(rate, 30 / HOUR))
    found, at = [], begin
    while (at := at + rng.expovariate(most)) < until:
        if pattern.bursts and not _inside(pattern.bursts, at):
            later = bisect_left(pattern.bursts, (at, 0.0))
            if later == len(pattern.bursts):
                break
            at = pattern.bursts[later][0]  # Without memory, what is left to wait is as long again.
            continue
        if pattern.is_called(at) and rng.random() < where.traffic(at):
            found.append(at)
    return found


def _clean(rng: random.Random, where: Service, role: str, pattern: Pattern, rate: float) -> CleanRuns:
    hours: dict[int, list[float]] = {}
    for hour, shares in enumerate(where.work(role)):
        middle = (hour + 0.5) * HOUR
        if not shares or not pattern.is_called(middle):
            continue
        for version, share in shares:
            hours.setdefault(version, [0.0] * HOURS)[hour] = share * rate * HOUR * where.traffic(middle)
    found = CleanRuns({}, {})
    for version, expected in hours.items():
        if sum(expected) > FEW:
            found.totals[version] = list(accumulate(expected))
        else:
            found.moments[version] = _each(rng, expected)
    return found


def _each(rng: random.Random, expected: Sequence[float]) -> list[float]:
    """The moments of runs of which so many are expected in each hour."""
    found: list[float] = []
    left = rng.expovariate(1.0)
    for hour, many in enumerate(expected):
        at = 0.0
        while many - at > left:
            at += left
            found.append((hour + at / many) * HOUR)
            left = rng.expovariate(1.0)
        left -= many - at
    return found


def _received(where: Service, worker: Worker, at: float, up: Sequence[Interval]) -> float:
    if any(one.role == worker.role and one.since <= at < one.until for one in where.losses):
        return math.inf
    if at >= worker.cut_at:
        return next_up(up, worker.adopted_at)
    back = next_up(up, at)
    return back + 1.0 if back <= worker.end or back == at else worker.adopted_at
