"""Records as the digest reads them: all that counting and signing ask for; what only people read stays bytes.

Decoding a frame's locals costs more than everything else the daemon does with an event, and but for a few
samples nobody looks at them. No I/O.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec
from msgspec import Raw

from tocsin.handler.event import Collapsed, Event, Frame, Lost, Place, Raised, Repeat
from tocsin.handler.wire import WireError

_NIL = Raw(b"\xc0")

# Narrower than the fields they stand for: what reads an `Event` here reads none of these.


class _Frame(Frame, frozen=True, array_like=True, omit_defaults=True, gc=False):
    locals: Raw = _NIL  # type: ignore[assignment]
    arguments: Raw = _NIL  # type: ignore[assignment]


class _Raised(Raised, frozen=True, array_like=True, omit_defaults=True):
    frames: tuple[_Frame, ...] = ()
    cause: _Raised | None = None
    context: _Raised | None = None
    group: tuple[_Raised, ...] = ()


class Glance(Event, frozen=True, array_like=True, tag=1):
    """An event without its locals, arguments and context, which stay encoded."""

    exception: _Raised | None = None
    context: Raw = _NIL  # type: ignore[assignment]


Glanced: TypeAlias = Glance | Repeat | Place | Lost | Collapsed

_record: msgspec.msgpack.Decoder[Glanced] = msgspec.msgpack.Decoder(Glanced)
_event = msgspec.msgpack.Decoder(Glance)
_FAULTS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError)


def glance(payload: Raw) -> Glanced:
    """The record of one frame. Raises WireError."""
    try:
        return _record.decode(payload)
    except _FAULTS as error:
        raise WireError(f"not a message of ours: {error}") from error


def glance_event(payload: Raw) -> Glance:
    """An event, as in `Batch.definitions`. Raises WireError."""
    try:
        return _event.decode(payload)
    except _FAULTS as error:
        raise WireError(f"not a message of ours: {error}") from error
