"""The bytes of a stored sample and back: a full event with the places its frames name."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from tocsin.handler.protocol.event import CodeLocation, Event


class SampleBody(Struct, frozen=True, array_like=True):
    """What `Sample.body` holds, as msgpack. A newer writer may append fields; older readers ignore them."""

    event: Event
    places: list[CodeLocation] = []


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(SampleBody)


def encode_body(event: Event | Raw, places: list[CodeLocation]) -> bytes:
    """The bytes to store, of an event or of one already encoded.

    Raises UnicodeEncodeError on a lone surrogate: text is sanitised before.
    """
    return _encoder.encode((event, places))


def decode_body(data: bytes | memoryview) -> SampleBody | None:
    """The sample in `data`, None when the bytes are not one: a damaged sample must not hide its error."""
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError, ValueError):
        return None
