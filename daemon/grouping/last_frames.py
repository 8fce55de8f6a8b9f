"""The last calls of the application's own code in an event's traceback: what a mail says of where it happened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tocsin.daemon.grouping import forms
from tocsin.handler.capture.inapp import in_app
from tocsin.handler.protocol.event import CodeLocation, Event, Frame


class Call(NamedTuple):
    """One call: `file:line`, its function, its source line ('' where that is not known)."""

    location: str
    function: str
    source: str


def last_frames(event: Event, locations: Sequence[CodeLocation], most: int) -> list[Call]:
    """At most so many calls, the innermost last, of the exception or of the traceback that the text holds."""
    exception = event.exception
    lines: dict[tuple[str, int], str] = {}
    if exception is None and (found := forms.printed(event.message)):
        exception, lines = found.raised, found.lines
    if exception is None:
        return []
    known = {(one.path, one.line): one for one in locations}
    own = [frame for frame in exception.frames if is_own(frame, known.get((frame.path, frame.line)))]
    return [_call(frame, known.get((frame.path, frame.line)), lines) for frame in own[-most:]]


def is_own(frame: Frame, location: CodeLocation | None) -> bool:
    """Whether a frame is the application's own, by what is known of its place."""
    return in_app(frame.path, "", (), ()) if location is None else location.in_app


def _call(frame: Frame, location: CodeLocation | None, lines: dict[tuple[str, int], str]) -> Call:
    source = lines.get((frame.path, frame.line), "")
    if not source and location is not None:
        index = frame.line - location.first
        source = location.source[index] if 0 <= index < len(location.source) else ""
    return Call(f"{frame.path}:{frame.line}", frame.function, source.strip())
