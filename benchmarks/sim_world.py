"""What really happens in the simulated world: daemons, services, their processes, releases. Seeded.

Moments are seconds since the beginning. Nothing here knows a rule; `sim_rules` sees only what a daemon would. The
errors of a service are in `sim_errors`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence

from msgspec import Struct

from tocsin.daemon.store.intervals import Interval, clipped, difference, intersection, length, union

HOUR = 3600.0
DAY = 24 * HOUR
HORIZON = 28 * DAY
HOURS = int(HORIZON / HOUR)
INTERVAL = 15.0
"""Seconds between heartbeats."""
OUTAGES = ((3.2 * DAY, 0.5 * HOUR), (8.6 * DAY, 6 * HOUR), (14.1 * DAY, 30 * HOUR), (22.4 * DAY, 2 * HOUR))
"""(beginning, length) of the times without a daemon."""
OVERFLOW = 6 * HOUR
"""Without a daemon for longer, a small spool overflows."""
WEB, WORKER, SCHEDULER = "web", "worker", "scheduler"


class Worker(Struct):
    """One process: what is true of it, and when the daemon learns of it."""

    role: str
    host: int
    start: float
    end: float
    version: int
    goodbye: bool = True
    cut_at: float = math.inf
    """From then on the daemon hears nothing of it: its host vanishes."""
    backlog: int = 0
    """Its last word, when its host vanished in the middle of sending."""
    adopted_at: float = math.inf
    """When what it left behind is shipped by another process; infinite where its disk is gone."""
    clock: float = 0.0
    """Seconds that its clock is ahead."""

    @property
    def heard_until(self) -> float:
        return min(self.end, self.cut_at)


class Loss(Struct, frozen=True):
    """A spool that overflowed: what is logged in the interval is lost, and the daemon hears that it was."""

    role: str
    since: float
    until: float


class Service(Struct):
    """An application with its processes."""

    schedule: str
    workers: list[Worker]
    deploys: list[float]
    tells_releases: bool
    counts_runs: bool
    """Its processes run a Python that can count runs."""
    ephemeral: bool
    """It is declared so: what is not heard for half an hour is written off."""
    by_day: bool
    """It is used by day and little by night."""
    losses: list[Loss] = []
    deaf: list[tuple[str, float, float]] = []
    """(role, since, until) in which what it logs does not reach the handler, which knows it."""
    named_like_daemon: bool = False
    """Its host bears the daemon's name."""
    known: dict[object, list[Interval]] = {}
    """Where a daemon saw it, remembered by what was asked."""
    shares: dict[str, list[list[tuple[int, float]]]] = {}
    """Per role and hour (version, share of the role's work that its processes do)."""

    @property
    def roles(self) -> list[str]:
        return sorted({worker.role for worker in self.workers})

    def out_since(self) -> list[float]:
        """Per version the beginning of its first process."""
        found = [math.inf] * (len(self.deploys) + 1)
        for worker in self.workers:
            found[worker.version] = min(found[worker.version], worker.start)
        return found

    def seen(self, role: str, least: int, *, hearing: bool, up: Sequence[Interval]) -> list[Interval]:
        """Where a daemon saw processes of a role alive, of this version or a later one; '': of any role."""
        key = (role, least, hearing)
        if key not in self.known:
            heard = [
                (one.start, one.heard_until)
                for one in self.workers
                if role in ("", one.role) and one.version >= least and one.start < one.heard_until
            ]
            found = union(heard, gap=3 * INTERVAL)
            if hearing:
                found = difference(found, union((a, b) for name, a, b in self.deaf if role in ("", name)))
            self.known[key] = intersection(found, up)
        return self.known[key]

    def traffic(self, at: float) -> float:
        """How much it is used then, of 1."""
        if not self.by_day:
            return 1.0
        day, hour = int(at // DAY) % 7, at % DAY / HOUR
        busy = 1.0 if 8 <= hour < 20 else 0.1
        return busy * (0.3 if day >= 5 else 1.0)

    def work(self, role: str) -> list[list[tuple[int, float]]]:
        """Per hour (version, share of the hour's work of a role)."""
        if role not in self.shares:
            self.shares[role] = _shares([one for one in self.workers if one.role == role])
        return self.shares[role]


def _shares(workers: Sequence[Worker]) -> list[list[tuple[int, float]]]:
    alive = union((one.start, one.end) for one in workers)
    by_hour: list[dict[int, float]] = [{} for _ in range(HOURS)]
    for one in workers:
        for hour in range(int(one.start // HOUR), min(int(one.end // HOUR) + 1, HOURS)):
            lived = min(one.end, (hour + 1) * HOUR) - max(one.start, hour * HOUR)
            by_hour[hour][one.version] = by_hour[hour].get(one.version, 0.0) + max(lived, 0.0)
    found = []
    for hour, lived in enumerate(by_hour):
        total = sum(lived.values())
        open_for = length(clipped(alive, hour * HOUR, (hour + 1) * HOUR)) / HOUR if total else 0.0
        found.append([(version, open_for * part / total) for version, part in lived.items() if total])
    return found


def daemon_up() -> list[Interval]:
    """Where a daemon is up."""
    edges = [0.0, *(edge for start, length in OUTAGES for edge in (start, start + length)), HORIZON]
    return list(zip(edges[::2], edges[1::2], strict=True))


def next_up(up: Sequence[Interval], at: float) -> float:
    """The first moment from `at` on with a daemon."""
    return next((max(start, at) for start, end in up if end > at), math.inf)


def service(rng: random.Random, up: Sequence[Interval]) -> Service:
    """A service of a random kind, with releases, old workers that live on, hosts and containers that vanish."""
    kinds = ("steady", "office", "stopped", "vanishing", "containers")
    schedule = rng.choices(kinds, (35, 10, 12, 15, 28))[0]
    deploys = _deploys(rng)
    roles = [WEB]
    if rng.random() < 0.6:
        roles.append(WORKER)
    if rng.random() < 0.15:
        roles.append(SCHEDULER)
    workers: list[Worker] = []
    for role in roles:
        hosts = 1 if role == SCHEDULER else rng.randint(2 if schedule == "vanishing" else 1, 3)
        staged = [at + (rng.uniform(2, 24) * HOUR if rng.random() < 0.35 else 0.0) for at in deploys]
        for host in range(hosts):
            own = deploys if host == 0 else staged
            workers += _workers(rng, schedule, role, host, own)
    made = Service(
        schedule, workers, deploys,
        tells_releases=rng.random() < 0.7, counts_runs=rng.random() < 0.5,
        ephemeral=schedule == "containers" and rng.random() < 0.5, by_day=rng.random() < 0.6,
    )  # fmt: skip
    _go_wrong(rng, made, up)
    return made


def _go_wrong(rng: random.Random, made: Service, up: Sequence[Interval]) -> None:
    """What may be the matter: dead workers, clocks, a logger that is switched off, a spool that is too small."""
    if WORKER in made.roles and rng.random() < 0.25:
        dead = rng.uniform(2, 20) * DAY
        _interrupt(made.workers, WORKER, dead, dead + rng.uniform(1, 7) * DAY)
    if made.schedule == "containers":
        made.workers[:] = [part for one in made.workers for part in _replaced(rng, one)]
    for host in range(3):
        own = [worker for worker in made.workers if worker.host == host]
        if made.schedule != "containers":
            for role in made.roles:
                _adopt([worker for worker in own if worker.role == role], up)
        if rng.random() < 0.06:
            ahead = rng.choice((-1, 1)) * math.exp(rng.uniform(math.log(60), math.log(2 * DAY)))
            made.named_like_daemon = rng.random() < 0.3
            for worker in own:
                worker.clock = ahead
    if rng.random() < 0.06 and made.deploys:
        since = rng.choice(made.deploys)
        made.deaf.append((rng.choice(made.roles), since, since + rng.uniform(0.3, 4) * DAY))
    if rng.random() < 0.12:
        role = rng.choice(made.roles)
        made.losses += [Loss(role, at + OVERFLOW, at + long) for at, long in OUTAGES if long > OVERFLOW]


def _deploys(rng: random.Random) -> list[float]:
    found, at = [], 0.0
    while (at := at + rng.uniform(1.5, 8) * DAY) < HORIZON:
        found.append(at)
    return found


def _on(rng: random.Random, schedule: str) -> list[Interval]:
    """When the service is meant to run."""
    if schedule == "office":
        return [(day * DAY + 8 * HOUR, day * DAY + 18 * HOUR) for day in range(int(HORIZON / DAY))]
    if schedule == "stopped":
        stop = rng.uniform(1.5, 12) * DAY
        back = stop + rng.uniform(2, 10) * DAY if rng.random() < 0.6 else HORIZON
        return [(0.0, stop), *([(back, HORIZON)] if back < HORIZON else [])]
    return [(0.0, HORIZON)]


def _workers(
    rng: random.Random, schedule: str, role: str, host: int, deploys: Sequence[float]
) -> list[Worker]:
    found: list[Worker] = []
    for start, end in _on(rng, schedule) if host == 0 or schedule != "stopped" else []:
        cuts = [at for at in deploys if start < at < end]
        for begin, stop in zip([start, *cuts], [*cuts, end], strict=True):
            version = sum(at <= begin for at in deploys)
            lives_on = rng.uniform(0.1, 8) * DAY if stop in deploys and rng.random() < 0.12 else 0.0
            began = begin + rng.uniform(0, 60)
            if began < min(stop + lives_on, end):
                found.append(Worker(role, host, began, min(stop + lives_on, end), version, stop < HORIZON))
    if schedule == "vanishing" and host == 1:
        _vanish(rng, found)
    return found


def _vanish(rng: random.Random, workers: list[Worker]) -> None:
    """The host is cut off, goes on for a while and is gone; perhaps its disk comes back later."""
    at = rng.uniform(1, 20) * DAY
    gone = at + rng.uniform(0, 20) * HOUR
    back = gone + rng.uniform(0.2, 6) * DAY if rng.random() < 0.6 else math.inf
    workers[:] = [worker for worker in workers if worker.start < at]
    for worker in workers:
        if worker.end > at:
            worker.cut_at, worker.end, worker.goodbye = at, min(worker.end, gone), False
            worker.backlog, worker.adopted_at = (500 if rng.random() < 0.8 else 0), back


def _replaced(rng: random.Random, worker: Worker) -> Iterable[Worker]:
    """A container is replaced now and then, mostly killed, and its disk goes with it."""
    start = worker.start
    while start < worker.end:
        end = min(start + rng.expovariate(1 / (4 * DAY)), worker.end)
        yield Worker(worker.role, worker.host, start, end, worker.version, goodbye=rng.random() < 0.4)
        start = end + rng.uniform(1, 60)


def _interrupt(workers: list[Worker], role: str, since: float, until: float) -> None:
    """No process of a role lives in that time."""
    for one in list(workers):
        if one.role == role and one.start < until and one.end > since:
            workers.remove(one)
            if one.start < since:
                workers.append(Worker(role, one.host, one.start, since, one.version, goodbye=False))
            if one.end > until:
                workers.append(Worker(role, one.host, until, one.end, one.version, one.goodbye))


def _adopt(workers: list[Worker], up: Sequence[Interval]) -> None:
    """Who ends without a daemon, or without a word, is adopted by the next process of its host."""
    for worker in workers:
        if worker.cut_at < math.inf or (worker.goodbye and next_up(up, worker.end) == worker.end):
            continue
        later = [other.end for other in workers if other.start <= worker.end < other.end]
        begins = [other.start for other in workers if other.start > worker.end]
        lives = worker.end if later else min(begins, default=math.inf)
        worker.adopted_at = next_up(up, lives) + 30
