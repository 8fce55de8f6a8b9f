"""The events that duplicate references and aggregated events name by their key: where in the segments they are."""

from __future__ import annotations

import contextlib

from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import Event
from tocsin.handler.protocol.outline import outline
from tocsin.handler.spool import frames
from tocsin.handler.spool.segment_files import SegmentFiles


class Definitions:
    """Where each key's event stands; the events themselves stay in the files. One thread."""

    def __init__(self, files: SegmentFiles) -> None:
        self._files = files
        self._at: dict[int, tuple[int, int, int]] = {}
        self._searched: set[int] = set()

    def add(self, key: int, number: int, found: frames.Found) -> None:
        """The event of `key` is this frame of segment `number`."""
        self._at[key] = (number, found.offset, found.end)

    def find(self, key: int, number: int) -> bytes | None:
        """The event that `key` names in segment `number`: written in it, or in an earlier one around a rotation."""
        payload = self._payload(key)
        return self._payload(key) if payload is None and self._search(number) else payload

    def drop(self, number: int) -> None:
        """Forgets what stood in a segment that is deleted."""
        self._searched.discard(number)
        self._at = {key: at for key, at in self._at.items() if at[0] != number}

    def _payload(self, key: int) -> bytes | None:
        number, offset, end = self._at.get(key, (-1, 0, 0))
        segment = self._files.numbered(number)
        found = frames.read(self._files.read(segment, offset, end), 0) if segment else None
        return found.payload if found else None

    def _search(self, number: int) -> bool:
        """Learns the definitions of the segments up to `number`. False when all are known already."""
        new = [
            segment
            for segment in self._files.segments
            if segment.number <= number and segment.number not in self._searched
        ]
        for segment in new:
            self._searched.add(segment.number)
            at, data = 0, self._files.whole(segment)
            while found := frames.resume(data, at):
                at = found.end
                if found.offset == 0 or not found.payload:
                    continue
                with contextlib.suppress(wire.WireError):
                    record = outline(found.payload)
                    if isinstance(record, Event) and record.key:
                        self._at.setdefault(record.key, (segment.number, found.offset, found.end))
        return bool(new)
