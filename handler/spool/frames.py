"""Frames of a spool file: bytes and back, and what damaged bytes held. Pure: no files here.

A frame is magic (2 bytes), length of the payload (4), crc32 of the payload (4), counter (8), payload. The crc
begins with the counter, folded to 32 bits: so it tells of a damaged counter too.
Every event of a session, and every segment's header, takes the next counter; frames that are no event carry
0. Counters are taken before a lockless write, so their order in the file may differ a little; they only say
how many events a damaged range held. A frame with a counter and no payload says that this event went another
way.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from tocsin.handler.protocol.event import PAYLOAD_LIMIT

MAGIC = b"\xffT"
_HEAD = struct.Struct(">2sIIQ")
HEAD_SIZE = _HEAD.size
LARGEST = HEAD_SIZE + PAYLOAD_LIMIT
"""Bytes of one frame, at most."""

_crc32 = zlib.crc32
_pack = _HEAD.pack


class Found(NamedTuple):
    """A whole frame: where it begins, where the next one does, its counter (0: no event) and payload."""

    offset: int
    end: int
    counter: int
    payload: bytes


class Damage(NamedTuple):
    """A range of bytes that are no frame, and how many events it held."""

    offset: int
    end: int
    events: int


def encode(counter: int, payload: bytes) -> bytes:
    """One frame. `payload` is at most `PAYLOAD_LIMIT` bytes, else ValueError: no reader would take it."""
    size = len(payload)
    if size > PAYLOAD_LIMIT:
        raise ValueError(f"a payload of {size} bytes is over the limit of {PAYLOAD_LIMIT}")
    return _pack(MAGIC, size, _crc32(payload, counter ^ counter >> 32), counter) + payload


def read(data: bytes, at: int) -> Found | None:
    """The whole, sound frame that begins at byte `at`, or None."""
    if len(data) - at < HEAD_SIZE:
        return None
    magic, size, crc, counter = _HEAD.unpack_from(data, at)
    end = at + HEAD_SIZE + size
    if magic != MAGIC or size > PAYLOAD_LIMIT or end > len(data) or not (size or counter):
        return None
    payload = data[at + HEAD_SIZE : end]
    if _crc32(payload, counter ^ counter >> 32) != crc:
        return None
    return Found(at, end, counter, payload)


def resume(data: bytes, at: int) -> Found | None:
    """The first sound frame at or after byte `at`, or None."""
    while (at := data.find(MAGIC, at)) >= 0:
        if found := read(data, at):
            return found
        at += 1
    return None


def payloads(data: bytes, at: int) -> Iterator[bytes]:
    """The payloads of all sound frames at or after byte `at`."""
    while found := resume(data, at):
        at = found.end
        yield found.payload


def taken_before(data: bytes, first: int) -> int:
    """How many counters were taken by frames before the segment that begins with `data`.

    `first`: the counter of the segment's own header. A write that was in flight at the rotation may stand on
    its other side: a lower counter in here, or a higher one that is missing here. Missing ones are looked for
    up to the middle of the sound frames only; what is missing behind it may be later in the file.
    """
    counters = []
    at = 0
    while found := read(data, at):
        at = found.end
        if found.counter:
            counters.append(found.counter)
    seen = set(counters)
    late = sum(counter < first for counter in seen)
    middle = max(counters[: len(counters) // 2 + 1], default=first)
    early = sum(counter not in seen for counter in range(first + 1, middle))
    return first - 1 - late + early


class Survey(NamedTuple):
    """A whole segment looked at: its sound frames' end, the counters it holds, its damaged ranges.

    `tail` is the offset of bytes at the end that are no whole frame (a write in flight, or a torn one), else
    None.
    """

    counters: frozenset[int]
    damages: tuple[Damage, ...]
    tail: int | None


def survey(
    data: bytes, *, first: int, sealed: bool, until: int = 0, elsewhere: frozenset[int] = frozenset()
) -> Survey:
    """What the segment `data` holds and what damage has taken from it.

    `first`: the counter of the segment's own header. `sealed`: nobody writes to it any more, so an unreadable
    tail is a range too. `until`: the first counter of the next segment, 0 when there is none. `elsewhere`:
    counters known to stand in other segments.
    """
    counters: set[int] = set()
    ranges: list[tuple[int, int, int]] = []
    at = highest = 0
    while found := resume(data, at):
        if found.offset > at:
            ranges.append((at, found.offset, highest))
        if found.counter:
            counters.add(found.counter)
            highest = max(highest, found.counter)
        at = found.end
    tail = at if at < len(data) else None
    if sealed and (tail is not None or not data):
        ranges.append((at, len(data), highest))
    end = max(highest + 1, until if sealed else 0)
    counts = _laid(set(range(first + 1, end)) - counters - elsewhere, ranges)
    if sealed and (tail is not None or not data) and not until:
        counts[-1] = max(counts[-1], 1)
    damages = tuple(
        Damage(start, stop, count) for (start, stop, _), count in zip(ranges, counts, strict=True)
    )
    return Survey(frozenset(counters), damages, tail)


def _laid(missing: set[int], ranges: list[tuple[int, int, int]]) -> list[int]:
    """How many of the missing counters each range held.

    The last one before which only lower counters stood.
    """
    counts = [0] * len(ranges)
    for number in missing if ranges else ():
        owner = 0
        for index, (_, _, before) in enumerate(ranges):
            if before < number:
                owner = index
        counts[owner] += 1
    return counts
