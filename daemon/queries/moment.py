"""Moments and JSON: a `Moment` is epoch seconds that knows how it is written."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, overload

import msgspec


class Moment(float):
    """Epoch seconds, UTC. In JSON, on pages and as text: `2026-11-22T14:03:05Z`."""

    __slots__ = ()

    @property
    def iso(self) -> str:
        """`2026-11-22T14:03:05Z`; moments outside 1970 to 9999 are written as the nearest inside."""
        return _clamped(self).strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def text(self) -> str:
        """`2026-11-22 14:03:05 UTC`, for people."""
        return _clamped(self).strftime("%Y-%m-%d %H:%M:%S UTC")

    def __str__(self) -> str:
        return self.iso


def _clamped(epoch: float) -> datetime:
    # strftime does not pad years below 1000, and nothing that Tocsin sees happened before 1970.
    return datetime.fromtimestamp(min(max(epoch, 0.0), 253402300799.0), UTC)


@overload
def moment(epoch: float) -> Moment: ...
@overload
def moment(epoch: None) -> None: ...
def moment(epoch: float | None) -> Moment | None:
    """A Moment of epoch seconds; None stays None."""
    return None if epoch is None else Moment(epoch)


def iso(text: str) -> float | None:
    """Epoch seconds of an ISO 8601 moment, UTC without a zone; None for any other text."""
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _encode(value: Any) -> Any:
    if isinstance(value, Moment):
        return value.iso
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return str(value)


_encoder = msgspec.json.Encoder(enc_hook=_encode)


def to_json(value: Any, *, indent: int = 0) -> str:
    """The documented JSON of facts (a Struct, or a list of them): moments in ISO 8601, UTC."""
    data = _encoder.encode(value)
    return (msgspec.json.format(data, indent=indent) if indent else data).decode("utf-8")


def to_builtins(value: Any) -> Any:
    """The same as `to_json` before it becomes text: dicts, lists, strings and numbers."""
    return msgspec.to_builtins(value, enc_hook=_encode)
