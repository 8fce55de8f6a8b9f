"""A session's segments read as batches, from any position, own or adopted. No sockets; one thread.

Nothing is kept per record: what was sent and not acknowledged is read again from the file.
"""

from __future__ import annotations

import contextlib

import msgspec

from tocsin.handler.capture.code_locations import CodeLocations
from tocsin.handler.process import monotonic
from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import Header, position, split
from tocsin.handler.spool import dropped, frames
from tocsin.handler.spool.damage import DamagedRanges
from tocsin.handler.spool.definitions import Definitions
from tocsin.handler.spool.draft import BATCH_RECORDS, Draft
from tocsin.handler.spool.files import Spool
from tocsin.handler.spool.guards import GRACE
from tocsin.handler.spool.known_locations import KnownLocations
from tocsin.handler.spool.segment_files import SegmentFiles
from tocsin.handler.spool.segments import Segment

_BEGINNING = 128 * 1024
"""Bytes of a segment in which writes that were in flight at its rotation stand."""


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
        known: list[Segment] | None = None,
    ) -> None:
        """`known`: the session's files, where they are known already. Raises OSError."""
        self.session = session
        self.files = SegmentFiles(directory, session, known)
        self.locations = KnownLocations(self.files, spool, places)
        self._spool = spool
        self._header = header
        self._definitions = Definitions(self.files)
        self._damaged = DamagedRanges(self.files, spool)
        self._reached: dict[int, tuple[float, int]] = {}

    # What there is

    @property
    def header(self) -> Header | None:
        """The newest header that can be read, else the one the lock file holds, else None."""
        if self._spool is not None:
            return self._spool.header
        for segment in reversed(self.files.segments):
            found = frames.read(self.files.read(segment, 0, frames.LARGEST), 0)
            if found:
                with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
                    return msgspec.msgpack.decode(found.payload, type=Header)
        return self._header

    @property
    def oldest(self) -> int:
        """The oldest position still held."""
        return position(self.files.segments[0].number, 0) if self.files.segments else 0

    @property
    def before(self) -> int | None:
        """Events of the session that stood before `oldest`, None when that is not known.

        An event that could not be written has taken a counter and went another way.
        """
        if not self.files.segments or (self._spool is not None and self._spool.diverted):
            return None
        segment = self.files.segments[0]
        # Counters below the segment's own are events', but for one of each header.
        taken = frames.taken_before(self.files.read(segment, 0, _BEGINNING), segment.first)
        return max(taken - segment.number, 0) if segment.number else 0

    @property
    def end(self) -> int:
        """The position behind all that is held."""
        last = self.files.segments[-1]
        return position(last.number, self.files.size(last))

    def reports_dropped(self, since: int) -> bool:
        """Whether a record at or after `since` reports dropped events, or did and is acknowledged."""
        number, offset = split(since)
        if self.files.numbered(number) is None:
            return True
        for segment in self.files.segments:
            if segment.number >= number:
                data = self.files.whole(segment)
                if dropped.reported(frames.payloads(data, offset if segment.number == number else 0)):
                    return True
        return False

    def newest_size(self) -> int:
        """Bytes of the segment that is written to."""
        self._refresh()
        return self.files.size(self.files.segments[-1]) if self.files.segments else 0

    def held(self) -> int:
        """Bytes of all segments."""
        self._refresh()
        return sum(self.files.size(segment) for segment in self.files.segments)

    def backlog(self, watermark: int) -> int:
        """Bytes of records at or after `watermark`."""
        self._refresh()
        number, offset = split(watermark)
        empty = int(self._spool is None)  # A dead owner's emptied segment has a loss to report.
        waiting = 0
        for segment in self.files.segments:
            if segment.number >= number:
                begin = offset if segment.number == number else self.files.start(segment)
                waiting += max((self.files.size(segment) or empty) - begin, 0)
        return waiting

    # Reading

    def batch(self, start: int, cursor: int, now: float, *, most: int = BATCH_RECORDS) -> wire.Batch | None:
        """The records from `cursor` on that fit into one batch, None when there is nothing new.

        It covers the positions from `start` (where the last one ended); up to `cursor` stands nothing to
        ship. One without frames needs no sending: `cursor` may go on to its end.
        """
        self._refresh()
        draft = Draft(cursor, self._definitions, self.locations)
        while not draft.full and len(draft.frames) < most:
            if not self._step(draft):
                break
        return None if draft.end == cursor else draft.batch(self.session, start, now)

    def _step(self, draft: Draft) -> bool:
        """Takes the next frame or damaged range into the draft; False when there is none yet."""
        segment, offset = self.files.at(draft.end)
        if segment is None:
            return False
        found = self.files.frame(segment, offset)
        if found is not None:
            if offset and found.payload:
                draft.apply(segment.number, found)
            draft.end = position(segment.number, found.end)
            return True
        sealed = self._spool is None or self._spool.sealed(segment)
        damage = self._damaged.at(segment, offset, sealed=sealed)
        if damage is not None:
            if damage.events:
                draft.add_lost(position(segment.number, offset), "damaged", damage.events)
            # What an emptied segment has lost is reported at its first byte: a position to acknowledge.
            draft.end = position(segment.number, damage.end or 1)
            if damage.end > offset:
                return True
        following = self.files.following(segment)
        if not sealed or offset < self.files.size(segment) or following is None:
            return False
        draft.end = position(following.number, 0)
        return True

    # Giving up what was acknowledged

    def forget(self, watermark: int) -> None:
        """Deletes the segments that nobody needs: acknowledged, sealed, and followed by one that stands
        alone.

        A duplicate reference written around a rotation may name an event of the segment before; so this one
        stays until what its successor held a grace period later is acknowledged too.
        """
        number, offset = split(watermark)
        held = self.files.segments
        while len(held) > 1 and held[0].number < number:
            segment, following = held[0], held[1]
            began, size = self._reached.setdefault(following.number, (monotonic(), -1))
            if self._spool is not None and following.number >= number:
                if monotonic() - began < GRACE:
                    return
                if size < 0:
                    size = self.files.size(following)
                    self._reached[following.number] = (began, size)
                if offset < size:
                    return
            self._reached.pop(following.number, None)
            self._delete(segment)

    def delete(self) -> None:
        """Deletes every segment: all of it is acknowledged and nobody writes to it."""
        for segment in list(self.files.segments):
            self._delete(segment)

    def close(self) -> None:
        """Closes the descriptors; the files stay."""
        self.files.close()

    def _delete(self, segment: Segment) -> None:
        self.files.delete(segment)
        self._definitions.drop(segment.number)

    def _refresh(self) -> None:
        if self._spool is not None:
            self.files.refresh(self._spool.header.segment)
