"""A traceback that a library logs line by line, each line a record of its own, made one event. Pure.

What belongs together is decided here, from what each record says of itself: one logger, one thread, one logging
function, within a moment, and the lines are a printed traceback's. Lines that stand in other records' places are
left out; the event takes the place of the last of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import AggregatedEvents, CodeLocation, DuplicateReference
from tocsin.handler.protocol.outline import EventOutline, outline, outline_event

MOMENT = 0.5
"""Seconds between two lines of one traceback, at most."""
LINES = 500
"""Lines of one traceback that are joined, at most."""
STALE = 5.0
"""Seconds after which a traceback whose rest has not come is an event as it is."""

Position = tuple[int, Raw]
_Voice = tuple[str, str, str, str, str | None]

_HEADING = "Traceback (most recent call last):"
_MARK = b"\xd9\x22" + _HEADING.encode()
"""The heading as a whole text in msgpack: without it no batch begins such a traceback."""
_UNHANDLED = "Unhandled error in Deferred:"
_MARK_UNHANDLED = b"\xbc" + _UNHANDLED.encode()
"""What Twisted logs just before a failure that nobody handled, as a whole text in msgpack."""
_LAST = re.compile(r"^[A-Za-z_][\w.<>]{0,300}(?::(?: .*)?)?$")
_LINK = re.compile(
    r"^(?:During handling of the above exception, another exception occurred|"
    r"The above exception was the direct cause of the following exception):$"
)


class _Kept(Struct, frozen=True, array_like=True):
    """A run as a session keeps it. Fields are only ever added at the end: older rows are read."""

    lines: list[bytes]
    at: int
    ended: bool
    locations: tuple[CodeLocation, ...] = ()


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[_Kept]).decode


class Run(NamedTuple):
    """Lines seen so far of one traceback; `at` is the position of its last one."""

    lines: tuple[EventOutline, ...]
    at: int
    ended: bool
    """Its last line was the exception's own."""
    locations: tuple[CodeLocation, ...] = ()
    """What is known of the code that the lines of earlier batches mention."""

    @property
    def newest(self) -> float:
        return self.lines[-1].occurred_at

    @property
    def framed(self) -> bool:
        return any(line.message.startswith('  File "') for line in self.lines)


class Joined(NamedTuple):
    """A batch's records with each such traceback as one event."""

    frames: list[Position]
    absorbed: int
    """Records that are now part of another."""
    pending: tuple[Run, ...]
    """The tracebacks that the batch breaks off, to be given to the next one."""


def concerns(raws: Iterable[Raw]) -> bool:
    """Whether any of these records is the heading of a traceback or of a failure, by a look at the bytes."""
    return any(_MARK in data or _MARK_UNHANDLED in data for data in map(bytes, raws))


def join(frames: Sequence[Position], definitions: Iterable[Raw], pending: tuple[Run, ...]) -> Joined:
    """The records as the digest is to have them."""
    return _Joining(definitions, pending).join(frames)


def unfinished(run: Run) -> Position:
    """What came of a traceback whose rest has not."""
    return run.at, Raw(wire.encode_record(_event(run)))


def encode(runs: tuple[Run, ...]) -> bytes | None:
    """What a session keeps of them until its next batch, None when there is nothing to keep."""
    if not runs:
        return None
    return _encode(
        [
            _Kept([wire.encode_record(line) for line in run.lines], run.at, run.ended, run.locations)
            for run in runs
        ]
    )


def decode(kept: bytes | None) -> tuple[Run, ...]:
    """The tracebacks that `encode` was given."""
    return tuple(
        Run(tuple(outline_event(Raw(line)) for line in one.lines), one.at, one.ended, one.locations)
        for one in (_decode(kept) if kept else ())
    )


class _Joining:
    def __init__(self, definitions: Iterable[Raw], pending: tuple[Run, ...]) -> None:
        self._events: dict[int, EventOutline] = {}
        self._runs = {_voice(run.lines[0]): run for run in pending}
        self._out: list[Position | None] = []
        self._absorbed = 0
        self._before: dict[_Voice, tuple[int, EventOutline]] = {}
        """A voice's last record and its index in `_out`: a traceback's summary, if a heading follows."""
        for raw in definitions:
            self._learn(raw)

    def join(self, frames: Sequence[Position]) -> Joined:
        for at, raw in frames:
            event = self._read(raw)
            if event is None:
                self._out.append((at, raw))
            elif event.exception is not None:
                self._drop_heading(event)
                self._out.append((at, raw))
            elif not self._continue(at, event):
                self._finish(_voice(event))
                if _is_heading(event):
                    self._begin(at, event)
                else:
                    self._before[_voice(event)] = len(self._out), event
                    self._out.append((at, raw))
        for voice, run in list(self._runs.items()):
            if run.ended:
                self._finish(voice)
        frames = [one for one in self._out if one is not None]
        return Joined(frames, self._absorbed, tuple(self._runs.values()))

    def _learn(self, raw: Raw) -> None:
        try:
            event = outline_event(raw)
        except wire.WireError:
            return
        self._events[event.key] = event

    def _read(self, raw: Raw) -> EventOutline | None:
        """The event that a record is, or repeats."""
        try:
            record = outline(raw)
        except wire.WireError:
            return None
        if isinstance(record, EventOutline):
            if record.key:
                self._events[record.key] = record
            return record
        if isinstance(record, DuplicateReference | AggregatedEvents):
            known = self._events.get(record.key)
            if known is None or isinstance(record, AggregatedEvents):
                return None
            return replace(known, occurred_at=record.occurred_at)
        return None

    def _drop_heading(self, event: EventOutline) -> None:
        """Takes out the record that only says that the failure logged next was not handled."""
        index, before = self._before.pop(_voice(event), (0, None))
        if before is None or before.message != _UNHANDLED or event.message.strip():
            return
        if _together(before, event):
            self._out[index] = None
            self._absorbed += 1

    def _begin(self, at: int, event: EventOutline) -> None:
        lines: tuple[EventOutline, ...] = (event,)
        index, before = self._before.pop(_voice(event), (0, None))
        if before is not None and _together(before, event) and before.message[:1] not in (" ", "\t", ""):
            self._out[index] = None
            self._absorbed += 1
            lines = (before, event)
        self._runs[_voice(event)] = Run(lines, at, False)

    def _continue(self, at: int, event: EventOutline) -> bool:
        run = self._runs.get(_voice(event))
        if run is None or len(run.lines) >= LINES or not _together(run.lines[-1], event):
            return False
        text = event.message
        linked = _is_heading(event) or _LINK.match(text) is not None or not text.strip()
        last = not (run.ended or linked) and run.framed and _LAST.match(text) is not None
        if not (linked or last or (text[:1] in (" ", "\t") and not run.ended)):
            return False
        self._absorbed += 1
        ended = last or (run.ended and not _is_heading(event))
        self._runs[_voice(event)] = run._replace(lines=(*run.lines, event), at=at, ended=ended)
        return True

    def _finish(self, voice: _Voice) -> None:
        run = self._runs.pop(voice, None)
        if run is not None:
            self._out.append(unfinished(run))


def _event(run: Run) -> EventOutline:
    """One event of all lines: where and whose the first was, when the last came."""
    text = "\n".join(line.message for line in run.lines).rstrip()
    return replace(run.lines[0], message=text, template=None, occurred_at=run.newest, key=0)


def _is_heading(event: EventOutline) -> bool:
    return event.message == _HEADING


def _voice(event: EventOutline) -> _Voice:
    """Whose lines are one text: those that one function logs for one logger, thread and client."""
    return event.logger, event.thread, event.path, event.function, event.client


def _together(one: EventOutline, other: EventOutline) -> bool:
    return 0 <= other.occurred_at - one.occurred_at <= MOMENT
