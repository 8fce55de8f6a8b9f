"""Records as shipping and digest read them: an event's outline, without what only people read. No I/O.

Decoding locals costs more than everything else that either side does with an event, and but for a few samples
nobody looks at them. An outline, encoded again, is an event that anybody can decode: it defines a key.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec
from msgspec import Raw, Struct

from tocsin.handler.protocol.event import (
    AggregatedEvents,
    CodeLocation,
    DuplicateReference,
    Event,
    Lost,
    Raised,
)
from tocsin.handler.protocol.wire import WireError

# What follows in a frame is skipped. To those who ask for no more it is a `Frame`.


class _Frame(Struct, frozen=True, array_like=True, gc=False):
    path: str
    module: str
    function: str
    line: int


class _Raised(Raised, frozen=True, array_like=True, omit_defaults=True, gc=False):
    frames: tuple[_Frame, ...] = ()  # type: ignore[assignment]
    cause: _Raised | None = None
    context: _Raised | None = None
    group: tuple[_Raised, ...] = ()


class EventOutline(Event, frozen=True, array_like=True, tag=1, gc=False):
    """An event without its locals and arguments, what people read of it undecoded."""

    exception: _Raised | None = None
    context: Raw = Raw(b"\xc0")  # type: ignore[assignment]
    breadcrumbs: Raw = Raw(b"\x90")  # type: ignore[assignment]


Outline: TypeAlias = EventOutline | DuplicateReference | CodeLocation | Lost | AggregatedEvents

_record: msgspec.msgpack.Decoder[Outline] = msgspec.msgpack.Decoder(Outline)
_event = msgspec.msgpack.Decoder(EventOutline)
_FAULTS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError)


def outline(payload: bytes | Raw) -> Outline:
    """The record of one spool frame. Raises WireError."""
    try:
        return _record.decode(payload)
    except _FAULTS as error:
        raise WireError(f"not a message of ours: {error}") from error


def outline_event(payload: bytes | Raw) -> EventOutline:
    """An event, as in `Batch.definitions`. Raises WireError."""
    try:
        return _event.decode(payload)
    except _FAULTS as error:
        raise WireError(f"not a message of ours: {error}") from error
