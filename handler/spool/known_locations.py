"""What a session's code locations say, encoded: learnt once, noted in the spool so that who adopts it knows too."""

from __future__ import annotations

import contextlib
import re

from msgspec import Raw

from tocsin.handler.capture.code_locations import CodeLocations
from tocsin.handler.capture.mentions import Mention
from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import CodeLocation
from tocsin.handler.spool import frames
from tocsin.handler.spool.files import Spool
from tocsin.handler.spool.segment_files import SegmentFiles

_NOTED = re.compile(re.escape(frames.MAGIC) + rb".{8}\0{8}[\x90-\x9f]\x03", re.DOTALL)
"""The start of a frame that is no event (its counter is 0) and holds a `CodeLocation` (an array with tag 3)."""
_MOST = 2048
"""Locations of a living session that are remembered, at most; then all are forgotten."""


class KnownLocations:
    """The code locations of one session. One thread."""

    def __init__(self, files: SegmentFiles, spool: Spool | None, source: CodeLocations | None) -> None:
        """`spool`: the writing side, None when the owner is dead. `source` reads the code, where it can be read."""
        self.source = source
        self._files = files
        self._spool = spool
        self._known: dict[tuple[str, int], Raw] = {}
        self._noted: dict[tuple[str, int], int] = {}
        self._searched: set[int] = set()

    def add(self, location: CodeLocation, payload: bytes) -> None:
        """One that its owner noted; `payload` is the same, encoded."""
        self._known[location.path, location.line] = Raw(payload)

    def find(self, mention: Mention) -> Raw:
        """The location, encoded. What it is now is what it stays, unless its owner noted it further on.

        One that only a text names is not remembered: a frame may name it later, and of that more may be told.
        """
        at = mention.at
        known = self._known.get(at)
        if known is not None:
            return known
        if self._spool is None:
            self._search()
        elif len(self._known) >= _MOST:
            self._known.clear()
            self._noted.clear()
        known = self._known.get(at)
        if known is None:
            known = Raw(self._encoded(mention))
            if not mention.quoted:
                self._known[at] = known
        return known

    def note(self, mention: Mention, location: Raw, number: int) -> None:
        """Writes it into the spool of a living session, where an event of segment `number` names it.

        Not again where it was noted in that segment or in a later one, nor what only a text names.
        """
        at = mention.at
        if self._spool is None or mention.quoted or self._noted.get(at, -1) >= number:
            return
        with contextlib.suppress(OSError):
            self._spool.note(bytes(location))
            self._noted[at] = self._spool.segment

    def _search(self) -> None:
        """Learns what a dead owner noted, without reading its events."""
        for segment in self._files.segments:
            if segment.number in self._searched:
                continue
            self._searched.add(segment.number)
            data = self._files.whole(segment)
            for match in _NOTED.finditer(data):
                if found := frames.read(data, match.start()):
                    with contextlib.suppress(wire.WireError):
                        self.add(wire.decode_location(found.payload), found.payload)

    def _encoded(self, mention: Mention) -> bytes:
        """What its source says; nothing but its name where that cannot be told: the event is shipped all the same."""
        if self.source:
            with contextlib.suppress(Exception):
                return wire.encode_record(self.source.of_mention(mention))
        return wire.encode_record(CodeLocation(mention.path, mention.line, module=mention.module or ""))
