"""Where sessions were seen alive, written cheaply: mostly the newest interval of each only becomes longer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tocsin.daemon.store import sessions
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.intervals import REACH
from tocsin.daemon.store.models import AliveInterval, Session
from tocsin.daemon.store.table import moment

REMEMBERED = 20_000
"""Sessions whose newest interval is remembered, at most; then all are forgotten."""


class _Newest(NamedTuple):
    id: int
    started_at: float
    ended_at: float


class AliveIntervals:
    """Remembers each session's newest interval; another writer's change of it is noticed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._newest: dict[str, _Newest] = {}

    def extend(self, signs: Iterable[tuple[Session, Sequence[Sequence[float]]]]) -> None:
        """Adds liveness signals (epoch seconds, in groups) to sessions' intervals, inside the transaction."""
        if len(self._newest) > REMEMBERED:
            self._newest.clear()
        longer: list[tuple[Session, float]] = []
        for session, groups in signs:
            first, last = min(map(min, groups)), max(map(max, groups))
            newest = self._newest.get(session.id)
            reach = REACH * session.interval
            together = last - first <= reach
            # Far before the remembered end: told late, or the clock was set back and the interval was cut.
            behind = newest is not None and last < newest.ended_at - reach
            if (
                newest is None
                or behind
                or not together
                or not newest.started_at <= first <= newest.ended_at + reach
            ):
                every = (first, last) if together else (at for group in groups for at in group)
                self._slowly(session, every)
            elif last > newest.ended_at:
                longer.append((session, last))
        self._lengthen(longer)

    def _lengthen(self, longer: Sequence[tuple[Session, float]]) -> None:
        """One statement for all; where an interval is not as remembered, each is looked up."""
        rows = []
        for session, last in longer:
            newest = self._newest[session.id]
            rows.append((moment(last), newest.id, moment(newest.ended_at)))
        changed = self._store.run_many(
            "UPDATE session_intervals SET ended_at = ? WHERE id = ? AND ended_at = ?", rows
        )
        for session, last in longer:
            if changed == len(rows):
                self._newest[session.id] = self._newest[session.id]._replace(ended_at=last)
            else:
                self._slowly(session, [last])

    def _slowly(self, session: Session, signs: Iterable[float]) -> None:
        sessions.extend(session, signs)
        newest = (
            AliveInterval.select()
            .where(AliveInterval.session == session)
            .order_by(AliveInterval.ended_at.desc())
            .first()
        )
        self._newest[session.id] = _Newest(newest.id, newest.started_at, newest.ended_at)
