"""Events that are only a message, encoded: what is the same for all of a call or of a thread is encoded once."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from tocsin.handler.capture import values
from tocsin.handler.capture.site import Site, word
from tocsin.handler.protocol.event import Event

_KEPT, _TEXT = 1024, 1000
"""Calls and threads that are kept, at most; all are forgotten together. Characters of a template or a name."""

_encode = msgspec.msgpack.Encoder().encode

# An array of 17, in the order of `Event` up to `key`: what follows is not told, so it has its default.
_BEGIN = b"\xdc\x00\x11" + _encode(Event.__struct_config__.tag) + b"\xcb"
_END = b"\xc0\xc0\xc0\xc0\xc0\xcf"
_begin = struct.Struct(">5sd").pack
_end = struct.Struct(">6sQ").pack
_join = b"".join


class Envelope(NamedTuple):
    """What stands around the message and the thread's name."""

    template: str | None
    before: bytes
    after: bytes


class Envelopes:
    """Those of one capture. For any thread."""

    def __init__(self, shown: Callable[[str], str]) -> None:
        """`shown` gives a template as it is written."""
        self._shown = shown
        self._known: dict[Site, Envelope] = {}
        self._threads: dict[str, bytes] = {}

    def sealed(
        self, at: float, site: Site, template: str | None, message: str, thread: object, key: int
    ) -> bytes:
        """The payload of an event with this message, which is as it is to be written."""
        envelope = self._known.get(site)
        if envelope is None or envelope.template is not template:
            envelope = self._learn(site, template)
        name = self._threads.get(thread) if type(thread) is str else None
        if name is None:
            name = self._learn_thread(thread)
        # In the order of `Event`.
        return _join((
            _begin(_BEGIN, at), envelope.before, _encode(message), envelope.after, name, _end(_END, key),
        ))  # fmt: skip

    def _learn(self, site: Site, template: str | None) -> Envelope:
        logger, *place = site.shown
        shown = None if template is None else self._shown(template)
        envelope = Envelope(template, _joined(site.level, logger), _joined(shown, *place, site.line))
        if template is None or len(template) < _TEXT:
            _keep(self._known, site, envelope)
        return envelope

    def _learn_thread(self, thread: object) -> bytes:
        name = _encode(values.clean(word(thread)))
        if type(thread) is str and len(thread) < _TEXT:
            _keep(self._threads, thread, name)
        return name


def _joined(*parts: object) -> bytes:
    return _join(map(_encode, parts))


def _keep(known: dict[Any, Any], key: object, value: object) -> None:
    if len(known) >= _KEPT:
        known.clear()
    known[key] = value
