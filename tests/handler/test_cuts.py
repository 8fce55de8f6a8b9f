"""Whatever is cut says that it was cut and how much there was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records import caught, event_of, fail, record

from tocsin.handler.capture.values import cut_mark, render, shortened, whole_of
from tocsin.handler.protocol.event import Event

Event_ = Callable[[int], Event]


class Cart:
    pass


def with_local(value: object) -> Event:
    def work(shown: object) -> None:
        raise KeyError

    return event_of(record("failed", (), caught(lambda: work(value))))


def with_locals(count: int) -> Event:
    names: dict[str, Any] = {f"name{number}": number for number in range(count)}
    source = "def work():\n" + "".join(f"    {name} = 1\n" for name in names) + "    raise KeyError\n"
    exec(compile(source, "/srv/app/work.py", "exec"), names)
    return event_of(record("failed", (), caught(names["work"])))


def with_attributes(count: int) -> Event:
    cart = Cart()
    cart.__dict__.update({f"a{number}": 1 for number in range(count)})
    return with_local(cart)


def with_notes(count: int) -> Event:
    error = caught(lambda: fail(KeyError("sku")))
    for number in range(count):
        error.add_note(f"note {number}")
    return event_of(record("failed", (), error))


def with_note(length: int) -> Event:
    error = caught(lambda: fail(KeyError("sku")))
    error.add_note("x" * length)
    return event_of(record("failed", (), error))


def with_members(count: int) -> Event:
    members = [ValueError(f"number {number}") for number in range(count + 1)]
    return event_of(record("failed", (), caught(lambda: fail(ExceptionGroup("many", members)))))


CUTS: dict[str, tuple[Event_, int, str]] = {
    "a message": (lambda n: event_of(record("x " * (n // 2) + "x" * (n % 2), ())), 4100, "characters"),
    "a message in lines": (
        lambda n: event_of(record("x\n" * (n // 2) + "x" * (n % 2), ())),
        4100,
        "characters",
    ),
    "a message's argument": (lambda n: event_of(record("%s", ("x" * n,))), 4100, "characters"),
    "a named argument": (lambda n: event_of(record("%(text)s", {"text": "x" * n})), 4100, "characters"),
    "an exception's text": (lambda n: event_of(record("f", (), ValueError("x" * n))), 4100, "characters"),
    "a note": (with_note, 1100, "characters"),
    "notes": (with_notes, 9, "notes"),
    "members": (with_members, 22, "exceptions"),
    "a stack": (lambda n: event_of(record(stack_info="x\n" * (n // 2) + "x" * (n % 2))), 4100, "characters"),
    "an extra text": (lambda n: event_of(record(order="x" * n)), 201, "characters"),
    "an extra list": (lambda n: event_of(record(order=[1] * n)), 11, "items"),
    "extra names": (lambda n: event_of(record(**{f"n{i}": 1 for i in range(n)})), 21, "names"),
    "a variable's text": (lambda n: with_local("x" * n), 201, "characters"),
    "a list": (lambda n: with_local([1] * n), 11, "items"),
    "a tuple in a list": (lambda n: with_local([(1,) * n]), 11, "items"),
    "a dict": (lambda n: with_local(dict.fromkeys(range(n))), 11, "items"),
    "a set": (lambda n: with_local(set(range(n))), 11, "items"),
    "bytes": (lambda n: with_local(b"x" * n), 201, "bytes"),
    "attributes": (with_attributes, 11, "attributes"),
    "variables": (with_locals, 21, "variables"),
}


@pytest.mark.parametrize("place", CUTS)
@given(data=st.data())
@settings(deadline=None, max_examples=8)
def test_what_is_cut_tells_its_size(place: str, data: st.DataObject) -> None:
    event_with, least, unit = CUTS[place]
    size = data.draw(st.integers(least, 30 * least if least < 1000 else 60_000))
    told = msgspec.json.encode(event_with(size)).decode()
    # A short text is told with its quotes.
    assert cut_mark(size, unit) in told or (place == "a variable's text" and cut_mark(size + 2, unit) in told)


def test_a_long_argument_of_which_little_is_wanted_is_no_cut() -> None:
    assert event_of(record("%.5s %d", ("x" * 9000, 7))).message == "xxxxx 7"


@given(st.text(max_size=500), st.integers(1, 200), st.integers(1, 200))
def test_a_text_that_is_cut_again_tells_its_first_size(text: str, first: int, second: int) -> None:
    once = shortened(text, first)
    twice = shortened(once, second)
    if len(text) > first:
        assert whole_of(once) == (len(text), "characters")
    if len(twice) < len(once):
        assert whole_of(twice) == (len(text), "characters")
    assert twice.startswith(text[: min(first, second)])


@given(st.text(max_size=3000))
def test_a_rendered_text_is_whole_or_tells_its_size(text: str) -> None:
    shown = render(text)
    assert shown == repr(text) or whole_of(shown) is not None


def test_frames_that_are_left_out_are_counted() -> None:
    def down(depth: int) -> None:
        if depth:
            down(depth - 1)
        raise KeyError

    exception = event_of(record("failed", (), caught(lambda: down(300)))).exception
    assert exception is not None
    assert len(exception.frames) + exception.omitted == 303
