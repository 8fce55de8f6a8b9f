"""Queries on how often the functions run in which errors happen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec
from msgspec import Struct
from peewee import fn

from tocsin.daemon.store import sessions
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import ErrorLog, Session, Ticket, Watch
from tocsin.daemon.store.run_models import CountedRuns, ErrorFunction, RunCount
from tocsin.daemon.store.table import among, moment

SPEAKERS = 5_000
"""Processes whose word on a service's functions is looked at, at most."""

Counted = tuple[int, bool]
"""An error's id, and whether it is the caller of the function in which it happens."""


class ReportedRun(Struct, frozen=True, array_like=True):
    """What a session last told of one function. Moments are of the daemon's clock."""

    error: int
    caller: bool
    begun: int
    since: float
    """By the session's own clock, as it told it."""
    counted_since: float
    told_at: float
    unknown: str = ""


class NewRuns(NamedTuple):
    """Runs that were not known before, in processes of one kind and release."""

    error: int
    caller: bool
    program: str
    role: str
    release: str
    begun: int
    since: float
    """They began at that moment or later."""
    estimated: bool


class RunKey(NamedTuple):
    """Whose runs are added up: those of an error's function, in processes of one kind and release."""

    error: int
    caller: bool
    program: str
    role: str
    release: str


class Named(NamedTuple):
    """A function of an error."""

    caller: bool
    module: str
    name: str


_told = msgspec.msgpack.Decoder(list[ReportedRun])


def reported_by(session: Session) -> dict[Counted, ReportedRun]:
    """What a session last told, by function; nothing where the bytes are not ours."""
    if session.runs is None:
        return {}
    try:
        return {(one.error, one.caller): one for one in _told.decode(bytes(session.runs))}
    except msgspec.MsgspecError:
        return {}


def save_reported(store: Store, told: Mapping[str, Iterable[ReportedRun]]) -> None:
    """Writes what these sessions told, by their ids."""
    store.run_many(
        "UPDATE sessions SET runs = ? WHERE id = ?",
        [(msgspec.msgpack.encode(list(rows)), session_id) for session_id, rows in sorted(told.items())],
    )


def newest_watched(service: str, environment: str, most: int) -> list[int]:
    """The errors of a service that have an open ticket, those of the newest tickets first."""
    query = (
        Ticket.select(Ticket.error)
        .join(ErrorLog)
        .where(
            (Ticket.status != "closed")
            & (ErrorLog.service == service)
            & (ErrorLog.environment == environment)
        )
        .order_by(Ticket.id.desc())
        .limit(4 * most)
    )
    return list(dict.fromkeys(error_id for (error_id,) in query.tuples()))[:most]


def watched_functions(service: str, environment: str) -> dict[int, list[ErrorFunction]]:
    """The functions of a service's watched errors, by error."""
    query = (
        Watch.select(Watch.error)
        .join(ErrorLog)
        .where((ErrorLog.service == service) & (ErrorLog.environment == environment))
    )
    return functions([error_id for (error_id,) in query.tuples()])


def speakers(service: str, environment: str, since: float) -> list[Session]:
    """The processes of a service that spoke for themselves since then, the newest `SPEAKERS`."""
    query = Session.select().where(
        (Session.service == service)
        & (Session.environment == environment)
        & (Session.last_heard >= since)
        & Session.live
        & Session.gone_at.is_null()
    )
    return list(query.order_by(Session.last_heard.desc()).limit(SPEAKERS))


def functions(error_ids: Collection[int]) -> dict[int, list[ErrorFunction]]:
    """Per error its functions, the one in which it happens first."""
    found: dict[int, list[ErrorFunction]] = {}
    query = ErrorFunction.select().where(among(ErrorFunction.error, error_ids))
    for row in query.order_by(ErrorFunction.error, ErrorFunction.caller):
        found.setdefault(row.error_id, []).append(row)
    return found


def counted(error_ids: Collection[int]) -> dict[Counted, list[CountedRuns]]:
    """Per function how often it ran, by kind of process and release."""
    found: dict[Counted, list[CountedRuns]] = {}
    query = CountedRuns.select().where(among(CountedRuns.error, error_ids))
    for row in query.order_by(CountedRuns.program, CountedRuns.role, CountedRuns.release):
        found.setdefault((row.error_id, row.caller), []).append(row)
    return found


def failing_hours(error_ids: Collection[int]) -> dict[Counted, int]:
    """Per function the hours in which counted runs of it failed."""
    query = (
        RunCount.select(RunCount.error, RunCount.caller, fn.COUNT(RunCount.hour))
        .where(among(RunCount.error, error_ids) & (RunCount.failed > 0))
        .group_by(RunCount.error, RunCount.caller)
    )
    return {(error_id, bool(caller)): hours for error_id, caller, hours in query.tuples()}


def add_functions(store: Store, error_id: int, named: Iterable[Named]) -> None:
    """The functions of an error are known; what is there stays."""
    store.run_many(
        "INSERT INTO error_functions (error_id, caller, module, name) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (error_id, caller) DO NOTHING",
        [(error_id, one.caller, one.module, one.name) for one in named],
    )


def add(store: Store, added: Sequence[NewRuns], now: float) -> None:
    """Adds runs. Those that may have begun before the silence that is watched count as before it."""
    quiet = quiet_since({one.error for one in added})
    rows = [
        (
            one.error, one.caller, one.program, one.role, one.release, one.begun,
            one.begun if one.since < quiet.get(one.error, 0.0) else 0, 0, one.estimated,
        )
        for one in sorted(added)
    ]  # fmt: skip
    store.run_many(_ADD, rows)
    _add_by_hour(store, [(one.error, one.caller, int(now // 3600), one.begun, 0) for one in sorted(added)])


def add_failed(store: Store, failed: Mapping[RunKey, Mapping[int, int]]) -> None:
    """Adds occurrences in runs that were counted, by hour since the epoch."""
    rows = sorted(failed.items())
    store.run_many(_ADD, [(*of, 0, 0, sum(hours.values()), False) for of, hours in rows])
    _add_by_hour(
        store,
        [
            (of.error, of.caller, hour, 0, count)
            for of, hours in rows
            for hour, count in sorted(hours.items())
        ],
    )


_ADD = (
    "INSERT INTO counted_runs (error_id, caller, program, role, release, begun, before, failed, estimated) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (error_id, caller, program, role, release) DO UPDATE SET "
    "begun = counted_runs.begun + excluded.begun, before = counted_runs.before + excluded.before, "
    "failed = counted_runs.failed + excluded.failed, estimated = counted_runs.estimated OR excluded.estimated"
)


def _add_by_hour(store: Store, rows: Sequence[tuple[int, bool, int, int, int]]) -> None:
    store.run_many(
        "INSERT INTO run_counts (error_id, caller, hour, begun, failed) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (error_id, caller, hour) DO UPDATE SET begun = run_counts.begun + excluded.begun, "
        "failed = run_counts.failed + excluded.failed",
        rows,
    )


def quiet_since(error_ids: Collection[int]) -> dict[int, float]:
    """Per watched error since when it is quiet, and nothing of its service was lost."""
    query = (
        Watch.select(Watch.error, Watch.quiet_since, ErrorLog.service, ErrorLog.environment)
        .join(ErrorLog)
        .where(among(Watch.error, error_ids))
    )
    watched = [(error_id, since, (service, env)) for error_id, since, service, env in query.tuples()]
    lost_at = {place: sessions.last_loss(*place) or 0.0 for place in {place for _, _, place in watched}}
    return {error_id: max(since, lost_at[place]) for error_id, since, place in watched}


def begin_silence(store: Store, quiet_since: Mapping[int, float]) -> None:
    """All runs known so far are before the silence that begins then, of errors whose watch is restarted by that."""
    store.run_many(
        "UPDATE counted_runs SET before = begun WHERE error_id = ? AND EXISTS "
        "(SELECT 1 FROM watches WHERE watches.error_id = counted_runs.error_id AND quiet_since < ?)",
        [(error_id, moment(at)) for error_id, at in sorted(quiet_since.items())],
    )


def begin_silence_of(error_id: int) -> None:
    """All runs of this error's functions known so far are before the silence that begins now."""
    CountedRuns.update(before=CountedRuns.begun).where(CountedRuns.error == error_id).execute()


def add_loss(session: Session, reason: str, count: int, now: float) -> None:
    """Adds to a session's losses for one reason, heard of at `now`; the runs known so far in its service may have
    failed, so that they are before the silence that begins now."""
    watched = (
        Watch.select(Watch.error)
        .join(ErrorLog)
        .where((ErrorLog.service == session.service) & (ErrorLog.environment == session.environment))
    )
    CountedRuns.update(before=CountedRuns.begun).where(CountedRuns.error.in_(watched)).execute()
    sessions.add_loss(session.id, reason, count, now)


def drop_counts_before(hour: int) -> int:
    """Deletes hourly counts older than `hour`; returns how many."""
    return int(RunCount.delete().where(RunCount.hour < hour).execute())
