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
MODULES = 10
"""Modules of the application's calls that are kept of one call."""

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
    described: dict[str, Any] | None = None
    """The same with objects among them, and the one that a method belongs to as `self`."""
    within: str = ""
    """The inner function or lambda of this one in which it failed; '' for the function itself."""
    modules: list[tuple[str, str]] = []
    """(module, path) of the application's calls above it, where an application context may be found."""

    @property
    def replayable(self) -> bool:
        return self.arguments is not None or self.described is not None


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
        structs.replace(
            call,
            arguments=_data(call.function, call.arguments),
            described=_data(call.function, call.described),
            modules=call.modules[:MODULES],
        )
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
    return sorted(found.values(), key=lambda call: not call.replayable)[:CALLS]


def _call(event: EventFacts) -> Call | None:
    if not event.exceptions:
        return None
    raised = event.exceptions[0]
    own = [frame for frame in reversed(raised.frames) if frame.in_app]
    if not own:
        return None
    failed = own[0]
    frame = next((one for one in own[1:] if _is_around(one, failed)), failed)
    return Call(
        module=frame.module,
        function=frame.function,
        path=frame.path,
        error=raised.type,
        arguments=_data(frame.function, frame.arguments),
        described=_data(frame.function, frame.call),
        within=failed.function if frame is not failed else "",
        modules=list(dict.fromkeys((one.module, one.path) for one in own))[:MODULES],
    )


def _is_around(frame: FrameFacts, inner: FrameFacts) -> bool:
    """Whether a call is one of the function in which the other one was defined, and can be made again."""
    known = frame.arguments is not None or frame.call is not None
    return known and frame.path == inner.path and inner.function.startswith(f"{frame.function}.")


def _data(function: str, given: dict[str, Any] | None) -> dict[str, Any] | None:
    return given if given is not None and _named(function) and plain(given) else None


def _named(function: str) -> bool:
    return all(name.isidentifier() for name in function.split("."))
