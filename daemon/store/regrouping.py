"""Queries for bringing stored errors under other rules. Called inside the caller's transaction; they know no rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from peewee import fn

from tocsin.daemon.store import errors
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.errors import Key, chunks
from tocsin.daemon.store.models import ErrorLog, HourCount, Sample, Signature
from tocsin.daemon.store.signatures import version_of
from tocsin.daemon.store.table import among

HOUR = 3600.0


class StoredSample(NamedTuple):
    """A sample without its body, and whose it is."""

    id: int
    error_id: int
    at: float
    client_id: str


def sampled_errors(only: Collection[int] | None = None) -> dict[int, Key]:
    """The errors with samples that were not merged, or those of them named, each with its signature, in id order."""
    query = ErrorLog.select(ErrorLog.id, ErrorLog.service, ErrorLog.environment, ErrorLog.signature)
    living = query.where(ErrorLog.merged_into.is_null() & (ErrorLog.samples > 0)).order_by(ErrorLog.id)
    if only is not None:
        living = living.where(among(ErrorLog.id, only))
    return {error_id: Key(*key) for error_id, *key in living.tuples()}


def samples_of(error_ids: Collection[int]) -> list[StoredSample]:
    """The samples of these errors, oldest first."""
    query = Sample.select(Sample.id, Sample.error, Sample.occurred_at, Sample.client_id)
    mine = query.where(among(Sample.error, error_ids)).order_by(Sample.occurred_at, Sample.id)
    return [StoredSample(*row) for row in mine.tuples()]


def bodies_of(sample_ids: Collection[int]) -> Iterator[tuple[int, bytes]]:
    """(sample id, body)."""
    for chunk in chunks(sorted(sample_ids)):
        query = Sample.select(Sample.id, Sample.body).where(among(Sample.id, chunk)).order_by(Sample.id)
        yield from ((sample_id, bytes(body)) for sample_id, body in query.tuples())


def named_under(version: str, error_ids: Collection[int]) -> set[int]:
    """Those of the errors that a signature of this version (`1:`) means."""
    query = Signature.select(Signature.error).where(_under(version, error_ids))
    return {error_id for (error_id,) in query.distinct().tuples()}


def unpoint_under(version: str, error_ids: Collection[int]) -> None:
    """Lets no signature of this version mean these errors any more."""
    Signature.delete().where(_under(version, error_ids)).execute()


def _under(version: str, error_ids: Collection[int]) -> Any:
    return among(Signature.error, error_ids) & (version_of(Signature.signature) == version)


def move_samples(store: Store, samples: Sequence[StoredSample], into: ErrorLog) -> None:
    """Gives these samples, and the occurrences that they are, to another error; of each error the sums stay exact.

    `into` is saved. Nothing is done to tickets.
    """
    by_error: dict[int, list[StoredSample]] = {}
    for sample in samples:
        by_error.setdefault(sample.error_id, []).append(sample)
    for error_id, moved in sorted(by_error.items()):
        error = ErrorLog.get_by_id(error_id)
        _move_counts(store, error_id, into.id, moved)
        Sample.update(error=into.id).where(among(Sample.id, [one.id for one in moved])).execute()
        error.occurrences -= len(moved)
        into.occurrences += len(moved)
        error.recent, recent = _shared(error.recent, moved)
        into.recent = sorted([*into.recent, *recent])
        into.first_seen = min(into.first_seen, *(one.at for one in moved))
        into.last_seen = max(into.last_seen, *(one.at for one in moved))
        count_samples(error)
        error.save()
    count_samples(into)
    into.save()


def count_samples(error: ErrorLog) -> None:
    """Sets how many samples the error has, and the newest one's moment; the caller saves."""
    query = Sample.select(fn.COUNT(Sample.id), fn.MAX(Sample.occurred_at)).where(Sample.error == error.id)
    number, newest = query.tuples().get()
    error.samples = number
    error.sampled_at = Sample.occurred_at.python_value(newest)


def _move_counts(store: Store, from_id: int, into_id: int, moved: Iterable[StoredSample]) -> None:
    """The hourly counts of these occurrences; of hours that are not kept any more there is nothing to move."""
    hours = {int(one.at // HOUR) for one in moved}
    query = HourCount.select(HourCount.client_id, HourCount.hour, HourCount.count)
    known = query.where((HourCount.error == from_id) & among(HourCount.hour, hours)).tuples()
    left = {(client_id, hour): count for client_id, hour, count in known}
    taken: Counter[tuple[str, int]] = Counter()
    for sample in moved:
        hour = int(sample.at // HOUR)
        # An event that named an unknown client is counted as nobody's.
        for counted in ((sample.client_id, hour), ("", hour)):
            if left.get(counted, 0) > 0:
                left[counted] -= 1
                taken[counted] += 1
                break
    rows = [(client_id, hour, number) for (client_id, hour), number in sorted(taken.items())]
    errors.add_counts(store, [(from_id, client_id, hour, -number) for client_id, hour, number in rows])
    errors.add_counts(store, [(into_id, client_id, hour, number) for client_id, hour, number in rows])
    HourCount.delete().where((HourCount.error == from_id) & (HourCount.count == 0)).execute()


def _shared(
    recent: Iterable[Sequence[object]], moved: Iterable[StoredSample]
) -> tuple[list[list[object]], list[list[object]]]:
    """The occurrences that count towards a first ticket: those that stay, and those that go with the samples."""
    stays = [list(one) for one in recent]
    goes = []
    for sample in moved:
        found = next((one for one in stays if one[0] == sample.at and one[1] in (sample.client_id, "")), None)
        if found is not None:
            stays.remove(found)
            goes.append(found)
    return stays, goes


def clients_of_samples(error_ids: Collection[int], known: Collection[str]) -> dict[int, set[str]]:
    """Per error the clients of its samples; all but the `known` ones are '', as in tickets."""
    found: dict[int, set[str]] = {}
    query = Sample.select(Sample.error, Sample.client_id).where(among(Sample.error, error_ids)).distinct()
    for error_id, client_id in query.tuples():
        found.setdefault(error_id, set()).add(client_id if client_id in known else "")
    return found


def note_alias(error_id: int, key: Key) -> None:
    """Remembers of an error that it is the one which `key` means, though each has a ticket of its own."""
    Signature.update({Signature.counterpart: key.signature}).where(
        (Signature.error == error_id) & (version_of(Signature.signature) == version_of(key.signature))
    ).execute()


def last_seen_as_another(error_ids: Collection[int]) -> Mapping[int, float]:
    """Of errors that are known to be another one: when that one was last seen."""
    other = Signature.alias()
    query = (
        Signature.select(Signature.error, fn.MAX(ErrorLog.last_seen))
        .join(
            other,
            on=(
                (other.signature == Signature.counterpart)
                & (other.service == Signature.service)
                & (other.environment == Signature.environment)
                & (other.error != Signature.error)
            ),
        )
        .join(ErrorLog, on=(other.error == ErrorLog.id))
        .where(
            among(Signature.error, error_ids)
            & (Signature.counterpart != "")
            & (version_of(Signature.signature) == version_of(Signature.counterpart))
        )
        .group_by(Signature.error)
    )
    return {error_id: ErrorLog.last_seen.python_value(at) for error_id, at in query.tuples()}
