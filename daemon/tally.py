"""What the events of one transaction add up to, per error. Pure: no database, no clock."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from tocsin.daemon.sign import Signature
from tocsin.handler.event import Event, Place

SAMPLES_AT_ONCE = 4
"""Full events kept per error from one transaction: its first ones and its newest."""


class Occurrences(Struct):
    """The occurrences of one error for one client in one session: what reopening has to know."""

    first_at: float
    last_at: float
    count: int = 0


class Sampled(Struct, frozen=True):
    """A full event on its way into the samples."""

    event: Event
    places: list[Place]
    session_id: str
    position: int
    at: float
    client: str


class Sum(Struct):
    """All that one error gets from one transaction. `client` is '' where there is none."""

    signature: Signature
    event: Event
    """The newest full event, and `places` what its frames name."""
    places: Mapping[tuple[str, int], Place]
    session_id: str
    first_at: float = math.inf
    last_at: float = -math.inf
    count: int = 0
    hours: dict[tuple[str, int], int] = {}
    moments: list[tuple[float, str]] = []
    """Every occurrence as (moment, client), as they came."""
    hits: dict[tuple[str, str], Occurrences] = {}
    """By (client, session)."""
    samples: list[Sampled] = []

    def add(self, at: float, client: str, session_id: str, count: int = 1) -> None:
        """Counts `count` occurrences at one moment."""
        self.count += count
        self.first_at = min(self.first_at, at)
        self.last_at = max(self.last_at, at)
        slot = (client, int(at // 3600))
        self.hours[slot] = self.hours.get(slot, 0) + count
        self.moments.extend([(at, client)] * min(count, 1000))
        hit = self.hits.get((client, session_id))
        if hit is None:
            hit = self.hits[client, session_id] = Occurrences(at, at)
        hit.first_at, hit.last_at = min(hit.first_at, at), max(hit.last_at, at)
        hit.count += count

    def keep(self, sample: Sampled) -> None:
        """Remembers a full event: the first ones, and always the newest."""
        if len(self.samples) >= SAMPLES_AT_ONCE:
            self.samples.pop()
        self.samples.append(sample)
        if sample.at >= self.last_at:
            self.event, self.session_id = sample.event, sample.session_id


def merged_moments(
    known: Iterable[Sequence[object]], added: Iterable[tuple[float, str]], keep: int
) -> list[tuple[float, str]]:
    """The newest `keep` of both, sorted: enough for an exact threshold, also with late ones."""
    both = [(float(str(at)), str(client)) for at, client in known]
    return sorted([*both, *added])[-keep:]


def thin(moments: Sequence[float], keep: int) -> list[int]:
    """Indexes to drop so that `keep` of the sorted moments stay: the first, the newest, a spread between."""
    left = list(range(len(moments)))
    dropped: list[int] = []
    newest = max(keep // 4, 1)
    while len(left) > max(keep, 1):
        inner = range(1, max(len(left) - newest, 2)) if len(left) > 1 else range(1)
        candidates = [i for i in inner if i < len(left) - 1] or [0]
        least = min(candidates, key=lambda i: moments[left[i + 1]] - moments[left[max(i - 1, 0)]])
        dropped.append(left.pop(least))
    return dropped
