"""The functions whose runs each process is asked to count, and what comes of its answers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tocsin.daemon.grouping.functions import functions_of
from tocsin.daemon.ingest.session_life import moment_by_our_clock
from tocsin.daemon.ingest.tally import Occurrences, Sum
from tocsin.daemon.store import errors, runs
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import ErrorLog, Session
from tocsin.daemon.store.runs import Counted, Named, NewRuns, ReportedRun, RunKey
from tocsin.handler.capture.values import clean
from tocsin.handler.protocol.wire import WATCHED_FUNCTIONS, FunctionRuns, Observed, WatchedFunction

FRESH = 1.0
"""Seconds for which it is not asked again which errors of a service are watched."""
MOST = 2**53
"""Runs of one function that are believed, at most."""
SEARCHED = 10_000
"""Errors that are known to have no function, at most; then they are looked at again."""


class _Wanted(NamedTuple):
    at: float
    functions: tuple[WatchedFunction, ...]


class WatchedFunctions:
    """Per service the functions that are counted: those of the newest tickets. Remembers them for a moment."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._wanted: dict[tuple[str, str], _Wanted] = {}
        self._without: set[int] = set()

    def of(self, session: Session, now: float) -> tuple[WatchedFunction, ...]:
        """Those of the session's service. Called in a transaction: what is new is written down."""
        service = (session.service, session.environment)
        known = self._wanted.get(service)
        if known is None or not 0 <= now - known.at < FRESH:
            known = self._wanted[service] = _Wanted(now, tuple(self._look(*service)))
        return known.functions

    def _look(self, service: str, environment: str) -> Sequence[WatchedFunction]:
        newest = runs.newest_watched(service, environment, WATCHED_FUNCTIONS)
        found = runs.functions(newest)
        new = [one for one in newest if one not in found and one not in self._without]
        for error_id in new:
            self._learn(error_id)
        if new:
            found = runs.functions(newest)
        rows = [row for error_id in newest for row in found.get(error_id, ())]
        return [
            WatchedFunction(row.error_id, row.caller, row.module, row.name)
            for row in rows[:WATCHED_FUNCTIONS]
        ]

    def _learn(self, error_id: int) -> None:
        """Reads an error's functions from its newest full event."""
        sample = errors.newest_sample(error_id)
        found = functions_of(sample.event, sample.places) if sample is not None else []
        if found:
            runs.add_functions(self._store, error_id, [Named(*one) for one in found])
            return
        if len(self._without) >= SEARCHED:
            self._without.clear()
        self._without.add(error_id)


class ReportedRuns:
    """What the sessions of one transaction tell: totals become what was added, each run once."""

    def __init__(self, store: Store, watched: WatchedFunctions, now: float) -> None:
        self._store = store
        self._watched = watched
        self._now = now
        self._told: dict[str, dict[Counted, ReportedRun]] = {}
        self._changed: set[str] = set()
        self._reported: dict[str, set[Counted]] = {}
        """By session what it was told to count, as its newest message shows; older handlers show nothing."""
        self._added: list[NewRuns] = []

    def note(self, session: Session, observed: Observed | None) -> None:
        """Takes in what a session says of its own process."""
        if observed is None:
            return
        self._reported[session.id] = {(one.error, one.caller) for one in observed.runs}
        before = self._told_by(session)
        wanted = {(one.error, one.caller) for one in self._watched.of(session, self._now)}
        told = [one for one in observed.runs if (one.error, one.caller) in wanted and _is_sound(one)]
        after = {(one.error, one.caller): self._one(session, one, before) for one in told}
        if after or before:
            self._told[session.id] = after
            self._changed.add(session.id)

    def has_observed(self, session: Session) -> bool:
        """Whether it told what it sees, in this transaction: an older handler never does."""
        return session.id in self._reported

    def asked(self, session: Session, *, whole: bool) -> tuple[WatchedFunction, ...] | None:
        """What the session is to count, where it has not told of exactly that; None: nothing is to be said.

        `whole`: whatever it told; it has just begun, or begun again.
        """
        if not whole and session.id not in self._reported:
            return None
        wanted = self._watched.of(session, self._now)
        as_reported = not whole and self._reported[session.id] == {(one.error, one.caller) for one in wanted}
        return None if as_reported else wanted

    def write(
        self, totals: Mapping[int, tuple[ErrorLog, Sequence[Sum]]], known: Mapping[str, Session]
    ) -> None:
        """Writes what was told, and which of the occurrences came in runs that were counted."""
        runs.add(self._store, self._added, self._now)
        runs.add_failed(self._store, self._failed(totals, known))
        changed = {one: self._told[one].values() for one in self._changed}
        runs.save_reported(self._store, changed)

    def _told_by(self, session: Session) -> dict[Counted, ReportedRun]:
        if session.id not in self._told:
            self._told[session.id] = runs.reported_by(session)
        return self._told[session.id]

    def _one(self, session: Session, one: FunctionRuns, before: Mapping[Counted, ReportedRun]) -> ReportedRun:
        """One function's total, and what it adds to the last one: a message that is late, or told twice, nothing."""
        last = before.get((one.error, one.caller))
        if last is not None and (
            one.since < last.since or (one.since == last.since and one.begun < last.begun)
        ):
            return last
        counted_since = moment_by_our_clock(one.since, session.clock_offset, self._now)
        goes_on = last is not None and last.since == one.since
        begun = one.begun - (last.begun if last is not None and goes_on else 0)
        since = last.told_at if last is not None and goes_on else counted_since
        if begun:
            who = (session.program, session.role, session.release or "")
            self._added.append(NewRuns(one.error, one.caller, *who, begun, since, one.estimated))
        if last is not None and goes_on:
            counted_since = last.counted_since
        unknown = clean(one.unknown)[:20]
        return ReportedRun(one.error, one.caller, one.begun, one.since, counted_since, self._now, unknown)

    def _failed(
        self, totals: Mapping[int, tuple[ErrorLog, Sequence[Sum]]], known: Mapping[str, Session]
    ) -> dict[RunKey, dict[int, int]]:
        failed: dict[RunKey, dict[int, int]] = {}
        for error_id, (_, parts) in totals.items():
            for part in parts:
                for (_, session_id), hits in part.hits.items():
                    session = known[session_id]
                    told = self._told_by(session)
                    who = (session.program, session.role, session.release or "")
                    for caller in (False, True):
                        one = told.get((error_id, caller))
                        if one is None or one.unknown:
                            continue
                        hours = failed.setdefault(RunKey(error_id, caller, *who), {})
                        for hour, count in _since(hits, one.counted_since).items():
                            hours[hour] = hours.get(hour, 0) + count
        return {of: hours for of, hours in failed.items() if hours}


def _is_sound(one: FunctionRuns) -> bool:
    return 0 <= one.begun <= MOST and math.isfinite(one.since)


def _since(hits: Occurrences, since: float) -> dict[int, int]:
    """By hour, the occurrences at that moment or later."""
    if hits.first_at >= since:
        return dict(hits.hours())
    found: dict[int, int] = {}
    for at, count in [*((at, 1) for at in hits.moments), *hits.many]:
        if at >= since:
            found[int(at // 3600)] = found.get(int(at // 3600), 0) + count
    return found
