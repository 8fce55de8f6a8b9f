"""What a validation needs to know of an error, as plain data: its calls and its changes. Pure.

Comes from the database or from a bundle; both are data from outside.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, structs

from tocsin.daemon.queries.details import ErrorDetail
from tocsin.daemon.queries.samples import EventFacts, FrameFacts

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
    """One recorded change. `recorded`: equal for those that were recorded together."""

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

    error_id: Annotated[int, Meta(ge=1)]
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
            recorded=f"{float(one.recorded_at):.6f}",
            test_status=one.test_status,
        )
        for one in sorted(error.corrections_recorded, key=lambda one: one.id)
    ]
    events = (sample.event for sample in error.samples if sample.event)
    return Case(error.id, error.title, _calls(events), changes)


def checked(case: Case) -> Case:
    """The case of a bundle with calls of plain data only, whoever wrote it."""
    calls = [
        call if call.arguments is None or (_named(call.function) and plain(call.arguments))
        else structs.replace(call, arguments=None)
        for call in case.calls[:CALLS]
    ]  # fmt: skip
    return structs.replace(case, calls=calls)


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
    replayable = frame.arguments is not None and _named(frame.function) and plain(frame.arguments)
    return frame.arguments if replayable else None


def _named(function: str) -> bool:
    return all(name.isidentifier() for name in function.split("."))
