"""A session's segments read as batches, from any position, own or adopted. No sockets; one thread.

Nothing is kept per record: what was sent and not acknowledged is read again from the file.
"""

from __future__ import annotations

import contextlib
import os
import re

import msgspec
from msgspec import Raw

from tocsin.handler.capture.code_locations import CodeLocations, wanted
from tocsin.handler.process import monotonic
from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import (
    CodeLocation,
    DuplicateReference,
    Event,
    Header,
    Lost,
    position,
    split,
)
from tocsin.handler.protocol.outline import outline, outline_event
from tocsin.handler.spool import dropped, frames
from tocsin.handler.spool.descriptors import OwnFile
from tocsin.handler.spool.files import Spool, append
from tocsin.handler.spool.guards import GRACE
from tocsin.handler.spool.segments import Segment, segments

BATCH_BYTES = 512 * 1024
BATCH_RECORDS = 1000
BATCH_MOST = BATCH_BYTES + 256 * 1024
"""Bytes from which on a batch takes no more places: it has to fit into one message."""
_NOTED = re.compile(re.escape(frames.MAGIC) + rb".{8}\0{8}[\x90-\x9f]\x03", re.DOTALL)
"""The start of a frame that is no event (its counter is 0) and holds a `CodeLocation` (an array with tag 3)."""
_KNOWN = 2048
"""Places of a living session that are remembered, at most; then all are forgotten."""
_CHUNK = 512 * 1024
_BEGINNING = 128 * 1024
"""Bytes of a segment in which writes that were in flight at its rotation stand."""


class Draft:
    """A batch while it is put together."""

    def __init__(self, start: int) -> None:
        self.end = start
        self.frames: list[tuple[int, Raw]] = []
        self.definitions: dict[int, Raw] = {}
        self.defined: set[int] = set()
        self.places: dict[tuple[str, int], Raw] = {}
        self.size = 0

    @property
    def full(self) -> bool:
        return self.size >= BATCH_BYTES or len(self.frames) >= BATCH_RECORDS

    def add(self, at: int, payload: bytes) -> None:
        self.frames.append((at, Raw(payload)))
        self.size += len(payload) + 10


class Stream:
    """A session's files, oldest first. `spool` is the writing side when the session is this process's own."""

    def __init__(
        self,
        directory: str,
        session: str,
        places: CodeLocations | None = None,
        *,
        spool: Spool | None = None,
        header: Header | None = None,
    ) -> None:
        """Raises OSError."""
        self.directory = directory
        self.session = session
        self.places = places
        self._spool = spool
        self._header = header
        self.segments: list[Segment] = segments(directory, session)
        self._files: dict[int, OwnFile] = {}
        self._chunk: tuple[int, int, bytes] = (-1, 0, b"")
        self._surveyed: tuple[tuple[int, int, bool], frames.Survey] | None = None
        self._definitions: dict[int, tuple[int, int, int]] = {}
        self._known: dict[tuple[str, int], Raw] = {}
        self._noted: dict[tuple[str, int], int] = {}
        self._reached: dict[int, tuple[float, int]] = {}
        self._index: set[int] = set()
        self._searched: set[int] = set()
        self._starts: dict[int, int] = {}
        self._fragment = (-1, 0, 0.0)

    # What there is

    @property
    def header(self) -> Header | None:
        """The newest header that can be read, else the one the lock file holds, else None."""
        if self._spool is not None:
            return self._spool.header
        for segment in reversed(self.segments):
            found = frames.read(self._bytes(segment, 0, frames.LARGEST), 0)
            if found:
                with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
                    return msgspec.msgpack.decode(found.payload, type=Header)
        return self._header

    @property
    def oldest(self) -> int:
        """The oldest position still held."""
        return position(self.segments[0].number, 0) if self.segments else 0

    @property
    def before(self) -> int | None:
        """Events of the session that stood before `oldest`, None when that is not known.

        An event that could not be written has taken a counter and went another way.
        """
        if not self.segments or (self._spool is not None and self._spool.diverted):
            return None
        segment = self.segments[0]
        # Counters below the segment's own are events', but for one of each header.
        taken = frames.taken_before(self._bytes(segment, 0, _BEGINNING), segment.first)
        return max(taken - segment.number, 0) if segment.number else 0

    @property
    def end(self) -> int:
        """The position behind all that is held."""
        last = self.segments[-1]
        return position(last.number, self._size(last))

    def note(self, payload: bytes) -> None:
        """Adds a record to a dead owner's last segment. Raises OSError."""
        fd = os.open(self.segments[-1].path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            append(fd, frames.encode(0, payload))
        finally:
            os.close(fd)

    def reports_dropped(self, since: int) -> bool:
        """Whether a record at or after `since` reports dropped events, or did and is acknowledged."""
        number, offset = split(since)
        if not any(segment.number == number for segment in self.segments):
            return True
        for segment in self.segments:
            if segment.number >= number:
                data = self._bytes(segment, 0, self._size(segment))
                if dropped.reported(frames.payloads(data, offset if segment.number == number else 0)):
                    return True
        return False

    def newest_size(self) -> int:
        """Bytes of the segment that is written to."""
        self._refresh()
        return self._size(self.segments[-1]) if self.segments else 0

    def held(self) -> int:
        """Bytes of all segments."""
        self._refresh()
        return sum(self._size(segment) for segment in self.segments)

    def backlog(self, watermark: int) -> int:
        """Bytes of records at or after `watermark`."""
        self._refresh()
        number, offset = split(watermark)
        empty = int(self._spool is None)  # A dead owner's emptied segment has a loss to tell.
        waiting = 0
        for segment in self.segments:
            if segment.number >= number:
                begin = offset if segment.number == number else self._start(segment)
                waiting += max((self._size(segment) or empty) - begin, 0)
        return waiting

    # Reading

    def batch(self, start: int, cursor: int, now: float, *, most: int = BATCH_RECORDS) -> wire.Batch | None:
        """The records from `cursor` on that fit into one batch, None when there is nothing new.

        It covers the positions from `start` (where the last one ended); up to `cursor` stands nothing to
        ship. One without frames needs no sending: `cursor` may go on to its end.
        """
        self._refresh()
        draft = Draft(cursor)
        while not draft.full and len(draft.frames) < most:
            if not self._step(draft):
                break
        if draft.end == cursor:
            return None
        return wire.Batch(
            session=self.session,
            start=start,
            end=draft.end,
            frames=draft.frames,
            definitions=list(draft.definitions.values()),
            places=list(draft.places.values()),
            sent_at=now,
        )

    def _step(self, draft: Draft) -> bool:
        """Takes the next frame or damaged range into the draft; False when there is none yet."""
        segment, offset = self._at(draft.end)
        if segment is None:
            return False
        found = self._frame(segment, offset)
        if found is not None:
            if offset and found.payload:
                self._take(draft, segment, found)
            draft.end = position(segment.number, found.end)
            return True
        sealed = self._sealed(segment)
        damage = self._damage(segment, offset, sealed)
        if damage is not None:
            if damage.events:
                draft.add(position(segment.number, offset), _lost("damaged", damage.events))
            # What an emptied segment has lost is told at its first byte: a position to acknowledge.
            draft.end = position(segment.number, damage.end or 1)
            if damage.end > offset:
                return True
        if not sealed or offset < self._size(segment) or segment is self.segments[-1]:
            return False
        following = self.segments[self.segments.index(segment) + 1]
        draft.end = position(following.number, 0)
        return True

    def _take(self, draft: Draft, segment: Segment, found: frames.Found) -> None:
        at = position(segment.number, found.offset)
        try:
            record = outline(found.payload)
        except wire.WireError:
            draft.add(at, _one_value(found.payload))
            return
        if isinstance(record, CodeLocation):
            self._known[record.path, record.line] = Raw(found.payload)
            return
        if isinstance(record, Event):
            if record.key:
                draft.defined.add(record.key)
                self._definitions[record.key] = (segment.number, found.offset, found.end)
            self._place(draft, segment, record)
        elif isinstance(record, DuplicateReference) and not self._define(draft, segment, record.key):
            draft.add(at, _lost("undefined", 1))
            return
        elif not isinstance(record, DuplicateReference | Lost) and not self._define(
            draft, segment, record.key
        ):
            draft.add(at, _lost("undefined", record.count))
            return
        draft.add(at, found.payload)

    def _define(self, draft: Draft, segment: Segment, key: int) -> bool:
        if key in draft.defined or key in draft.definitions:
            return True
        payload = self._definition(segment, key)
        if payload is None:
            return False
        event = outline_event(payload)
        outline = wire.encode_record(event)
        draft.definitions[key] = Raw(outline)
        draft.size += len(outline)
        self._place(draft, segment, event)
        return True

    def _definition(self, segment: Segment, key: int) -> bytes | None:
        """The event that `key` names: written in this segment, or in the one before around a rotation."""
        for attempt in range(2):
            if where := self._definitions.get(key):
                number, offset, end = where
                owner = next((one for one in self.segments if one.number == number), None)
                found = frames.read(self._bytes(owner, offset, end), 0) if owner else None
                if found:
                    return found.payload
            if attempt == 0 and not self._gather(segment.number):
                break
        return None

    def _gather_places(self) -> None:
        """Learns what a dead owner noted of places, without reading its events."""
        for segment in self.segments:
            if segment.number in self._searched:
                continue
            self._searched.add(segment.number)
            data = self._bytes(segment, 0, self._size(segment))
            for match in _NOTED.finditer(data):
                if found := frames.read(data, match.start()):
                    with contextlib.suppress(wire.WireError):
                        place = wire.decode_location(found.payload)
                        self._known[place.path, place.line] = Raw(found.payload)

    def _gather(self, number: int) -> bool:
        """Learns the definitions of the segments up to `number`. False when all are known already."""
        new = [one for one in self.segments if one.number <= number and one.number not in self._index]
        for segment in new:
            self._index.add(segment.number)
            at, data = 0, self._bytes(segment, 0, self._size(segment))
            while found := frames.resume(data, at):
                at = found.end
                if found.offset == 0 or not found.payload:
                    continue
                with contextlib.suppress(wire.WireError):
                    record = outline(found.payload)
                    if isinstance(record, Event) and record.key:
                        self._definitions.setdefault(record.key, (segment.number, found.offset, found.end))
        return bool(new)

    def _place(self, draft: Draft, segment: Segment, event: Event) -> None:
        for path, line, module in wanted(event):
            spot = (path, line)
            if spot in draft.places:
                continue
            if draft.size > BATCH_MOST:
                return
            place = self._known.get(spot) or self._learn(path, line, module)
            draft.places[spot] = place
            draft.size += len(bytes(place))
            if self._spool is not None and self._noted.get(spot, -1) < segment.number:
                with contextlib.suppress(OSError):
                    self._spool.note(bytes(place))
                    self._noted[spot] = self._spool.segment

    def _learn(self, path: str, line: int, module: str | None) -> Raw:
        """The place, encoded. What it is now is what it stays, unless its owner noted it further on."""
        if self._spool is None:
            self._gather_places()
        elif len(self._known) >= _KNOWN:
            self._known.clear()
        known = self._known.get((path, line))
        if known is None:
            known = self._known[path, line] = Raw(self._location(path, line, module))
        return known

    def _location(self, path: str, line: int, module: str | None) -> bytes:
        """What its source says; nothing but its name where that cannot be told: the event is shipped all the same."""
        if self.places:
            with contextlib.suppress(Exception):
                return wire.encode_record(self.places.of(path, line, module))
        return wire.encode_record(CodeLocation(path, line, module=module or ""))

    # Giving up what was acknowledged

    def forget(self, watermark: int) -> None:
        """Deletes the segments that nobody needs: acknowledged, sealed, and followed by one that stands
        alone.

        A repeat written around a rotation may name an event of the segment before; so this one stays until
        what its successor held a grace period later is acknowledged too.
        """
        number, offset = split(watermark)
        while len(self.segments) > 1 and self.segments[0].number < number:
            segment, following = self.segments[0], self.segments[1]
            began, size = self._reached.setdefault(following.number, (monotonic(), -1))
            if self._spool is not None and following.number >= number:
                if monotonic() - began < GRACE:
                    return
                if size < 0:
                    size = self._size(following)
                    self._reached[following.number] = (began, size)
                if offset < size:
                    return
            self._reached.pop(following.number, None)
            self._drop(segment)

    def delete(self) -> None:
        """Deletes every segment: all of it is acknowledged and nobody writes to it."""
        for segment in list(self.segments):
            self._drop(segment)

    def close(self) -> None:
        """Closes the descriptors; the files stay."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _drop(self, segment: Segment) -> None:
        with contextlib.suppress(OSError):
            os.unlink(segment.path)
        if file := self._files.pop(segment.number, None):
            file.close()
        self.segments.remove(segment)
        self._index.discard(segment.number)
        self._definitions = {key: at for key, at in self._definitions.items() if at[0] != segment.number}

    # Files

    def _refresh(self) -> None:
        if self._spool is not None and self.segments[-1].number < self._spool.header.segment:
            with contextlib.suppress(OSError):
                known = {one.number for one in self.segments}
                self.segments += [
                    one for one in segments(self.directory, self.session) if one.number not in known
                ]

    def _at(self, where: int) -> tuple[Segment | None, int]:
        number, offset = split(where)
        for segment in self.segments:
            if segment.number == number:
                return segment, offset
            if segment.number > number:
                return segment, 0
        return None, 0

    def _frame(self, segment: Segment, offset: int) -> frames.Found | None:
        number, base, data = self._chunk
        found = frames.read(data, offset - base) if number == segment.number and base <= offset else None
        if found is not None:
            return frames.Found(offset, base + found.end, found.counter, found.payload)
        data = self._bytes(segment, offset, offset + _CHUNK)
        self._chunk = (segment.number, offset, data)
        found = frames.read(data, 0)
        return found and frames.Found(offset, offset + found.end, found.counter, found.payload)

    def _damage(self, segment: Segment, offset: int, sealed: bool) -> frames.Damage | None:
        """The damaged range that begins at `offset`, None when the file ends there or a write is in
        flight.
        """
        size = self._size(segment)
        if offset >= size and not (sealed and size == 0):
            return None
        held = (segment.number, size, sealed)
        if self._surveyed is None or self._surveyed[0] != held:
            self._surveyed = (held, self._survey(segment, size, sealed))
        for damage in self._surveyed[1].damages:
            if damage.offset == offset or damage.offset < offset < damage.end:
                return frames.Damage(offset, damage.end, damage.events if damage.offset == offset else 0)
        return self._abandoned(segment, offset, size)

    def _abandoned(self, segment: Segment, offset: int, size: int) -> frames.Damage | None:
        """The fragment that a failed write has left at the end.

        Its event went another way, nobody completes it.
        """
        if self._spool is None or not self._spool.failed_writes or self._surveyed is None:
            return None
        tail = self._surveyed[1].tail
        if tail != offset or self._fragment[:2] != (segment.number, size):
            self._fragment = (segment.number, size, monotonic())
            return None
        return frames.Damage(offset, size, 0) if monotonic() - self._fragment[2] > GRACE / 2 else None

    def _survey(self, segment: Segment, size: int, sealed: bool) -> frames.Survey:
        index = self.segments.index(segment)
        following = self.segments[index + 1] if index + 1 < len(self.segments) else None
        elsewhere = frozenset(self._spool.failed_writes if self._spool else ())
        if following is not None:
            data = self._bytes(following, 0, self._size(following))
            elsewhere |= frames.survey(data, first=following.first, sealed=False).counters
        return frames.survey(
            self._bytes(segment, 0, size),
            first=segment.first,
            sealed=sealed,
            until=following.first if following else 0,
            elsewhere=elsewhere,
        )

    def _sealed(self, segment: Segment) -> bool:
        return self._spool is None or self._spool.sealed(segment)

    def _start(self, segment: Segment) -> int:
        """Where the records begin: a segment with nothing but its header is no backlog."""
        found = self._frame(segment, 0) if segment.number not in self._starts else None
        if found is not None:
            self._starts[segment.number] = found.end
        return self._starts.get(segment.number, 0)

    def _size(self, segment: Segment) -> int:
        fd = self._open(segment)
        try:
            return os.fstat(fd).st_size if fd >= 0 else 0
        except OSError:
            return 0

    def _bytes(self, segment: Segment, start: int, end: int) -> bytes:
        fd = self._open(segment)
        try:
            return os.pread(fd, end - start, start) if fd >= 0 and end > start else b""
        except OSError:
            return b""

    def _open(self, segment: Segment) -> int:
        """A descriptor of the segment, opened again where the application has closed ours; -1: there is none."""
        file = self._files.get(segment.number)
        if file is None or not file.ours:
            try:
                file = OwnFile(os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW))
            except OSError:
                return -1
            self._files[segment.number] = file
        return file.fd


def _one_value(payload: bytes) -> bytes:
    """A record that we cannot read: as it is, for a newer daemon; wrapped where it would break the batch."""
    try:
        msgspec.msgpack.decode(payload)
        return payload
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return msgspec.msgpack.encode(payload)


def _lost(reason: str, count: int) -> bytes:
    return wire.encode_record(Lost(reason, count))
