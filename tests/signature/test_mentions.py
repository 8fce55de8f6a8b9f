"""Which code locations an event mentions, in its own words or in a traceback that its text holds."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tocsin.handler.capture.mentions import LIMIT, Mention, mentions
from tocsin.handler.protocol.event import Event, Frame, Raised, Syntax


def event(**changed: Any) -> Event:
    known: dict[str, Any] = {"occurred_at": 0.0, "level": 40, "logger": "l", "message": "m", "template": None}
    return Event(**{**known, "path": "/a.py", "module": "a", "function": "f", "line": 1, **changed})


def quoted(text: str) -> list[tuple[str, int]]:
    return [one.at for one in mentions(event(message=text)) if one.quoted]


def test_every_frame_of_the_chain_and_the_groups_is_mentioned() -> None:
    leaf = Raised("KeyError", "", (Frame("/leaf.py", "leaf", "f", 2),))
    cause = Raised("OSError", "", (Frame("/cause.py", "cause", "f", 3),))
    broken = Raised("SyntaxError", "", syntax=Syntax("/broken.py", "m", "t"))
    top = Raised("G", "", (Frame("/top.py", "", "f", 4),), cause=cause, context=broken, group=(leaf,))
    assert set(mentions(event(exception=top))) == {
        Mention("/a.py", 1), Mention("/top.py", 4), Mention("/leaf.py", 2, "leaf"),
        Mention("/cause.py", 3, "cause"), Mention("/broken.py", 0),
    }  # fmt: skip


def test_the_text_of_a_cause_is_looked_through() -> None:
    remote = Raised(
        "RemoteTraceback", '\n"""\nTraceback (most recent call last):\n  File "/b.py", line 7, in f\n"""'
    )
    assert mentions(event(exception=Raised("E", "", cause=remote)))[-1] == Mention("/b.py", 7, quoted=True)


def test_a_line_of_a_traceback_alone_is_enough() -> None:
    assert quoted('  File "/b.py", line 7, in f') == [("/b.py", 7)]


def test_the_file_of_a_quoted_syntax_error_is_known_by_its_path() -> None:
    assert quoted('  File "/b.py", line 7\n    x = (\nSyntaxError: invalid') == [("/b.py", 0)]


def test_the_frames_of_a_twisted_failure_are_mentioned() -> None:
    text = "crawl: [Failure instance: Traceback: <class 'KeyError'>: 'x'\n/b.py:7:<module>\n/c.py:8:parse\n]"
    assert quoted(text) == [("/b.py", 7), ("/c.py", 8)]


def test_what_a_frame_mentions_is_not_told_to_be_quoted() -> None:
    raised = Raised("E", 'File "/b.py", line 7, in f', (Frame("/b.py", "b", "f", 7),))
    assert mentions(event(exception=raised)) == [Mention("/a.py", 1), Mention("/b.py", 7, "b")]


def test_an_ordinary_text_mentions_nothing() -> None:
    assert quoted("File not found: /b.py:7 in the archive, line 3") == []


def test_so_many_are_mentioned_at_most() -> None:
    frames = tuple(Frame(f"/{number}.py", "m", "f", number) for number in range(5000))
    assert len(mentions(event(exception=Raised("E", "", frames)))) == LIMIT


@pytest.mark.parametrize(
    "piece",
    [
        'File "', 'File "/a', "File ", "\\\\", '\\"', "│ /a", "│ /a:1 in ", "/a:1:", "File x:1, in ", "\x1b[",
        "&quot;", "/a", "\n│ ", "\\u0", "x:1",
    ],
)  # fmt: skip
def test_a_hostile_text_is_looked_through_in_linear_time(piece: str) -> None:
    def seconds(size: int) -> float:
        text = ("Traceback " + piece * (size // len(piece)))[:size]
        begun = time.process_time()
        quoted(text)
        return time.process_time() - begun

    small = min(seconds(16_000) for _ in range(3))
    assert min(seconds(64_000) for _ in range(3)) < 12 * max(small, 0.001)
