"""What is too large for a frame is shortened in the order of what people miss least."""

from __future__ import annotations

import time

import pytest
from hostile_records import deep_recursion
from msgspec import structs
from records import caught, event_of, record

from tocsin.handler.capture.fit import fit
from tocsin.handler.capture.values import cut_mark
from tocsin.handler.protocol.event import Event, Raised
from tocsin.handler.protocol.wire import decode_event, decode_record


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
    counts = {"…": cut_mark(100, "variables")}
    assert all(frame.locals == counts for frame in slim.exception.frames)
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


def chained(links: int, kind: str) -> Raised:
    raised = Raised("OSError", "the disk is gone")
    for number in range(links):
        raised = Raised("RuntimeError", f"{number} " + "x" * 9000, **{kind: raised})
    return raised


@pytest.mark.parametrize("kind", ["cause", "context"])
def test_the_root_of_a_chain_goes_last_and_what_went_before_it_is_counted(kind: str) -> None:
    event = Event(1.0, 40, "shop", "failed", None, "/p", "m", "f", 1, exception=chained(30, kind))
    found = [decode_event(fit(event)).exception]
    while found[-1] is not None and (found[-1].cause or found[-1].context):
        found.append(found[-1].cause or found[-1].context)
    root = found[-1]
    assert root is not None
    assert root.text == "the disk is gone"
    assert len(found) + (root.skipped or 0) == 31


def test_members_notes_and_texts_that_go_are_counted() -> None:
    members = tuple(Raised("KeyError", f"{number} " + "x" * 9000) for number in range(60))
    whole = Raised("ExceptionGroup", "many", group=members, notes=tuple("n" * 2000 for _ in range(60)))
    raised = decode_event(
        fit(Event(1.0, 40, "shop", "failed", None, "/p", "m", "f", 1, exception=whole))
    ).exception
    assert raised is not None
    assert raised.group[0].text.endswith(f"x{cut_mark(9002, 'characters')}")
    assert raised.others[-1] == cut_mark(60 - len(raised.group), "exceptions")
    assert raised.notes[-1] == cut_mark(60, "notes")


def test_an_event_nobody_sanitised_is_encoded_all_the_same() -> None:
    event = Event(time.time(), 40, "l", "a\ud800", None, "/p", "m", "f", 1, key=5, context={"a": "\ud800"})
    decoded = decode_record(fit(event))
    assert isinstance(decoded, Event)
    assert decoded.key == 5
