"""Tracebacks that a session logs line by line and has not ended yet: kept with the session until the rest comes."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Raw

from tocsin.daemon.ingest import printed_lines
from tocsin.daemon.ingest.session_life import moment_by_our_clock
from tocsin.daemon.store.models import Session

Record = tuple[int, Raw]
"""A position in the session and the record at it."""


def joined(session: Session, records: list[Record], definitions: Sequence[Raw]) -> list[Record]:
    """The records with each traceback that was logged line by line as one event; an unfinished one is kept."""
    pending = printed_lines.decode(session.broken_off)
    if not pending and not printed_lines.concerns([*definitions, *(raw for _, raw in records)]):
        return records
    found = printed_lines.join(records, definitions, pending)
    session.events += found.absorbed
    session.broken_off = printed_lines.encode(found.pending)
    return found.frames


def given_up(session: Session, now: float, *, ends: bool) -> list[Record]:
    """Events made of the tracebacks whose rest does not come any more: all of them when the session `ends`."""
    waiting, records = [], []
    for run in printed_lines.decode(session.broken_off):
        happened = moment_by_our_clock(run.newest, session.clock_offset, now)
        if ends or now - happened > printed_lines.STALE:
            records.append(printed_lines.unfinished(run))
        else:
            waiting.append(run)
    session.broken_off = printed_lines.encode(tuple(waiting))
    return records
