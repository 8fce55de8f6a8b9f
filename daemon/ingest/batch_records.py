"""The records of one batch, each by its kind: an event, one that is only named by its key, a loss.

What cannot be read, or names an event that is nowhere, is quarantined.
"""

from __future__ import annotations

from msgspec import Raw

from tocsin.daemon.ingest.counters import CodeLocations, Counter, Counters
from tocsin.daemon.ingest.session_life import earliest, moment_by_our_clock
from tocsin.daemon.ingest.tally import Sampled
from tocsin.daemon.store import errors, runs
from tocsin.daemon.store.models import Session
from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import AggregatedEvents, DuplicateReference, Lost
from tocsin.handler.protocol.outline import EventOutline, outline, outline_event


class BatchRecords:
    """Counts the records of a session's batch; what a key stands for holds within the batch."""

    def __init__(self, session: Session, locations: CodeLocations, counters: Counters, now: float) -> None:
        self._session = session
        self._locations = locations
        self._counters = counters
        self._now = now
        self._earliest = earliest(session)
        self._defined: dict[int, Counter] = {}
        """By key: what names it is counted as this event is."""

    def define(self, raw: Raw) -> None:
        """An event that others name by its key; it is not counted itself."""
        try:
            event = outline_event(raw)
        except wire.WireError:
            return
        self._defined[event.key] = self._counters.of(self._session, event, self._locations)

    def add(self, position: int, raw: Raw) -> None:
        """Counts the record at this position of the session."""
        try:
            record = outline(raw)
        except wire.WireError as error:
            self._quarantine(position, raw, str(error))
            return
        if isinstance(record, EventOutline):
            self._event(position, raw, record)
        elif isinstance(record, DuplicateReference | AggregatedEvents):
            counter = self._defined.get(record.key)
            if counter is None:
                self._quarantine(position, raw, "names an unknown event")
            elif isinstance(record, DuplicateReference):
                counter.hits.moments.append(self._moment(record.occurred_at))
            else:
                for moment, count in _ends(record):
                    counter.hits.add(self._moment(moment), count)
        elif isinstance(record, Lost):
            runs.add_loss(self._session, record.reason, max(record.count, 0), self._now)

    def _event(self, position: int, raw: Raw, event: EventOutline) -> None:
        counter = self._counters.of(self._session, event, self._locations)
        if event.key:
            self._defined[event.key] = counter
        at = self._moment(event.occurred_at)
        counter.hits.moments.append(at)
        if counter.total.should_sample(at):
            session_id, signature, client = self._session.id, counter.signature, counter.client
            counter.total.add_sample(
                Sampled(event, signature, raw, self._locations, session_id, position, at, client)
            )

    def _moment(self, told: float) -> float:
        at = moment_by_our_clock(told, self._session.clock_offset, self._now)
        return at if at >= self._earliest else min(self._earliest, self._now)

    def _quarantine(self, position: int, raw: Raw, reason: str) -> None:
        errors.quarantine(self._session.id, position, reason, bytes(raw), self._now)


def _ends(record: AggregatedEvents) -> list[tuple[float, int]]:
    """(moment, how many) of aggregated events: the first one's and the last one's moments are known."""
    if record.count > 1:
        return [(record.first_at, 1), (record.last_at, record.count - 1)]
    return [(record.last_at, max(record.count, 0))]
