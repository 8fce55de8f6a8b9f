"""A batch while it is put together: frames, and beside them the definitions and code locations they need."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from tocsin.handler.capture.mentions import mentions
from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import CodeLocation, DuplicateReference, Event, Lost, position
from tocsin.handler.protocol.outline import outline, outline_event
from tocsin.handler.spool import frames
from tocsin.handler.spool.definitions import Definitions
from tocsin.handler.spool.known_locations import KnownLocations

BATCH_BYTES = 512 * 1024
BATCH_RECORDS = 1000
BATCH_MOST = BATCH_BYTES + 256 * 1024
"""Bytes from which on a batch takes no more code locations: it has to fit into one message."""


class Draft:
    """The batch that begins at the position `start`; `end` is how far it has come."""

    def __init__(self, start: int, definitions: Definitions, locations: KnownLocations) -> None:
        self.end = start
        self.size = 0
        self.frames: list[tuple[int, Raw]] = []
        self._known_definitions = definitions
        self._known_locations = locations
        self._defined: set[int] = set()
        self._definitions: dict[int, Raw] = {}
        self._locations: dict[tuple[str, int], Raw] = {}
        self._quoted: set[tuple[str, int]] = set()
        """Those that only a text names so far: less is known of them."""

    @property
    def full(self) -> bool:
        """It takes no more frames."""
        return self.size >= BATCH_BYTES or len(self.frames) >= BATCH_RECORDS

    def batch(self, session: str, start: int, now: float) -> wire.Batch:
        """The message. It covers the positions from `start`: up to the draft's own start stood nothing to ship."""
        return wire.Batch(
            session=session,
            start=start,
            end=self.end,
            frames=self.frames,
            definitions=list(self._definitions.values()),
            places=list(self._locations.values()),
            sent_at=now,
        )

    def add(self, at: int, payload: bytes) -> None:
        """One frame as it is, at the position `at`."""
        self.frames.append((at, Raw(payload)))
        self.size += len(payload) + 10

    def add_lost(self, at: int, reason: str, count: int) -> None:
        """So many events that cannot be shipped, in a frame of their own."""
        self.add(at, wire.encode_record(Lost(reason, count)))

    def apply(self, number: int, found: frames.Found) -> None:
        """The record in this frame of segment `number`, with what it needs beside it."""
        at = position(number, found.offset)
        try:
            record = outline(found.payload)
        except wire.WireError:
            self.add(at, _one_value(found.payload))
            return
        if isinstance(record, CodeLocation):
            self._known_locations.add(record, found.payload)
            return
        if isinstance(record, Event):
            if record.key:
                self._defined.add(record.key)
                self._known_definitions.add(record.key, number, found)
            self._add_locations(number, record)
        elif not isinstance(record, Lost) and not self._define(number, record.key):
            self.add_lost(at, "undefined", 1 if isinstance(record, DuplicateReference) else record.count)
            return
        self.add(at, found.payload)

    def _define(self, number: int, key: int) -> bool:
        """Adds the outline of the event that `key` names; False when it is not held any more."""
        if key in self._defined or key in self._definitions:
            return True
        payload = self._known_definitions.find(key, number)
        if payload is None:
            return False
        event = outline_event(payload)
        definition = wire.encode_record(event)
        self._definitions[key] = Raw(definition)
        self.size += len(definition)
        self._add_locations(number, event)
        return True

    def _add_locations(self, number: int, event: Event) -> None:
        for mention in mentions(event):
            at = mention.at
            if at in self._locations and (mention.quoted or at not in self._quoted):
                continue
            if self.size > BATCH_MOST:
                return
            location = self._locations[at] = self._known_locations.find(mention)
            self.size += len(bytes(location))
            (self._quoted.add if mention.quoted else self._quoted.discard)(at)
            self._known_locations.note(mention, location, number)


def _one_value(payload: bytes) -> bytes:
    """A record that we cannot read: as it is, for a newer daemon; wrapped where it would break the batch."""
    try:
        msgspec.msgpack.decode(payload)
        return payload
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return msgspec.msgpack.encode(payload)
