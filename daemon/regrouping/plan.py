"""What stored samples say under the present rules: which errors are one, and which are several. Pure.

Knows no database: what is stored comes in as values, what is to be done goes out as values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from tocsin.daemon.store.errors import Key


class SampleKey(NamedTuple):
    """A stored sample, and what the present rules know it by."""

    id: int
    error_id: int
    at: float
    key: Key
    coarse: str
    split_of: str = ""
    """The signature that people split, '' where nobody did."""
    older: str = ""
    """The signature under the version before, while both are computed."""


class Stored(NamedTuple):
    """What is known beside the samples."""

    owners: Mapping[Key, int]
    """The error that each signature means now."""
    open_clients: Mapping[int, Collection[str]]
    """Per error the clients ('' for none) with an open ticket."""
    whole: Collection[int]
    """Errors that stay one for now, whatever their samples say."""


class Join(NamedTuple):
    """An error of which another one is the same."""

    error_id: int
    into_id: int


class Point(NamedTuple):
    """The error that a sample's signature is to mean from now on."""

    sample: SampleKey
    error_id: int


class Waiting(NamedTuple):
    """Two errors that are one, but each has an open ticket of the same client."""

    error_id: int
    into_id: int
    key: Key
    clients: tuple[str, ...]


class Part(NamedTuple):
    """Samples that are another error's: of a known one, or (None) of a new one."""

    key: Key
    error_id: int | None
    samples: tuple[SampleKey, ...]


class Plan(NamedTuple):
    """What is to be done, in this order."""

    joins: tuple[Join, ...]
    points: tuple[Point, ...]
    parts: tuple[Part, ...]
    waiting: tuple[Waiting, ...]

    @property
    def together(self) -> list[set[int]]:
        """The known errors that it touches, those together that depend on one another."""
        found = [set(join) for join in self.joins] + [{point.error_id} for point in self.points]
        found += [{waits.error_id, waits.into_id} for waits in self.waiting]
        for part in self.parts:
            sources = {sample.error_id for sample in part.samples}
            found.append(sources if part.error_id is None else {*sources, part.error_id})
        return _united(found)

    @property
    def error_ids(self) -> set[int]:
        """All the known errors that it touches."""
        return {error_id for group in self.together for error_id in group}


def _united(sets: Iterable[set[int]]) -> list[set[int]]:
    """The sets, those that overlap as one."""
    by_member: dict[int, set[int]] = {}
    for one in sets:
        union = set(one)
        for other in {
            id(by_member[member]): by_member[member] for member in one if member in by_member
        }.values():
            union |= other
        for member in union:
            by_member[member] = union
    return list({id(union): union for _, union in sorted(by_member.items())}.values())


HasRoom = Callable[[SampleKey, int, int], bool]
"""Whether there may be an error of a sample, beside so many new ones of its code location and of its service."""


def plan(samples: Iterable[SampleKey], stored: Stored, has_room: HasRoom) -> Plan:
    """What makes the stored errors those of the present rules, as far as the samples tell.

    An error stays what its own signatures say; where none of them is left, it is what most of its samples are.
    Samples for which there is no room stay where they are.
    """
    by_error: dict[int, list[SampleKey]] = {}
    for sample in samples:
        by_error.setdefault(sample.error_id, []).append(sample)
    mains = {error_id: _main(error_id, found, stored.owners) for error_id, found in by_error.items()}
    groups = _Groups(stored.open_clients)
    points: list[Point] = []
    for sample, claimants in sorted(_claims(mains).items()):
        key, owner = sample.key, stored.owners.get(sample.key)
        if owner is not None and _gave_up(mains.get(owner), key):
            owner = None
        members = sorted({*claimants, *(() if owner is None else (owner,))})
        for other in members[1:]:
            groups.join(other, members[0], key)
        if owner is None:
            points.append(Point(sample, members[0]))
    points = [Point(sample, groups.root(error_id)) for sample, error_id in points]
    meant = {**stored.owners, **{sample.key: error_id for sample, error_id in points}}
    parts = _parts(by_error, mains, stored, meant, groups, has_room)
    return Plan(tuple(groups.joins), tuple(points), parts, tuple(groups.waiting))


def _main(error_id: int, samples: Sequence[SampleKey], owners: Mapping[Key, int]) -> SampleKey | None:
    """A sample of what the error is from now on; None while a sample says that it is what it was."""
    if any(owners.get(sample.key) == error_id for sample in samples):
        return None
    oldest: dict[Key, SampleKey] = {}
    for sample in sorted(samples, key=lambda one: (one.at, one.id)):
        oldest.setdefault(sample.key, sample)
    numbers = Counter(sample.key for sample in samples)
    return min(oldest.values(), key=lambda one: (-numbers[one.key], one.at, one.id))


def _claims(mains: Mapping[int, SampleKey | None]) -> dict[SampleKey, list[int]]:
    """The errors that are now one signature's, by one sample of it."""
    found: dict[Key, tuple[SampleKey, list[int]]] = {}
    for error_id, sample in sorted(mains.items()):
        if sample is not None:
            found.setdefault(sample.key, (sample, []))[1].append(error_id)
    return dict(found.values())


def _gave_up(main: SampleKey | None, key: Key) -> bool:
    """Whether the error that has the signature is now another one's."""
    return main is not None and main.key != key


def _parts(
    by_error: Mapping[int, Sequence[SampleKey]],
    mains: Mapping[int, SampleKey | None],
    stored: Stored,
    meant: Mapping[Key, int],
    groups: _Groups,
    has_room: HasRoom,
) -> tuple[Part, ...]:
    """The samples that are another error's than the one they lie with."""
    moved: dict[Key, list[SampleKey]] = {}
    for error_id, samples in sorted(by_error.items()):
        main = mains[error_id]
        for sample in samples if error_id not in stored.whole else ():
            target = meant.get(sample.key)
            stays = target is not None and groups.root(target) == groups.root(error_id)
            if not stays and (main is None or sample.key != main.key):
                moved.setdefault(sample.key, []).append(sample)
    found: list[Part] = []
    new: Counter[tuple[str, str, str]] = Counter()
    for key, samples in sorted(moved.items()):
        target = meant.get(key)
        if target is None:
            service = (key.service, key.environment, "")
            location = (*service[:2], samples[0].coarse)
            if not has_room(samples[0], new[location], new[service]):
                continue
            new.update((location, service))
        found.append(Part(key, None if target is None else groups.root(target), tuple(samples)))
    return tuple(found)


class _Groups:
    """Which errors become one; the oldest of them stays."""

    def __init__(self, open_clients: Mapping[int, Collection[str]]) -> None:
        self.joins: list[Join] = []
        self.waiting: list[Waiting] = []
        self._parents: dict[int, int] = {}
        self._open = {error_id: set(clients) for error_id, clients in open_clients.items()}

    def root(self, error_id: int) -> int:
        while error_id in self._parents:
            error_id = self._parents[error_id]
        return error_id

    def join(self, one: int, other: int, key: Key) -> None:
        """Makes the two one, or has them wait while both have an open ticket of one client."""
        into, error_id = sorted((self.root(one), self.root(other)))
        if into == error_id:
            return
        both = self._open.get(into, set()) & self._open.get(error_id, set())
        if both:
            self.waiting.append(Waiting(error_id, into, key, tuple(sorted(both))))
            return
        self._parents[error_id] = into
        self._open.setdefault(into, set()).update(self._open.get(error_id, ()))
        self.joins.append(Join(error_id, into))
