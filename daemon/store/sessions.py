"""Queries on sessions, their alive intervals, their losses, and the daemon's own runs."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from peewee import Case, fn

from tocsin.daemon.store import clock_steps
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.hour_models import AliveHour
from tocsin.daemon.store.intervals import REACH, RUN_GAP, Interval, union
from tocsin.daemon.store.models import (
    AliveInterval,
    KeyValue,
    Loss,
    Quarantined,
    Run,
    Sample,
    Session,
)
from tocsin.daemon.store.source_models import UnheardInterval
from tocsin.daemon.store.table import moment

AT_ONCE = 5_000
"""Sessions dropped in one go, at most."""
DROPPED = "messages_dropped"
"""Key of the fact how many messages on the sockets were no handler's."""
NOT_HELD = "not_held_any_more"
"""Why events are lost that came after the backup from which the database was restored."""
_IN_STREAM = (NOT_HELD, "damaged", "undefined")
"""Reasons of losses that had a place of their own in the stream."""


def by_id(store: Store, ids: Collection[str]) -> dict[str, Session]:
    """These sessions, locked where the database has row locks."""
    query = Session.select().where(Session.id.in_(sorted(ids))).order_by(Session.id)
    return {session.id: session for session in (query.for_update() if store.postgres else query)}


def begin(**columns: object) -> Session:
    """A session heard for the first time."""
    session: Session = Session.create(**columns)
    return session


def move_watermark(session_id: str, end: int) -> int:
    """Moves a session's watermark up to `end`, never back; returns where it is."""
    session = Session.get_by_id(session_id)
    session.watermark = max(session.watermark, end)
    session.save(only=[Session.watermark])
    return int(session.watermark)


def save(store: Store, known: Iterable[Session]) -> None:
    """Writes what a transaction may have changed of these sessions."""
    store.run_many(
        "UPDATE sessions SET last_heard = ?, clock_offset = ?, watermark = ?, events = ?, backlog = ?, "
        "live = ?, ended_at = ?, gone_at = ?, broken_off = ?, caught_up_at = ?, emptied_at = ?, unheard = ?, "
        "folded_at = NULL "
        "WHERE id = ?",
        [
            (moment(one.last_heard), one.clock_offset, one.watermark, one.events, one.backlog, one.live,
             moment(one.ended_at), moment(one.gone_at), one.broken_off, moment(one.caught_up_at),
             moment(one.emptied_at), json.dumps(one.unheard or {}), one.id)
            for one in known
        ],
    )  # fmt: skip


def named(session_id: str) -> list[Session]:
    """The sessions whose id begins so, at most three."""
    return list(Session.select().where(Session.id.startswith(session_id)).limit(3))


def write_off(session: Session, now: float) -> None:
    """Notes that it never comes back."""
    session.gone_at = now
    session.save(only=[Session.gone_at])


def broken_off(unheard_since: float) -> list[Session]:
    """Sessions with lines of a traceback whose rest has not come, and that said nothing since (epoch seconds)."""
    rows = Session.select().where(Session.broken_off.is_null(False) & (Session.last_heard < unheard_since))
    return list(rows)


def extend(session: Session, signs: Iterable[float]) -> None:
    """Adds heartbeats to the session's intervals; each joins those within REACH announced intervals."""
    reach = REACH * session.interval
    added = union(((sign, sign) for sign in signs), gap=reach)
    if not added:
        return
    near = list(
        AliveInterval.select().where(
            (AliveInterval.session == session)
            & (AliveInterval.ended_at >= added[0][0] - reach)
            & (AliveInterval.started_at <= added[-1][1] + reach)
        )
    )
    merged = union([*((one.started_at, one.ended_at) for one in near), *added], gap=reach)
    spare = list(near)
    for start, end in merged:
        kept = spare.pop() if spare else AliveInterval(session=session)
        if (kept.started_at, kept.ended_at) != (start, end):
            kept.started_at, kept.ended_at = start, end
            kept.save()
    for one in spare:
        one.delete_instance()


def accounted_for(session: Session) -> int:
    """How many of the events that stand in its stream below the watermark the database knows of."""
    lost = Loss.select(fn.SUM(Loss.count)).where((Loss.session == session) & Loss.reason.in_(_IN_STREAM))
    aside = Quarantined.select().where(Quarantined.session_id == session.id).count()
    return int(session.events + (lost.scalar() or 0) + aside)


def add_loss(session_id: str, reason: str, count: int, now: float) -> None:
    """Adds to a session's losses for one reason, heard of at `now`."""
    Loss.insert(session=session_id, reason=reason[:100], count=count, last_at=now).on_conflict(
        conflict_target=[Loss.session, Loss.reason],
        update={Loss.count: Loss.count + count, Loss.last_at: now},
    ).execute()


def last_loss(service: str, environment: str) -> float | None:
    """When a loss of the service was last heard of."""
    query = Loss.select(fn.MAX(Loss.last_at)).join(Session)
    found = query.where((Session.service == service) & (Session.environment == environment)).scalar()
    return None if found is None else float(Loss.last_at.python_value(found))


def add_unheard(session: Session, logger: str, since: float, until: float) -> None:
    """A logger's records did not reach the session's handler from then until then."""
    UnheardInterval.create(session=session, logger=logger, started_at=min(since, until), ended_at=until)


def add_dropped(store: Store, count: int) -> None:
    """Adds to the messages that were no handler's."""
    query = KeyValue.select().where(KeyValue.key == DROPPED)
    row = (query.for_update() if store.postgres else query).first()
    if row is None:
        KeyValue.insert(key=DROPPED, value=str(count)).on_conflict_ignore().execute()
    else:
        KeyValue.update(value=str(int(row.value) + count)).where(KeyValue.key == DROPPED).execute()


def heard_since(service: str, environment: str, since: float, settled: bool = True) -> list[Session]:
    """The sessions of a service that were heard since then and are not folded, newest first.

    `settled`: also those that ended in order and hold nothing back; a program that starts every few seconds leaves
    thousands of them.
    """
    asked = _unfolded(service, environment) & (Session.last_heard >= since)
    if not settled:
        unended = Session.ended_at.is_null() & Session.emptied_at.is_null()
        asked &= unended | (Session.backlog != 0)
    return list(Session.select().where(asked).order_by(Session.started_at.desc()))


def _unfolded(service: str, environment: str) -> Any:
    """Those of whom a check looks at the row itself, and not at the hours of its kind."""
    return (Session.service == service) & (Session.environment == environment) & Session.folded_at.is_null()


class SeenHour(NamedTuple):
    """What is left of a service's folded sessions of one kind in one hour, as in `AliveHour`."""

    program: str
    role: str
    arguments: str
    release: str
    hour: int
    pieces: list[list[float]]
    ended: int
    began_at: float | None


def hours(service: str, environment: str, since: float) -> list[SeenHour]:
    """What is left of the folded sessions of a service, from the hour of that moment on."""
    query = AliveHour.select(
        AliveHour.program, AliveHour.role, AliveHour.arguments, AliveHour.release, AliveHour.hour,
        AliveHour.pieces, AliveHour.ended, AliveHour.began_at,
    ).where(
        (AliveHour.service == service)
        & (AliveHour.environment == environment)
        & (AliveHour.hour >= int(since // 3600))
    )  # fmt: skip
    return [SeenHour(*row) for row in query.tuples()]


def any_began_since(service: str, environment: str, since: float) -> bool:
    """Whether a process of the service began then or later."""
    return bool(
        Session.select()
        .where(
            (Session.service == service)
            & (Session.environment == environment)
            & (Session.started_at >= since)
        )
        .exists()
    )


def alive(
    service: str, environment: str, since: float
) -> dict[tuple[str, str], list[tuple[str, float, float]]]:
    """Where sessions of the service were seen alive from `since` on: per program and role (session, start, end)."""
    query = (
        AliveInterval.select(
            Session.program, Session.role, Session.id, AliveInterval.started_at, AliveInterval.ended_at
        )
        .join(Session)
        .where(
            _unfolded(service, environment)
            & (Session.last_heard >= since)
            & (AliveInterval.ended_at >= since)
        )
        .tuples()
    )
    found: dict[tuple[str, str], list[tuple[str, float, float]]] = {}
    for program, role, *interval in query:
        found.setdefault((program, role), []).append(tuple(interval))
    return found


def releases(service: str, environment: str, since: float) -> dict[str, str]:
    """Per session that was heard since then its release, of those that tell one."""
    query = Session.select(Session.id, Session.release).where(
        _unfolded(service, environment) & (Session.last_heard >= since) & Session.release.is_null(False)
    )
    return dict(query.tuples())


def unheard(service: str, environment: str, since: float) -> dict[str, list[tuple[str, float, float]]]:
    """Per session (logger, start, end) of the intervals from `since` on in which a logger could not be heard."""
    ours = _unfolded(service, environment)
    found: dict[str, list[tuple[str, float, float]]] = {}
    over = UnheardInterval.select().join(Session).where(ours & (UnheardInterval.ended_at >= since))
    for one in over:
        found.setdefault(one.session_id, []).append((one.logger, one.started_at, one.ended_at))
    for session in Session.select(Session.id, Session.unheard, Session.last_heard).where(
        ours & (Session.last_heard >= since) & (Session.unheard.cast("TEXT") != "{}")
    ):
        for logger, began in (session.unheard or {}).items():
            found.setdefault(session.id, []).append((logger, began, math.inf))
    return found


def kinds(service: str, environment: str) -> list[tuple[str, str, float, float, bool]]:
    """(program, role, first and last word, whether all that had not ended were written off) of a service's kinds.

    Those that are folded are not among them.
    """
    expected = Session.ended_at.is_null() & Session.emptied_at.is_null() & Session.gone_at.is_null()
    query = (
        Session.select(
            Session.program, Session.role, fn.MIN(Session.first_heard), fn.MAX(Session.last_heard),
            fn.COUNT(Session.gone_at), fn.SUM(Case(None, ((expected, 1),), 0)),
        )
        .where(_unfolded(service, environment))
        .group_by(Session.program, Session.role)
    )  # fmt: skip
    python = Session.last_heard.python_value
    return [
        (program, role, python(first), python(last), bool(gone) and not expected_still)
        for program, role, first, last, gone, expected_still in query.tuples()
    ]


def runs(since: float, until: float) -> list[Interval]:
    """Where a daemon was up until then: all that reaches beyond `since`, and the run before."""
    before = Run.select(fn.MAX(Run.alive_until)).where(Run.alive_until < since).scalar()
    query = Run.select(Run.started_at, Run.alive_until).where(
        (Run.alive_until >= (since if before is None else before)) & (Run.started_at <= until)
    )
    return union((start, min(end, until)) for start, end in query.tuples())


def begin_run(host: str, pid: int, now: float) -> Run:
    """Notes that a daemon is up. A clock set back since the last note is dealt with first."""
    if Run.select().where(Run.alive_until > now + RUN_GAP).exists():
        clock_steps.cut(now)
    return Run.create(host=host, pid=pid, started_at=now, alive_until=now)


def continue_run(run: Run, now: float) -> Run:
    """Extends the run to `now`; after a gap, or a step back of the clock, a new one begins."""
    if not 0 <= now - run.alive_until <= RUN_GAP:
        return begin_run(run.host, run.pid, now)
    run.alive_until = now
    run.save(only=[Run.alive_until])
    return run


def end_run(run: Run, now: float) -> None:
    """Notes that the daemon stops in order."""
    run = continue_run(run, now)
    run.stopped = True
    run.save(only=[Run.stopped])


def drop_intervals_before(before: float) -> int:
    """Deletes intervals that ended before then; returns how many."""
    UnheardInterval.delete().where(UnheardInterval.ended_at < before).execute()
    return int(AliveInterval.delete().where(AliveInterval.ended_at < before).execute())


def drop_runs_before(before: float) -> int:
    """Deletes the daemons' runs that ended before then; returns how many."""
    return int(Run.delete().where(Run.alive_until < before).execute())


def drop_unneeded_before(before: float) -> int:
    """Deletes sessions last heard before then, no interval, sample or loss left of them; returns how many."""
    old = [
        one
        for (one,) in Session.select(Session.id)
        .where(
            (Session.last_heard < before)
            & (Session.id.not_in(AliveInterval.select(AliveInterval.session)))
            & (Session.id.not_in(UnheardInterval.select(UnheardInterval.session)))
            & (Session.id.not_in(Sample.select(Sample.session_id)))
            & (Session.id.not_in(Loss.select(Loss.session)))
        )
        .limit(AT_ONCE)
        .tuples()
    ]
    return int(Session.delete().where(Session.id.in_(old)).execute())
