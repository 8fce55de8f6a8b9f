"""Queries on errors, their counters and samples. Called inside the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple, TypeVar

from peewee import IntegrityError, fn

from tocsin.daemon.store.bodies import SampleBody, decode_body
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import (
    Client,
    Correction,
    ErrorHistory,
    ErrorLog,
    HourCount,
    Quarantined,
    Sample,
    Signature,
)
from tocsin.daemon.store.table import among, moment
from tocsin.daemon.ticket_wording import Facts, described

T = TypeVar("T")

CHUNK = 400
"""Values in one IN list, below every database's limit on parameters."""
_COLUMNS = [field for field in ErrorLog._meta.sorted_fields if field.name != "components"]
"""What the digest asks of an error; the components are the largest part, and it never reads them."""


class Key(NamedTuple):
    """What tells errors apart: staging never reopens production."""

    service: str
    environment: str
    signature: str
    older: str = ""
    """The signature of the version before, while both are computed: no part of what is stored."""

    @property
    def now(self) -> Key:
        return self._replace(older="")

    @property
    def before(self) -> Key:
        return self._replace(signature=self.older, older="")


def by_key(store: Store, keys: Collection[Key]) -> dict[Key, ErrorLog]:
    """The errors these signatures point at, locked in id order where the database has row locks."""
    stored = sorted({key.now for key in keys})
    pointed = owners(stored)
    errors = _locked(store, set(pointed.values()))
    while any(error.merged_into_id is not None for error in errors.values()):
        # Merged into another one between the look and the lock.
        before, pointed = pointed, owners(stored)
        if pointed == before:
            break
        errors = _locked(store, set(pointed.values()))
    return {key: errors[pointed[key.now]] for key in keys if key.now in pointed}


def _locked(store: Store, error_ids: Collection[int]) -> dict[int, ErrorLog]:
    query = ErrorLog.select(*_COLUMNS).where(among(ErrorLog.id, error_ids)).order_by(ErrorLog.id)
    return {error.id: error for error in (query.for_update() if store.postgres else query)}


def owners(keys: Collection[Key]) -> dict[Key, int]:
    """The error that each of the signatures means, of those that mean one."""
    return {key: error_id for chunk in chunks(sorted(keys)) for key, error_id in _pointed(chunk)}


def _pointed(keys: Sequence[Key]) -> Iterable[tuple[Key, int]]:
    wanted = set(keys)
    rows = (
        Signature.select(Signature.service, Signature.environment, Signature.signature, Signature.error)
        .where(Signature.signature.in_([key.signature for key in keys]))
        .tuples()
    )
    for service, environment, signature, error_id in rows:
        key = Key(service, environment, signature)
        if key in wanted:
            yield key, error_id


def lock(store: Store, error_ids: Collection[int]) -> None:
    """Locks these errors' rows in id order, where the database has row locks."""
    query = ErrorLog.select(ErrorLog.id).where(among(ErrorLog.id, error_ids)).order_by(ErrorLog.id)
    list(query.for_update() if store.postgres else query)


def create(store: Store, key: Key, **columns: object) -> ErrorLog:
    """A new error with its first signature; another daemon's, where that one was first."""
    try:
        with store.savepoint():
            error = ErrorLog.create(
                service=key.service, environment=key.environment, signature=key.signature, **columns
            )
    except IntegrityError:
        known = by_key(store, [key])
        if key not in known:
            raise
        return known[key]
    point(key, error)
    return error


def point(
    key: Key, error: ErrorLog, *, counterpart: str = "", provisional: bool = False, split_of: str = ""
) -> None:
    """Lets one more signature mean this error.

    `counterpart`: the other version's signature of the same events. `provisional`: only while the error has an
    open ticket. `split_of`: the signature that it was split from.
    """
    facts = {
        Signature.error: error,
        Signature.counterpart: counterpart,
        Signature.provisional: provisional,
        Signature.split_of: split_of,
    }
    identity = {
        Signature.service: key.service,
        Signature.environment: key.environment,
        Signature.signature: key.signature,
    }
    Signature.insert({**identity, **facts}).on_conflict(
        conflict_target=list(identity), update=facts
    ).execute()


def resolve(error: ErrorLog, now: float) -> None:
    """Marks an error resolved; occurrences counted towards its next ticket are forgotten."""
    error.resolved, error.resolved_at, error.recent = True, now, []
    error.save(only=[ErrorLog.resolved, ErrorLog.resolved_at, ErrorLog.recent])


def unresolve(error: ErrorLog) -> None:
    """Marks an error as not resolved, whatever made it so: an occurrence, a ticket, a merge."""
    if error.resolved:
        error.resolved, error.resolved_at = False, None
        error.save(only=[ErrorLog.resolved, ErrorLog.resolved_at])


def set_mute(error: ErrorLog, until: float | None, rate: int | None) -> None:
    """Mutes an error until a moment or a rate; occurrences counted so far are forgotten."""
    error.muted_until, error.muted_rate, error.recent = until, rate, []
    error.save(only=[ErrorLog.muted_until, ErrorLog.muted_rate, ErrorLog.recent])


def set_location(error: ErrorLog, coarse: str) -> None:
    """Sets the coarse signature under which an error is found."""
    error.coarse = coarse
    error.save(only=[ErrorLog.coarse])


def set_text(error: ErrorLog, message: str, line: int) -> None:
    """Sets what an error's newest event said, and where."""
    error.message, error.line = message, line
    error.save(only=[ErrorLog.message, ErrorLog.line])


def set_recent(error: ErrorLog, recent: list[tuple[float, str]]) -> None:
    """Sets the occurrences that count towards an error's first ticket."""
    error.recent = recent
    error.save(only=[ErrorLog.recent])


def end_rate_mute(error: ErrorLog) -> None:
    """Ends a mute whose rate was exceeded."""
    error.muted_rate = None
    error.save(only=[ErrorLog.muted_rate])


def save_sums(store: Store, known: Iterable[ErrorLog]) -> None:
    """Writes what a transaction's events may have changed of these errors."""
    store.run_many(
        "UPDATE error_logs SET occurrences = ?, first_seen = ?, last_seen = ?, message = ?, line = ?, "
        "recent = ?, release = ?, samples = ?, sampled_at = ? WHERE id = ?",
        [
            (error.occurrences, moment(error.first_seen), moment(error.last_seen), error.message,
             error.line, json.dumps(error.recent), error.release, error.samples,
             moment(error.sampled_at), error.id)
            for error in known
        ],
    )  # fmt: skip


def corrected_locations() -> set[tuple[str, str, str]]:
    """(service, environment, coarse) of the errors that have a correction."""
    columns = (ErrorLog.service, ErrorLog.environment, ErrorLog.coarse)
    return set(Correction.select(*columns).join(ErrorLog).distinct().tuples())


def corrected_at_location(service: str, environment: str, coarse: str) -> list[tuple[int, str]]:
    """(error id, new code) of the corrections recorded for errors of this place, newest first."""
    query = (
        Correction.select(Correction.error, Correction.new_code)
        .join(ErrorLog)
        .where(
            (ErrorLog.coarse == coarse)
            & (ErrorLog.service == service)
            & (ErrorLog.environment == environment)
        )
        .order_by(Correction.id.desc())
        .limit(50)
        .tuples()
    )
    return list(query)


def count_by_location(service: str, environment: str) -> dict[str, int]:
    """How many errors each place (coarse signature) of a service has."""
    query = ErrorLog.select(ErrorLog.coarse, fn.COUNT(ErrorLog.id)).where(
        (ErrorLog.service == service) & (ErrorLog.environment == environment)
    )
    return dict(query.group_by(ErrorLog.coarse).tuples())


def add_counts(store: Store, rows: Sequence[tuple[int, str, int, int]]) -> None:
    """Adds (error id, client id or '', hour, occurrences) to the hourly counters."""
    store.run_many(
        "INSERT INTO error_counts (error_id, client_id, hour, count) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (error_id, client_id, hour) DO UPDATE SET count = error_counts.count + excluded.count",
        sorted(rows),
    )


def hours_of(error_ids: Collection[int]) -> dict[int, list[int]]:
    """Per error the hours since the epoch in which it came, in order."""
    found: dict[int, list[int]] = {}
    query = HourCount.select(HourCount.error, HourCount.hour).where(among(HourCount.error, error_ids))
    for error_id, hour in query.distinct().order_by(HourCount.error, HourCount.hour).tuples():
        found.setdefault(error_id, []).append(hour)
    return found


def add_samples(store: Store, rows: Sequence[tuple[object, ...]]) -> None:
    """Stores full events: (error id, session id, position, moment, client id or '', body)."""
    store.run_many(
        "INSERT INTO error_samples (error_id, session_id, position, occurred_at, client_id, body) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        rows,
    )


def unknown_clients(error_id: int, most: int = 10) -> list[str]:
    """Names in the error's samples that are no client's."""
    named = Sample.select(Sample.client_id).where((Sample.error == error_id) & (Sample.client_id != ""))
    strangers = named.where(Sample.client_id.not_in(Client.select(Client.id))).distinct()
    return [name for (name,) in strangers.order_by(Sample.client_id).limit(most).tuples()]


def seen_by_client(error_id: int, client_id: str) -> tuple[int, float | None, float | None]:
    """(occurrences, first and last moment of its samples) of an error for one client."""
    counted = HourCount.select(fn.SUM(HourCount.count)).where(
        HourCount.error == error_id, HourCount.client_id == client_id
    )
    ends = Sample.select(fn.MIN(Sample.occurred_at), fn.MAX(Sample.occurred_at))
    first, last = ends.where(Sample.error == error_id, Sample.client_id == client_id).tuples().get()
    moment_of = Sample.occurred_at.python_value
    return int(counted.scalar() or 0), moment_of(first), moment_of(last)


def newest_sample(error_id: int) -> SampleBody | None:
    """The newest full event of an error; None where none is kept, or it is damaged."""
    newest = Sample.select(Sample.body).where(Sample.error == error_id).order_by(Sample.occurred_at.desc())
    row = newest.first()
    return None if row is None else decode_body(row.body)


def sample_moments(error_ids: Collection[int]) -> dict[int, list[tuple[float, int]]]:
    """Per error its samples as (moment, sample id), oldest first."""
    found: dict[int, list[tuple[float, int]]] = {error_id: [] for error_id in error_ids}
    query = Sample.select(Sample.error, Sample.occurred_at, Sample.id).where(among(Sample.error, error_ids))
    for error_id, at, sample_id in query.order_by(Sample.occurred_at, Sample.id).tuples():
        found[error_id].append((at, sample_id))
    return found


def drop_samples(sample_ids: Collection[int]) -> None:
    """Deletes these samples."""
    if sample_ids:
        Sample.delete().where(among(Sample.id, sample_ids)).execute()


def quarantine(session_id: str, position: int, reason: str, body: bytes, now: float) -> None:
    """Keeps a record that cannot be digested for a look."""
    Quarantined.create(
        session_id=session_id, position=position, reason=reason[:1000], body=body, received_at=now
    )


def describe(error: ErrorLog, text: str) -> None:
    """Sets what clients read of the error; '' for nothing."""
    error.client_text = text
    error.save(only=[ErrorLog.client_text])


def annotate(
    error: ErrorLog, action: str, by: str, now: float, details: Facts | None = None, text: str = ""
) -> None:
    """Writes a row of the error's own history; `text` is what somebody wrote, as it is."""
    ErrorHistory.create(
        error=error,
        action=action,
        description=text or described(action, details or {}),
        details=details or {},
        created_by=by,
        created_at=now,
    )


def set_assignee(error: ErrorLog, name: str) -> None:
    """Sets who sees to the error."""
    error.assignee = name
    error.save(only=[ErrorLog.assignee])


def set_link(error: ErrorLog, url: str) -> None:
    """Sets where the error is dealt with elsewhere."""
    error.link = url
    error.save(only=[ErrorLog.link])


def drop_counts_before(hour: int) -> int:
    """Deletes hourly counts older than `hour`; returns how many."""
    return int(HourCount.delete().where(HourCount.hour < hour).execute())


def drop_quarantined_beyond(number: int) -> int:
    """Keeps so many of the newest quarantined records; returns how many are gone."""
    oldest = (
        Quarantined.select(Quarantined.id).order_by(Quarantined.id.desc()).offset(number).limit(1).scalar()
    )
    return 0 if oldest is None else int(Quarantined.delete().where(Quarantined.id <= oldest).execute())


def chunks(values: Sequence[T], size: int = CHUNK) -> Iterable[Sequence[T]]:
    """The values in parts that fit into an IN list."""
    return (values[start : start + size] for start in range(0, len(values), size))
