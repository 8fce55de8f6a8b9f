"""Is the chance that a closing states true? One random watch of each error that nobody corrected and that goes on.

Each restart begins a watch. A watch *ends in silence* when its ticket closes before the error comes again. Of all
watches, the share that does so with a stated chance of at most x must be at most x. Two questions: what a closing
states where `max_chance` asks for nothing; and, for each x, how many close where `max_chance` is x.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence

from msgspec import Struct
from sim_errors import error
from sim_play import Play, by_signature
from sim_rules import OURS, Days, days
from sim_world import DAY, daemon_up, service

from tocsin.daemon.tickets.evidence import Finding, WaitingFor
from tocsin.daemon.tickets.runs import Runs
from tocsin.daemon.tickets.runs import chance as chance_of_runs

LEVELS = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
NEVER = 1e-12
"""A `max_chance` that no silence of this world reaches: what each would have closed is seen on the way."""
OFTEN = (0.2, 3.0)
"""Times a day that an error is to be expected, for the question whether the chance is uselessly large."""
LAST_BEGIN = 14 * DAY
"""Watches that begin later have too little time to end in silence."""


class Watched(Struct):
    """One watch of an error that goes on."""

    stated: float = 1.0
    """At its closing, where no chance is asked for; 1: it did not close."""
    least: float = 1.0
    """The smallest at which it would have closed, had that been asked for."""
    by_runs: bool = False
    """It follows from runs."""


class Calibrated(Struct):
    """What the watches of one seed say."""

    watches: list[Watched]
    often: list[Watched]
    """Those of errors that are to be expected 0.2 to 3 times a day."""


class Watching(Play):
    """A play in which nothing closes, and each watch is written down."""

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type]
        self.watches: list[Watched] = []
        self._one = Watched()

    def _end_watch(self, at: float, why: str) -> None:
        if self._quiet_since <= LAST_BEGIN and self._open:
            self.watches.append(self._one)
        self._one = Watched()

    def _judge(self, now: float) -> Finding | None:
        found = super()._judge(now)
        if found is not None and found.waiting is not None and found.waiting.kind is WaitingFor.CHANCE:
            chance = 1.0 if found.chance is None else found.chance
            if self._one.stated == 1.0:
                self._one.stated = chance
            self._one.least = min(self._one.least, chance)
            self._one.by_runs = isinstance(found.runs, Runs) and chance_of_runs(found.runs) is not None
            # What is waited for would skip the moments at which a larger chance is enough.
            return _at_once(found)
        return found


def _at_once(found: Finding) -> Finding:
    return Finding(
        found.verdict, found.quiet_seconds, found.seen_seconds, found.waiting, found.chance, 0.0, found.runs
    )


def watches(errors: int, seed: int, per_service: int = 20) -> dict[str, Calibrated]:
    """One random watch of each of so many errors, apart where runs are counted and where they are not."""
    rng = random.Random(seed)
    up = daemon_up()
    shared = days(up)
    found = {"hours": Calibrated([], []), "runs": Calibrated([], [])}
    for _ in range(-(-errors // per_service)):
        where = service(rng, up)
        for _ in range(per_service):
            one = error(rng, where, up, "none")
            every = [watch for told in by_signature(one, OURS) for watch in _of(one, told, shared)]
            if not every:
                continue
            chosen = rng.choice(every)
            kind = found["runs" if where.counts_runs else "hours"]
            kind.watches.append(chosen)
            if OFTEN[0] <= len(one.truth) / max((one.truth[-1].at - one.truth[0].at) / DAY, 1.0) <= OFTEN[1]:
                kind.often.append(chosen)
    return found


def _of(one: object, told: object, shared: Days) -> list[Watched]:
    play = Watching(one, OURS.gated(NEVER), shared, told)
    play.run()
    return play.watches


def share(watched: Sequence[Watched], level: float, *, gated: bool) -> tuple[float, float, float]:
    """(share that ends in silence with at most this chance, its 95 % interval)."""
    silent = sum((one.least if gated else one.stated) <= level for one in watched)
    return (silent / max(len(watched), 1), *interval(silent, len(watched)))


def interval(hits: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    if not of:
        return 0.0, 1.0
    z, at = 1.96, hits / of
    middle = (at + z * z / (2 * of)) / (1 + z * z / of)
    half = z * math.sqrt(at * (1 - at) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def added(parts: Iterable[dict[str, Calibrated]]) -> dict[str, Calibrated]:
    """What several seeds say together."""
    found: dict[str, Calibrated] = {}
    for part in parts:
        for kind, one in part.items():
            known = found.setdefault(kind, Calibrated([], []))
            known.watches += one.watches
            known.often += one.often
    return found
