"""Tracebacks that a session logs line by line and has not ended yet: kept with the session until the rest comes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Raw
from msgspec.structs import replace

from tocsin.daemon.ingest import printed_lines
from tocsin.daemon.ingest.counters import CodeLocations
from tocsin.daemon.ingest.printed_lines import Run
from tocsin.daemon.ingest.session_life import moment_by_our_clock
from tocsin.daemon.store.models import Session
from tocsin.handler.capture.mentions import mentions
from tocsin.handler.protocol.event import CodeLocation

Record = tuple[int, Raw]
"""A position in the session and the record at it."""


class Whole(NamedTuple):
    """Records with each traceback that was logged line by line as one event, and what is known of their code."""

    records: list[Record]
    locations: CodeLocations


def joined(
    session: Session, records: list[Record], definitions: Sequence[Raw], locations: CodeLocations
) -> Whole:
    """The records as they are to be counted; a traceback that is unfinished is kept."""
    pending = printed_lines.decode(session.broken_off)
    if not pending and not printed_lines.concerns([*definitions, *(raw for _, raw in records)]):
        return Whole(records, locations)
    known = {**_told(pending), **locations}
    found = printed_lines.join(records, definitions, pending)
    session.events += found.absorbed
    waiting = tuple(run._replace(locations=_mentioned(run, known)) for run in found.pending)
    session.broken_off = printed_lines.encode(waiting)
    return Whole(found.frames, known)


def given_up(session: Session, now: float, *, ends: bool) -> Whole:
    """Events made of the tracebacks whose rest does not come any more: all of them when the session `ends`."""
    over: list[Run] = []
    waiting: list[Run] = []
    for run in printed_lines.decode(session.broken_off):
        happened = moment_by_our_clock(run.newest, session.clock_offset, now)
        (over if ends or now - happened > printed_lines.STALE else waiting).append(run)
    session.broken_off = printed_lines.encode(tuple(waiting))
    return Whole([printed_lines.unfinished(run) for run in over], _told(over))


def _told(runs: Sequence[Run]) -> dict[tuple[str, int], CodeLocation]:
    return {(one.path, one.line): one for run in runs for one in run.locations}


def _mentioned(run: Run, known: CodeLocations) -> tuple[CodeLocation, ...]:
    """What its lines mention, without the source around it, which may be long."""
    found = {one.at: known[one.at] for line in run.lines for one in mentions(line) if one.at in known}
    return tuple(replace(one, source=(), first=0) for one in found.values())
