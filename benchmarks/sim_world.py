"""What really happens in the simulated world: daemons, services, their processes, deploys, errors. Seeded.

Moments are seconds since the beginning. Nothing here knows a rule; `sim_rules` sees only what a daemon would.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from collections.abc import Sequence

from msgspec import Struct

from tocsin.daemon.store.intervals import Interval, intersection, union

HOUR = 3600.0
DAY = 24 * HOUR
HORIZON = 21 * DAY
INTERVAL = 15.0
"""Seconds between heartbeats."""
OUTAGES = ((3.2 * DAY, 0.5 * HOUR), (8.6 * DAY, 6 * HOUR), (14.1 * DAY, 30 * HOUR))
"""(beginning, length) of the times without a daemon."""
CHANGED_STATEMENT = "total = prices[str(sku)]"


class Worker(Struct):
    """One process: what is true of it, and when the daemon learns of it."""

    host: int
    start: float
    end: float
    version: int
    """Deploys before it began."""
    goodbye: bool = True
    cut_at: float = math.inf
    """From then on the daemon hears nothing of it: its host vanishes."""
    backlog: int = 0
    """Its last word, when its host vanished in the middle of sending."""
    adopted_at: float = math.inf
    """When what it left behind is shipped by another process."""


class Occurrence(Struct, frozen=True):
    """One time the error was logged, and when the daemon got to know."""

    at: float
    received: float
    worker: Worker
    changed: bool
    """The failing statement is the one that a wrong correction put there."""
    line: int
    """Deploys that had shifted the lines until then."""


class Service(Struct):
    """An application with its processes."""

    kind: str
    workers: list[Worker]
    deploys: list[float]
    alive: list[Interval] = []
    """Where it really ran."""
    seen: list[Interval] = []
    """Where a daemon saw it alive."""


class Error(Struct):
    """One error and its fate: corrected, corrected wrongly, left alone, or gone by itself."""

    service: Service
    fate: str
    rate: float
    """Occurrences a second of one process."""
    occurrences: list[Occurrence]
    """By the moment the daemon got to know."""
    truth: list[Occurrence]
    """By the moment they happened; also those never told."""
    gone_at: float
    """From then on the code that runs does not have it, infinite when it always has."""
    corrected_at: float | None
    new_code: str
    tests: str
    """passed, failed or pending."""


def daemon_up() -> list[Interval]:
    """Where a daemon is up."""
    edges = [0.0, *(edge for start, length in OUTAGES for edge in (start, start + length)), HORIZON]
    return list(zip(edges[::2], edges[1::2], strict=True))


def service(rng: random.Random, up: Sequence[Interval]) -> Service:
    """A service of a random kind, with deploys, old workers that live on, hosts that vanish."""
    kind = rng.choices(("steady", "office", "stopped", "vanishing"), (50, 15, 15, 20))[0]
    deploys = _deploys(rng)
    hosts = rng.randint(2, 3) if kind == "vanishing" else rng.randint(1, 3)
    workers = [worker for host in range(hosts) for worker in _workers(rng, kind, host, deploys)]
    for host in range(hosts):
        _adopt([worker for worker in workers if worker.host == host], up)
    made = Service(kind, workers, deploys)
    made.alive = union((worker.start, worker.end) for worker in workers)
    heard = union(((w.start, min(w.end, w.cut_at)) for w in workers if w.start < w.cut_at), gap=3 * INTERVAL)
    made.seen = intersection(heard, up)
    return made


def _deploys(rng: random.Random) -> list[float]:
    found, at = [], 0.0
    while (at := at + rng.uniform(2, 8) * DAY) < HORIZON:
        found.append(at)
    return found


def _on(rng: random.Random, kind: str) -> list[Interval]:
    """When the service is meant to run."""
    if kind == "office":
        return [(day * DAY + 8 * HOUR, day * DAY + 18 * HOUR) for day in range(int(HORIZON / DAY))]
    if kind == "stopped":
        stop = rng.uniform(1.5, 12) * DAY
        back = stop + rng.uniform(2, 10) * DAY if rng.random() < 0.6 else HORIZON
        return [(0.0, stop), *([(back, HORIZON)] if back < HORIZON else [])]
    return [(0.0, HORIZON)]


def _workers(rng: random.Random, kind: str, host: int, deploys: Sequence[float]) -> list[Worker]:
    found: list[Worker] = []
    for start, end in _on(rng, kind) if host == 0 or kind != "stopped" else []:
        cuts = [at for at in deploys if start < at < end]
        for begin, stop in zip([start, *cuts], [*cuts, end], strict=True):
            version = bisect_left(deploys, begin + 1.0)
            lives_on = rng.uniform(0.1, 8) * DAY if stop in deploys and rng.random() < 0.2 else 0.0
            found.append(
                Worker(host, begin + rng.uniform(0, 60), min(stop + lives_on, end), version, stop < HORIZON)
            )
    if kind == "vanishing" and host == 1:
        _vanish(rng, found)
    return found


def _vanish(rng: random.Random, workers: list[Worker]) -> None:
    """The host is cut off, goes on for a while and is gone; perhaps its disk comes back later."""
    at = rng.uniform(1, 15) * DAY
    gone = at + rng.uniform(0, 20) * HOUR
    back = gone + rng.uniform(0.2, 6) * DAY if rng.random() < 0.6 else math.inf
    workers[:] = [worker for worker in workers if worker.start < at]
    for worker in workers:
        if worker.end > at:
            worker.cut_at, worker.end, worker.goodbye = at, min(worker.end, gone), False
            worker.backlog, worker.adopted_at = (500 if rng.random() < 0.8 else 0), back


def _adopt(workers: list[Worker], up: Sequence[Interval]) -> None:
    """Who ends without a daemon is adopted by the next process of its host."""
    for worker in workers:
        if worker.cut_at < math.inf or next_up(up, worker.end) == worker.end:
            continue
        later = [other.end for other in workers if other.start <= worker.end < other.end]
        begins = [other.start for other in workers if other.start > worker.end]
        lives = worker.end if later else min(begins, default=math.inf)
        worker.adopted_at = next_up(up, lives) + 30


def next_up(up: Sequence[Interval], at: float) -> float:
    """The first moment from `at` on with a daemon."""
    return next((max(start, at) for start, end in up if end > at), math.inf)


def error(rng: random.Random, where: Service, up: Sequence[Interval]) -> Error:
    """An error of the service: when it begins, how often it comes, what becomes of it."""
    first = rng.uniform(0, 7) * DAY
    rate = math.exp(rng.uniform(math.log(1 / (30 * HOUR)), math.log(2 / HOUR)))
    fate = rng.choices(("fixed", "wrong", "changed", "none", "by itself"), (45, 20, 10, 15, 10))[0]
    corrected_at, deployed = None, math.inf
    if fate in ("fixed", "wrong", "changed"):
        wanted = first + math.exp(rng.uniform(math.log(HOUR), math.log(4 * DAY)))
        deployed = next((at for at in where.deploys if at >= wanted), math.inf)
        corrected_at = wanted if rng.random() < 0.5 or deployed == math.inf else deployed + 600
        corrected_at = corrected_at if corrected_at < HORIZON else None
    gone_at = {"fixed": deployed, "by itself": first + rng.uniform(0.1, 6) * DAY}.get(fate, math.inf)
    truth = sorted(_truth(rng, where, fate, first, rate, gone_at, deployed, up), key=lambda one: one.at)
    told = sorted((one for one in truth if one.received < HORIZON), key=lambda one: one.received)
    tests = {"fixed": ("passed", 0.7), "wrong": ("failed", 0.6), "changed": ("failed", 0.4)}.get(fate)
    return Error(
        where, fate, rate, told, truth, gone_at, corrected_at,
        new_code=CHANGED_STATEMENT if fate == "changed" else "total = prices.get(sku, 0)",
        tests=tests[0] if tests and rng.random() < tests[1] else "pending",
    )  # fmt: skip


def _truth(
    rng: random.Random, where: Service, fate: str, first: float, rate: float, gone_at: float,
    deployed: float, up: Sequence[Interval],
) -> list[Occurrence]:  # fmt: skip
    found = []
    fixed_version = bisect_left(where.deploys, deployed) + 1 if deployed < math.inf else 10**6
    burst = False
    for worker in where.workers:
        begin, end = max(worker.start, first), worker.end
        if fate == "by itself":
            end = min(end, gone_at)
        if fate == "fixed" and worker.version >= fixed_version:
            continue
        if begin >= end:
            continue
        moments = [begin + second for second in (0.0, 1.0, 2.0)] if not burst else []
        burst = True
        at = begin
        while (at := at + rng.expovariate(rate)) < end:
            moments.append(at)
        changed = fate == "changed" and worker.version >= fixed_version
        for at in moments:
            received = _received(worker, at, up)
            found.append(Occurrence(at, received, worker, changed, worker.version))
    return found


def _received(worker: Worker, at: float, up: Sequence[Interval]) -> float:
    if at >= worker.cut_at:
        return next_up(up, worker.adopted_at)
    back = next_up(up, at)
    return back + 1.0 if back <= worker.end or back == at else worker.adopted_at
