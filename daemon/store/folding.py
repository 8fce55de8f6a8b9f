"""Folds sessions that are over into hours: a check then reads hours, however many short processes there were.

The row of a session stays, with its watermark, until retention drops it: whoever still ships its files is known. Only
its intervals go.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from tocsin.daemon.store.database import Store
from tocsin.daemon.store.hour_models import AliveHour
from tocsin.daemon.store.intervals import Interval, union
from tocsin.daemon.store.models import AliveInterval, Session
from tocsin.daemon.store.source_models import UnheardInterval
from tocsin.daemon.store.table import moment

HOUR = 3600
SETTLED = 6 * HOUR
"""Seconds without a word after which a session that ended in order is folded: a late word has come by then."""
AT_ONCE = 1_000
"""Sessions folded in one transaction, at most."""
PIECES = 60
"""Pieces of an hour that are kept, the longest: a program that runs for a second every five is seen less."""


class Key(NamedTuple):
    """What a row of `alive_hours` is of."""

    service: str
    environment: str
    program: str
    role: str
    arguments: str
    release: str
    hour: int


class _Hour:
    """What is added to one row."""

    def __init__(self) -> None:
        self.pieces: list[Interval] = []
        self.ended = 0
        self.began_at: float | None = None

    def end(self, began_at: float) -> None:
        self.ended += 1
        self.began_at = max(began_at, self.began_at or 0.0)


def fold(store: Store, now: float, masked: Callable[[str], str]) -> int:
    """Folds up to `AT_ONCE` sessions, inside the caller's transaction; returns how many.

    `masked` takes out of a command line what differs from run to run.
    """
    sessions = _foldable(store, now - SETTLED)
    if not sessions:
        return 0
    ids = [one.id for one in sessions]
    intervals: dict[str, list[Interval]] = defaultdict(list)
    ours = AliveInterval.session.in_(ids)
    found = AliveInterval.select(AliveInterval.session, AliveInterval.started_at, AliveInterval.ended_at)
    for session_id, start, end in found.where(ours).tuples():
        intervals[session_id].append((start, end))
    hours = _hours(sessions, intervals, masked)
    _add(store, hours)
    AliveInterval.delete().where(ours).execute()
    Session.update(folded_at=now).where(Session.id.in_(ids)).execute()
    return len(sessions)


def drop_before(before: float) -> int:
    """Deletes the hours that were over before then; returns how many."""
    return int(AliveHour.delete().where(AliveHour.hour < int(before // HOUR)).execute())


def cut(now: float) -> None:
    """After the clock was set back: what lies in the future is forgotten."""
    AliveHour.delete().where(AliveHour.hour > int(now // HOUR)).execute()


def _foldable(store: Store, before: float) -> list[Session]:
    """Sessions that ended in order and hold nothing back, of whom all was heard and nothing is waited for."""
    query = (
        Session.select(
            Session.id, Session.service, Session.environment, Session.program, Session.role, Session.arguments,
            Session.release, Session.started_at, Session.ended_at,
        )
        .where(
            Session.folded_at.is_null()
            & (Session.last_heard < before)
            & (Session.ended_at.is_null(False) | Session.emptied_at.is_null(False))
            & (Session.backlog == 0)
            & Session.gone_at.is_null()
            & Session.broken_off.is_null()
            & (Session.unheard.cast("TEXT") == "{}")
            & Session.id.not_in(UnheardInterval.select(UnheardInterval.session))
        )
        .order_by(Session.last_heard)
        .limit(AT_ONCE)
    )  # fmt: skip
    return list(query.for_update() if store.postgres else query)


def _hours(
    sessions: Iterable[Session], intervals: Mapping[str, list[Interval]], masked: Callable[[str], str]
) -> dict[Key, _Hour]:
    hours: dict[Key, _Hour] = defaultdict(_Hour)
    for one in sessions:
        kind = (one.service, one.environment, one.program, one.role, masked(one.arguments), one.release or "")
        for start, end in intervals.get(one.id, ()):
            for hour in range(int(start // HOUR), int(end // HOUR) + 1):
                piece = max(start - hour * HOUR, 0.0), min(end - hour * HOUR, float(HOUR))
                hours[Key(*kind, hour)].pieces.append(piece)
        if one.ended_at is not None:
            hours[Key(*kind, int(one.started_at // HOUR))].end(one.started_at)
    return hours


def _add(store: Store, hours: Mapping[Key, _Hour]) -> None:
    known = _known(hours)
    rows: list[tuple[Any, ...]] = []
    for key, new in sorted(hours.items(), key=lambda one: one[0]):
        old = known.get(key)
        pieces = [*new.pieces, *((start, end) for start, end in (old.pieces if old else ()))]
        began = [at for at in (new.began_at, old.began_at if old else None) if at is not None]
        ended = new.ended + (old.ended if old else 0)
        rows.append((*key, json.dumps(_bounded(union(pieces))), ended, moment(max(began, default=None))))
    store.run_many(
        "INSERT INTO alive_hours (service, environment, program, role, arguments, release, hour, pieces, ended, "
        "began_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (service, environment, program, role, arguments, release, hour) DO UPDATE SET "
        "pieces = excluded.pieces, ended = excluded.ended, began_at = excluded.began_at",
        rows,
    )


def _known(hours: Iterable[Key]) -> dict[Key, AliveHour]:
    """The rows that are there already, and others of the same services and hours."""
    wanted = set(hours)
    services, numbers = {key.service for key in wanted}, {key.hour for key in wanted}
    query = AliveHour.select().where(
        AliveHour.service.in_(sorted(services)) & AliveHour.hour.between(min(numbers), max(numbers))
    )
    found = {
        Key(one.service, one.environment, one.program, one.role, one.arguments, one.release, one.hour): one
        for one in query
    }
    return {key: one for key, one in found.items() if key in wanted}


def _bounded(pieces: list[Interval]) -> list[list[float]]:
    """The longest of them, in order."""
    kept = sorted(sorted(pieces, key=lambda one: one[0] - one[1])[:PIECES])
    return [[round(start, 1), round(end, 1)] for start, end in kept]
