"""What a validation needs to know of an error, as plain data: its calls and its changes. Pure.

Comes from the database or from a bundle; both are data from outside.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from tocsin.reports.facts.details import ErrorDetail
from tocsin.reports.facts.samples import EventFacts, FrameFacts

CALLS = 5
"""Different calls kept of one error."""

_DEPTH = 8
_NODES = 1000
_TEXT = 10_000
_WHOLE = 2**63


class Call(Struct, frozen=True):
    """The innermost call of the application's own code, and the exception that left it."""

    module: str
    function: str
    path: str
    """Where its file was on the application's machine."""
    error: str
    """The exception's type, as the event names it."""
    arguments: dict[str, Any] | None = None
    """By parameter; None when they were no plain data."""


class Change(Struct, frozen=True):
    """One recorded change, and when it was recorded (text; equal for those recorded together)."""

    file_path: str
    old_code: str
    new_code: str
    description: str = ""
    applied_by: str = "admin"
    id: int | None = None
    recorded: str = ""
    test_status: str = "pending"


class Case(Struct, frozen=True):
    """An error to be validated. `changes`: oldest first."""

    error_id: int
    title: str
    calls: list[Call] = []
    changes: list[Change] = []


def case_of(error: ErrorDetail) -> Case:
    """The case of an error with its samples and corrections."""
    changes = [
        Change(
            file_path=one.file_path,
            old_code=one.old_code,
            new_code=one.new_code,
            description=one.description,
            applied_by=one.applied_by,
            id=one.id,
            recorded=one.recorded_at.iso,
            test_status=one.test_status,
        )
        for one in sorted(error.corrections_recorded, key=lambda one: one.id)
    ]
    events = (sample.event for sample in error.samples if sample.event)
    return Case(error.id, error.title, _calls(events), changes)


def plain(value: Any, depth: int = _DEPTH) -> bool:
    """Whether JSON gives the value back as it was: None, bool, 64-bit int, finite float, str, list, dict."""
    return _nodes(value, depth) <= _NODES


def _nodes(value: Any, depth: int) -> float:
    cls = type(value)
    if depth < 0:
        return math.inf
    if value is None or cls is bool:
        return 1
    if cls is int:
        return 1 if -_WHOLE <= value < _WHOLE else math.inf
    if cls is float:
        return 1 if math.isfinite(value) else math.inf
    if cls is str:
        return 1 if len(value) <= _TEXT else math.inf
    if cls is list and len(value) <= _NODES:
        return 1 + sum(_nodes(item, depth - 1) for item in value)
    if cls is dict and len(value) <= _NODES and all(type(key) is str for key in value):
        return 1 + sum(_nodes(item, depth - 1) for item in value.values())
    return math.inf


def _calls(events: Iterable[EventFacts]) -> list[Call]:
    """The different calls of the events, those that can be made again first."""
    found: dict[bytes, Call] = {}
    for event in events:
        call = _call(event)
        if call is not None:
            found.setdefault(msgspec.msgpack.encode(call), call)
    return sorted(found.values(), key=lambda call: call.arguments is None)[:CALLS]


def _call(event: EventFacts) -> Call | None:
    if not event.exceptions:
        return None
    raised = event.exceptions[0]
    frame = next((frame for frame in reversed(raised.frames) if frame.in_app), None)
    if frame is None:
        return None
    return Call(
        module=frame.module,
        function=frame.function,
        path=frame.path,
        error=raised.type,
        arguments=_replayable(frame),
    )


def _replayable(frame: FrameFacts) -> dict[str, Any] | None:
    names = frame.function.split(".")
    named = all(name.isidentifier() for name in names)
    return frame.arguments if named and frame.arguments is not None and plain(frame.arguments) else None
