"""An event into its room: what does not fit into one frame is shortened, step by step. Pure."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import structs

from tocsin.handler.capture import values
from tocsin.handler.capture.scrub import LIMIT
from tocsin.handler.protocol.event import PAYLOAD_LIMIT, Breadcrumb, Event, Frame, Raised

_encoder = msgspec.msgpack.Encoder()


def fit(event: Event) -> bytes:
    """The event's payload, at most `PAYLOAD_LIMIT` bytes; what does not fit is shortened step by step: local
    variables, frames from the middle, contexts, texts. Never raises.
    """
    for shorten in _STEPS:
        try:
            event = event if shorten is None else shorten(event)
            data = _encoder.encode(event)
        except (TypeError, ValueError, OverflowError, RecursionError, AttributeError):
            continue
        if len(data) <= PAYLOAD_LIMIT:
            return data
    return _encoder.encode(_remains(event))


def _without_arguments(event: Event) -> Event:
    return _changed(event, lambda frame: structs.replace(frame, arguments=None, call=None), 100, LIMIT)


def _without_locals(event: Event) -> Event:
    return _changed(event, _frame_only, 100, LIMIT)


def _with_fewer_frames(event: Event) -> Event:
    return _changed(event, _frame_only, 16, 1000)


def _with_short_texts(event: Event) -> Event:
    event = _changed(event, _frame_only, 8, 300)
    return structs.replace(
        event,
        message=values.shortened(event.message, 2000),
        stack=event.stack and _length_only(event.stack),
        context=_count_only(event.context, "names"),
        template=event.template and values.shortened(event.template, 1000),
        breadcrumbs=_mark_only(event),
    )


def _length_only(stack: str) -> str:
    whole, unit = values.whole_of(stack.partition("\n")[0]) or (len(stack), "characters")
    return values.cut_mark(whole, unit)


def _mark_only(event: Event) -> tuple[Breadcrumb, ...]:
    """In place of the breadcrumbs, how many there were."""
    if not event.breadcrumbs:
        return ()
    mark = values.cut_mark(len(event.breadcrumbs), "records")
    return (Breadcrumb(event.breadcrumbs[-1].at, 0, "", mark),)


def _remains(event: Event) -> Event:
    """An event of bounded size whatever it was: for what not even the shortest form could save."""
    error = event.exception
    return Event(
        occurred_at=event.occurred_at,
        level=event.level,
        logger=_safe(event.logger),
        message=_safe(event.message),
        template=None,
        path=_safe(event.path),
        module=_safe(event.module),
        function=_safe(event.function),
        line=event.line,
        exception=None if error is None else Raised(type=_safe(error.type), text=_safe(error.text)),
        client=None if event.client is None else _safe(event.client),
        key=event.key,
    )


_STEPS = (None, _without_arguments, _without_locals, _with_fewer_frames, _with_short_texts)


def _frame_only(frame: Frame) -> Frame:
    return Frame(frame.path, frame.module, frame.function, frame.line, _count_only(frame.locals, "variables"))


def _count_only(named: dict[str, str] | None, unit: str) -> dict[str, str] | None:
    """In place of named values, how many there were."""
    if not named:
        return None
    before = values.whole_of(named.get(values.CUT, ""))
    return {values.CUT: values.cut_mark(before[0] if before else len(named), unit)}


def _safe(text: str) -> str:
    return values.clean(values.shortened(text, 1000))


def _changed(event: Event, change: Any, room: int, text: int) -> Event:
    if event.exception is None:
        return event
    return structs.replace(event, exception=_shorter(event.exception, change, room, text, room))


def _shorter(raised: Raised, change: Any, room: int, text: int, nodes: int) -> Raised:
    """The exception with every frame changed, `room` frames of each kept, and chains at most `nodes` long."""
    omitted = max(0, len(raised.frames) - room)
    half = room // 2
    frames = raised.frames[:half] + raised.frames[half + omitted :]
    cause, context = raised.cause, raised.context
    if nodes <= 0:
        cause, context = None, _root(cause or context, text)
    else:
        cause = cause and _shorter(cause, change, room, text, nodes - 2)
        context = context and _shorter(context, change, room, text, nodes - 2)
    members = raised.group[: max(0, nodes)]
    left = tuple(values.shortened(f"{one.type}: {one.text}", 200) for one in raised.group[len(members) :])
    return structs.replace(
        raised,
        text=values.shortened(raised.text, text),
        frames=tuple(change(frame) for frame in frames),
        omitted=raised.omitted + omitted,
        cause=cause,
        context=context,
        group=tuple(_shorter(member, change, room, text, nodes - 4) for member in members),
        notes=_first(raised.notes, room // 4, "notes", text),
        others=_first((*left, *raised.others), room // 4, "exceptions", text),
    )


def _root(link: Raised | None, text: int) -> Raised | None:
    """Where a chain began that is cut before `link`: type and text."""
    skipped = 0
    while link is not None and (further := link.cause or link.context) is not None:
        skipped += 1
        link = further
    if link is None:
        return None
    return Raised(
        type=link.type, text=values.shortened(link.text, text), skipped=skipped + (link.skipped or 0)
    )


def _first(texts: tuple[str, ...], count: int, unit: str, text: int) -> tuple[str, ...]:
    """The first of them, shortened, and how many there were."""
    kept = tuple(values.shortened(one, text) for one in texts[:count])
    if len(texts) <= count:
        return kept
    before = values.whole_of(texts[-1]) if texts[-1][:1] == "…" else None
    return (*kept, values.cut_mark(before[0] if before else len(texts), unit))
