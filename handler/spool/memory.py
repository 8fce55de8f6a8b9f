"""Where events go while the spool cannot be written: a bounded list of its own session, then counts only."""

from __future__ import annotations

from collections import deque

from msgspec import Raw

from tocsin.handler.capture.code_locations import CodeLocations
from tocsin.handler.capture.mentions import mentions
from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import CodeLocation, Event, Header, Lost
from tocsin.handler.spool.losses import Tally

LIMIT = 1000
"""Events kept, at most."""


class Memory:
    """A session without files. `put` may be called anywhere, the rest by the shipping thread."""

    def __init__(self, header: Header, places: CodeLocations, overflow: Tally) -> None:
        self.session = header.session
        self.header: Header | None = header
        self._overflow = overflow
        self._places = places
        self._items: deque[bytes] = deque()
        self._base = 0

    def __len__(self) -> int:
        return len(self._items)

    def put(self, payload: bytes) -> None:
        """Keeps an encoded record, or counts it as lost when there is no room."""
        if len(self._items) < LIMIT:
            self._items.append(payload)
        else:
            self._overflow.add()

    def lose(self, reason: str, count: int) -> None:
        """Has a loss reported; there is always room for that."""
        self._items.append(wire.encode_record(Lost(reason, count)))

    @property
    def oldest(self) -> int:
        """Position of the first record that is kept."""
        return self._base

    @property
    def before(self) -> int | None:
        """Not known: among the records that were let go are losses."""
        return None if self._base else 0

    def backlog(self, watermark: int) -> int:
        """Records (not bytes: there is no file) at or after `watermark`."""
        return max(self._base + len(self._items) - max(watermark, self._base), 0)

    def batch(self, start: int, cursor: int, now: float, *, most: int = 100) -> wire.Batch | None:
        """The records from `cursor` on that fit into one batch, None when there are none."""
        cursor = max(cursor, self._base)
        frames: list[tuple[int, Raw]] = []
        places: dict[tuple[str, int], Raw] = {}
        size, end = 0, self._base + len(self._items)
        for at in range(cursor, min(end, cursor + min(most, 100))):
            payload = self._items[at - self._base]
            frames.append((at, Raw(payload)))
            size += len(payload) + self._place(payload, places)
            if size > 256 * 1024:
                break
        if not frames:
            return None
        return wire.Batch(
            session=self.session,
            start=start,
            end=frames[-1][0] + 1,
            frames=frames,
            places=list(places.values()),
            sent_at=now,
        )

    def forget(self, watermark: int) -> None:
        """Lets go of what is acknowledged."""
        while self._base < watermark and self._items:
            self._items.popleft()
            self._base += 1

    def _place(self, payload: bytes, places: dict[tuple[str, int], Raw]) -> int:
        record = wire.decode_record(payload)
        size = 0
        for mention in mentions(record) if isinstance(record, Event) else ():
            at = mention.at
            if at not in places:
                try:
                    encoded = wire.encode_record(self._places.of_mention(mention))
                except Exception:  # What its source says cannot be told: the event is shipped all the same.
                    encoded = wire.encode_record(CodeLocation(*at, module=mention.module or ""))
                places[at] = Raw(encoded)
                size += len(encoded)
        return size
