"""A stamped record holds what logging's own would, in the same order, whatever logging has been told to leave out."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.handler.capture.stamped_record import StampedRecord

Given = tuple[Any, ...]
CALL: Given = ("shop", logging.ERROR, "/srv/shop/orders.py", 12, "order %d", (7,), None, "ship", None)
MOMENT = 1_790_000_000_123_456_789


@pytest.fixture(autouse=True)
def still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: MOMENT / 1e9)
    monkeypatch.setattr(time, "time_ns", lambda: MOMENT)


def fields(record: logging.LogRecord) -> list[tuple[str, Any]]:
    return list(record.__dict__.items())


def both(call: Given) -> tuple[list[tuple[str, Any]], list[tuple[str, Any]]]:
    """The fields of logging's own record, and of the second of ours that the same call makes."""
    StampedRecord(*call)
    return fields(logging.LogRecord(*call)), fields(StampedRecord(*call))


def changed(call: Given, **other: Any) -> Given:
    names = ("name", "level", "pathname", "lineno", "msg", "args", "exc_info", "func", "sinfo")
    return tuple(other.get(name, value) for name, value in zip(names, call, strict=True))


@pytest.mark.parametrize(
    "call",
    [
        CALL,
        changed(CALL, args=()),
        changed(CALL, args=({"order": 7},)),
        changed(CALL, args=({},)),
        changed(CALL, args=None),
        changed(CALL, level=35),
        changed(CALL, level=1035),
        changed(CALL, level=None),
        changed(CALL, level=""),
        changed(CALL, pathname=None),
        changed(CALL, pathname=b"/srv/shop.py"),
        changed(CALL, pathname="/srv/a.b/"),
        changed(CALL, pathname=""),
        changed(CALL, pathname="C:\\shop.orders.py"),
        changed(CALL, lineno=None),
        changed(CALL, lineno=100_000),
        changed(CALL, func=None),
        changed(CALL, msg={"event": "failed"}),
        changed(CALL, exc_info=(None, None, None), sinfo="Stack"),
    ],
)
def test_it_has_the_fields_of_loggings_own(call: Given) -> None:
    theirs, ours = both(call)
    assert ours == theirs


def test_of_one_call_each_record_has_its_own_message_arguments_and_exception() -> None:
    error = (ValueError, ValueError("x"), None)
    first, second = StampedRecord(*CALL), StampedRecord(*changed(CALL, args=(8,), exc_info=error, sinfo="S"))
    assert (first.args, second.args) == ((7,), (8,))
    assert (first.exc_info, second.exc_info) == (None, error)
    assert (first.stack_info, second.stack_info) == (None, "S")


@pytest.mark.parametrize("part", ["name", "level", "func"])
def test_two_calls_on_one_line_are_told_apart(part: str) -> None:
    other = changed(CALL, **{part: {"name": "till", "level": logging.WARNING, "func": "pay"}[part]})
    for call in (CALL, other, CALL, other):
        theirs, ours = both(call)
        assert ours == theirs


LEFT_OUT = ["logThreads", "logMultiprocessing", "logProcesses"]
if sys.version_info >= (3, 12):
    LEFT_OUT.append("logAsyncioTasks")


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_logging_was_told_to_leave_out_is_left_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def compare() -> None:
        StampedRecord(*CALL)
        monkeypatch.setattr(logging, name, False)
        theirs, ours = both(CALL)
        assert ours == theirs

    asyncio.run(compare())


def test_a_level_named_later_has_its_name() -> None:
    call = changed(CALL, level=37)
    StampedRecord(*call)
    logging.addLevelName(37, "GRAVE")
    try:
        assert StampedRecord(*call).levelname == "GRAVE"
    finally:
        logging._levelToName.pop(37)  # type: ignore[attr-defined]
        logging._nameToLevel.pop("GRAVE")  # type: ignore[attr-defined]


def test_it_names_the_thread_that_it_was_made_in() -> None:
    def compare() -> None:
        theirs, ours = both(CALL)
        assert ours == theirs
        threading.current_thread().name = "renamed"
        assert StampedRecord(*CALL).threadName == "renamed"

    StampedRecord(*CALL)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(compare).result()


if sys.version_info >= (3, 12):  # Older records do not know tasks.

    def test_it_names_the_task_that_it_was_made_in() -> None:
        async def compare() -> None:
            StampedRecord(*CALL)
            asyncio.current_task().set_name("till 4")  # type: ignore[union-attr]
            theirs, ours = both(CALL)
            assert ours == theirs
            assert ("taskName", "till 4") in ours

        asyncio.run(compare())


def test_a_forked_child_has_its_own_process_id_and_name() -> None:
    StampedRecord(*CALL)
    context = multiprocessing.get_context("fork")
    found: Any = context.SimpleQueue()
    child = context.Process(target=lambda: found.put(both(CALL)), name="child")
    child.start()
    theirs, ours = found.get()
    child.join()
    assert ours == theirs
    assert dict(ours)["process"] == child.pid != os.getpid()
    assert dict(ours)["processName"] == "child"


def test_a_way_of_making_records_that_is_not_loggings_own_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    made = logging.LogRecord.__init__

    def traced(self: logging.LogRecord, *args: Any, **kwargs: Any) -> None:
        made(self, *args, **kwargs)
        self.trace = os.urandom(4).hex()

    call = changed(CALL, pathname="traced.py")
    with monkeypatch.context() as patched:
        patched.setattr(logging.LogRecord, "__init__", traced)
        assert len({dict(fields(StampedRecord(*call)))["trace"] for _ in range(3)}) == 3
    theirs, ours = both(call)
    assert ours == theirs


def test_a_way_of_making_records_that_was_there_first_is_taken() -> None:
    program = """
import itertools, logging
made, number = logging.LogRecord.__init__, itertools.count()
def traced(self, *args, **kwargs):
    made(self, *args, **kwargs)
    self.trace = next(number)
logging.LogRecord.__init__ = traced
from tocsin.handler.capture.stamped_record import StampedRecord
print([StampedRecord("shop", 40, "orders.py", 12, "failed", (), None, "ship").trace for _ in range(3)])
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "[0, 1, 2]\n"


def test_a_field_set_on_one_record_is_not_on_the_next() -> None:
    StampedRecord(*CALL)
    one = StampedRecord(*CALL)
    one.order = 7
    one.name = "till"
    theirs, ours = both(CALL)
    assert ours == theirs


@given(st.integers(0, 4_000_000_000 * 10**9))
def test_its_moment_is_loggings_own(moment: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(time, "time", lambda: moment / 1e9)
        patched.setattr(time, "time_ns", lambda: moment)
        theirs, ours = both(CALL)
    assert ours == theirs


def test_a_moment_just_below_a_second_is_not_rounded_into_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_677_903_920.9999999)
    monkeypatch.setattr(time, "time_ns", lambda: 1_677_903_920_999_999_900)
    theirs, ours = both(CALL)
    assert ours == theirs
