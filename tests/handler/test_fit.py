"""What is too large for a frame is shortened in the order of what people miss least."""

from __future__ import annotations

import time

from hostile_records import deep_recursion
from msgspec import structs
from records import caught, event_of, record

from tocsin.handler.capture.fit import fit
from tocsin.handler.protocol.event import Event
from tocsin.handler.protocol.wire import decode_record


def test_an_event_that_is_too_large_loses_its_locals_first() -> None:
    def down(n: int) -> None:
        words = {f"name{i}": "é" * 70 for i in range(9)}
        more = [words, words, "é" * 180, n]
        if n:
            down(n - 1)
        raise KeyError(len(more))

    event = event_of(record("failed", (), caught(lambda: down(4))))
    assert event.exception is not None
    fat = structs.replace(
        event,
        exception=structs.replace(
            event.exception,
            frames=tuple(
                structs.replace(frame, locals={str(n): "x" * 200 for n in range(100)})
                for frame in event.exception.frames
            ),
        ),
    )
    slim = decode_record(fit(fat))
    assert isinstance(slim, Event)
    assert slim.exception is not None
    assert len(slim.exception.frames) == len(event.exception.frames)
    assert all(frame.locals is None for frame in slim.exception.frames)
    assert slim.message == "failed"


def test_frames_of_the_middle_go_before_the_message() -> None:
    event = event_of(record("m" * 4000, (), deep_recursion(900)))
    assert event.exception is not None
    frames = tuple(structs.replace(frame, path="p" * 4000) for frame in event.exception.frames)
    slim = decode_record(
        fit(structs.replace(event, exception=structs.replace(event.exception, frames=frames)))
    )
    assert isinstance(slim, Event)
    assert slim.exception is not None
    assert len(slim.exception.frames) + slim.exception.omitted == 903
    assert len(slim.message) > 1000


def test_an_event_nobody_sanitised_is_encoded_all_the_same() -> None:
    event = Event(time.time(), 40, "l", "a\ud800", None, "/p", "m", "f", 1, key=5, context={"a": "\ud800"})
    decoded = decode_record(fit(event))
    assert isinstance(decoded, Event)
    assert decoded.key == 5
