"""What the events of one transaction add up to, per error. Pure: no database, no clock.

While events come they are only appended; sums are made once, when the transaction is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from msgspec import Raw, Struct

from tocsin.daemon.grouping.sign import Signature
from tocsin.handler.protocol.event import CodeLocation, Event

SAMPLES_AT_ONCE = 4
"""Full events kept per error from one transaction: its first ones and its newest."""
MOMENTS_OF_MANY = 1000
"""Moments told of a record that stands for many occurrences, at most: no threshold asks for more."""


class Occurrences:
    """The occurrences of one error for one client in one session. Its sums hold once nothing is added."""

    def __init__(self) -> None:
        self.moments: list[float] = []
        self.many: list[tuple[float, int]] = []
        """(moment, how many) of records that stand for more than one occurrence."""

    def add(self, at: float, count: int = 1) -> None:
        """Counts `count` occurrences at one moment."""
        if count == 1:
            self.moments.append(at)
        elif count:
            self.many.append((at, count))

    @cached_property
    def count(self) -> int:
        return len(self.moments) + sum(count for _, count in self.many)

    @cached_property
    def first_at(self) -> float:
        return min([*self.moments, *(at for at, _ in self.many)])

    @cached_property
    def last_at(self) -> float:
        return max([*self.moments, *(at for at, _ in self.many)])

    def hours(self) -> Mapping[int, int]:
        """Occurrences by hour since the epoch."""
        if int(self.first_at // 3600) == int(self.last_at // 3600):
            return {int(self.first_at // 3600): self.count}
        found = Counter(int(at // 3600) for at in self.moments)
        for at, count in self.many:
            found[int(at // 3600)] += count
        return found

    def each(self) -> Iterator[float]:
        """The moment of every occurrence."""
        yield from self.moments
        for at, count in self.many:
            yield from [at] * min(count, MOMENTS_OF_MANY)


class Sampled(Struct, frozen=True):
    """A full event on its way into the samples: `event` is what was decoded of `body`, the whole."""

    event: Event
    signature: Signature
    body: Raw
    locations: Mapping[tuple[str, int], CodeLocation]
    """Those of its batch: more than the event names."""
    session_id: str
    position: int
    at: float
    client: str


class Sum:
    """All that one error gets from one transaction."""

    def __init__(
        self,
        signature: Signature,
        event: Event,
        locations: Mapping[tuple[str, int], CodeLocation],
        session_id: str,
    ) -> None:
        self.signature = signature
        """The newest event's: all have its hash, and not all its line."""
        self.event = event
        """The newest event, in full unless only repeats came; `locations` holds what its frames name."""
        self.locations = locations
        self.session_id = session_id
        self.hits: dict[tuple[str, str], Occurrences] = {}
        """By (client, session); a client is '' where there is none."""
        self._first: list[Sampled] = []
        self._newest: Sampled | None = None
        self._event_at = float("-inf")

    def hit(self, client: str, session_id: str) -> Occurrences:
        """Where the occurrences of a client in a session are counted."""
        found = self.hits.get((client, session_id))
        if found is None:
            found = self.hits[client, session_id] = Occurrences()
        return found

    def should_sample(self, at: float) -> bool:
        """Whether a full event of that moment is to be kept: the first ones are, and always the newest."""
        return len(self._first) < SAMPLES_AT_ONCE - 1 or at >= self._event_at

    def add_sample(self, sample: Sampled) -> None:
        """Remembers a full event."""
        if len(self._first) < SAMPLES_AT_ONCE - 1:
            self._first.append(sample)
        else:
            self._newest = sample
        if sample.at >= self._event_at:
            self._event_at = sample.at
            self.event, self.signature = sample.event, sample.signature
            self.locations, self.session_id = sample.locations, sample.session_id

    @property
    def samples(self) -> list[Sampled]:
        return [*self._first, self._newest] if self._newest else self._first

    @cached_property
    def count(self) -> int:
        return sum(hit.count for hit in self.hits.values())

    @cached_property
    def first_at(self) -> float:
        return min(hit.first_at for hit in self.hits.values())

    @cached_property
    def last_at(self) -> float:
        return max(hit.last_at for hit in self.hits.values())

    def moments(self) -> Iterator[tuple[float, str]]:
        """Every occurrence as (moment, client)."""
        for (client, _), hit in self.hits.items():
            for at in hit.each():
                yield at, client


def merged_moments(
    known: Iterable[Sequence[object]], added: Iterable[tuple[float, str]]
) -> list[tuple[float, str]]:
    """Stored moments, as (moment, client), and new ones together, sorted."""
    return sorted([*((float(str(at)), str(client)) for at, client in known), *added])


def thin(moments: Sequence[float], keep: int) -> list[int]:
    """Indexes to drop so that `keep` of the sorted moments stay: the first, the newest, a spread between."""
    left = list(range(len(moments)))
    dropped: list[int] = []
    newest = max(keep // 4, 1)
    while len(left) > max(keep, 1):
        candidates = range(1, min(max(len(left) - newest, 2), len(left) - 1)) or [0]
        least = min(candidates, key=lambda i: moments[left[i + 1]] - moments[left[max(i - 1, 0)]])
        dropped.append(left.pop(least))
    return dropped
