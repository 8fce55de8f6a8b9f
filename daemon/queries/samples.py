"""A stored event made readable: exceptions as a flat chain, each frame with its source. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from tocsin.daemon.grouping import forms
from tocsin.daemon.grouping.traceback_text import Printed
from tocsin.daemon.queries.moment import Moment
from tocsin.daemon.store.bodies import SampleBody
from tocsin.handler.capture.inapp import in_app
from tocsin.handler.protocol.event import Breadcrumb, CodeLocation, Frame, Raised

CHAIN_LIMIT = 100
"""Exceptions shown of one event: a group of groups may hold thousands."""

_ALIKE = 150
"""Characters in which a printed line and the source's, which may be cut, have to agree."""

_LEVELS = {0: "NOTSET", 10: "DEBUG", 20: "INFO", 30: "WARNING", 40: "ERROR", 50: "CRITICAL"}


class FrameFacts(Struct, frozen=True):
    """One call of a traceback. `source` are the lines around, from line `first` on; empty if unknown."""

    path: str
    module: str
    function: str
    line: int
    in_app: bool
    locals: dict[str, str]
    arguments: dict[str, Any] | None
    """Of the innermost call of ours, when they were plain data; {}: called without any."""
    statement: str | None
    first: int
    source: list[str]
    call: dict[str, Any] | None = None
    """The same with objects among them, and the one that a method belongs to as `self`."""


class RaisedFacts(Struct, frozen=True):
    """One exception of the chain. `relation` to the one before it: raised, cause, context, group or root.

    A root began the chain; between them `skipped` others are left out.
    """

    type: str
    text: str
    relation: str
    depth: int
    frames: list[FrameFacts]
    """Outermost call first."""
    omitted: int
    errno: str | None
    syntax: list[str] | None
    """Of a SyntaxError: path, message, text."""
    notes: list[str] = []
    """Added to the exception with `add_note`."""
    skipped: int = 0
    others: list[str] = []
    """Of a group: type and text of what it holds besides those shown."""


class BreadcrumbFacts(Struct, frozen=True):
    """What the same thread or task had logged below the handler's level, so many seconds `before` the event."""

    at: Moment
    before: float
    level: int
    level_name: str
    """Empty of what only says how many were left out."""
    logger: str
    message: str

    @property
    def line(self) -> str:
        """All of it in one line."""
        message = " ".join(self.message.split())
        return (
            f"-{self.before:.3f} s {self.level_name} {self.logger}: {message}" if self.level_name else message
        )


class EventFacts(Struct, frozen=True):
    """What was logged, where and with what."""

    level: int
    logger: str
    message: str
    template: str | None
    path: str
    module: str
    function: str
    line: int
    thread: str
    client: str | None
    context: dict[str, str]
    fingerprint: list[str]
    stack: str | None
    place: FrameFacts
    """Where the logging call stands."""
    exceptions: list[RaisedFacts]
    """The one that was logged first, or whose traceback stands in the message; then what caused it."""
    level_name: str = ""
    """The application's own name of the level, else logging's."""
    task: str = ""
    """The asyncio task that logged it."""
    breadcrumbs: list[BreadcrumbFacts] = []
    """Oldest first."""


def event_facts(body: SampleBody) -> EventFacts:
    """The event of a sample, with its places joined to its frames."""
    event = body.event
    places = {(place.path, place.line): place for place in body.places}
    call = Frame(event.path, event.module, event.function, event.line)
    exception = event.exception
    if exception is None and (found := forms.printed(event.message)):
        exception = found.raised
        places |= _printed_places(found, places)
    raised = _chain(exception, "raised", 0, places) if exception else iter(())
    return EventFacts(
        level=event.level,
        logger=event.logger,
        message=event.message,
        template=event.template,
        path=event.path,
        module=event.module,
        function=event.function,
        line=event.line,
        thread=event.thread,
        client=event.client,
        context=event.context or {},
        fingerprint=list(event.fingerprint or ()),
        stack=event.stack,
        place=_frame(call, places),
        exceptions=[one for one, _ in zip(raised, range(CHAIN_LIMIT), strict=False)],
        level_name=event.level_name or _level_name(event.level),
        task=event.task,
        breadcrumbs=[_breadcrumb(one, event.occurred_at) for one in event.breadcrumbs],
    )


def _level_name(level: int) -> str:
    return _LEVELS.get(level, f"Level {level}")


def _breadcrumb(one: Breadcrumb, occurred_at: float) -> BreadcrumbFacts:
    return BreadcrumbFacts(
        at=Moment(one.at),
        before=round(max(0.0, occurred_at - one.at), 3),
        level=one.level,
        level_name=one.level_name or (_level_name(one.level) if one.level else ""),
        logger=one.logger,
        message=one.message,
    )


def _chain(
    raised: Raised, relation: str, depth: int, places: dict[tuple[str, int], CodeLocation]
) -> Iterator[RaisedFacts]:
    yield RaisedFacts(
        type=raised.type,
        text=raised.text,
        relation=relation,
        depth=depth,
        frames=[_frame(frame, places) for frame in raised.frames],
        omitted=raised.omitted,
        errno=raised.errno,
        syntax=[raised.syntax.path, raised.syntax.message, raised.syntax.text] if raised.syntax else None,
        notes=list(raised.notes),
        skipped=raised.skipped or 0,
        others=list(raised.others),
    )
    for member in raised.group:
        yield from _chain(member, "group", depth + 1, places)
    if raised.cause:
        yield from _chain(raised.cause, "cause", depth, places)
    elif raised.context:
        relation = "context" if raised.context.skipped is None else "root"
        yield from _chain(raised.context, relation, depth, places)


def _printed_places(
    found: Printed, places: Mapping[tuple[str, int], CodeLocation]
) -> dict[tuple[str, int], CodeLocation]:
    """The locations of a printed traceback's frames.

    Anybody's text may name any file: the source around is shown only where the printed line stands in it.
    """
    known = {}
    for raised in _links(found.raised):
        for frame in raised.frames:
            at = frame.path, frame.line
            place = places.get(at) or CodeLocation(*at, in_app=in_app(frame.path, "", (), ()))
            line, index = found.lines.get(at, ""), frame.line - place.first
            if (
                not line
                or not 0 <= index < len(place.source)
                or place.source[index].strip()[:_ALIKE] != line[:_ALIKE]
            ):
                place = replace(place, statement=None, first=frame.line, source=(line,) if line else ())
            known[at] = place
    return known


def _links(raised: Raised) -> Iterator[Raised]:
    """The exception with all that belong to it."""
    yield raised
    for other in (*raised.group, raised.cause, raised.context):
        if other is not None:
            yield from _links(other)


def _frame(frame: Frame, places: dict[tuple[str, int], CodeLocation]) -> FrameFacts:
    place = places.get((frame.path, frame.line))
    return FrameFacts(
        path=frame.path,
        module=frame.module or (place.module if place else ""),
        function=frame.function,
        line=frame.line,
        in_app=place.in_app if place else True,
        locals=frame.locals or {},
        arguments=frame.arguments,
        statement=place.statement if place else None,
        first=place.first if place else 0,
        source=list(place.source) if place else [],
        call=frame.call,
    )
