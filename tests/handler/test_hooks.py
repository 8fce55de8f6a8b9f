"""Exceptions nobody caught reach the handler, and the application's own hooks still have their turn."""

import asyncio
import gc
import logging
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tocsin.handler.exception_hooks import Uncaught


class Keep(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def before(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hooks the application had, noting their calls."""
    called: list[str] = []
    monkeypatch.setattr(sys, "excepthook", lambda *_: called.append("main"))
    monkeypatch.setattr(threading, "excepthook", lambda _: called.append("thread"))
    return called


@pytest.fixture
def keep(before: list[str]) -> Iterator[Keep]:
    handler = Keep()
    hooks = Uncaught(handler)
    yield handler
    hooks.remove()


def raised(error: BaseException) -> tuple[Any, Any, Any]:
    try:
        raise error
    except BaseException as caught:
        return type(caught), caught, caught.__traceback__


def in_thread() -> None:
    def work() -> None:
        raise LookupError("lost")

    thread = threading.Thread(target=work, name="worker-7")
    thread.start()
    thread.join()


def forget_a_task() -> None:
    async def fail() -> None:
        raise LookupError("in a task")

    async def main() -> None:
        task = asyncio.ensure_future(fail())
        await asyncio.wait([task])
        del task
        gc.collect()

    asyncio.run(main())


def test_an_exception_of_the_main_thread_is_reported_where_it_was_raised(keep: Keep) -> None:
    sys.excepthook(*raised(LookupError("lost")))
    [record] = keep.records
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "lost"
    assert (record.pathname, record.funcName, record.levelno) == (__file__, "raised", logging.CRITICAL)


def test_the_former_hooks_are_called_too(keep: Keep, before: list[str]) -> None:
    sys.excepthook(*raised(LookupError()))
    in_thread()
    assert before == ["main", "thread"]


def test_an_exception_of_a_thread_names_the_thread(keep: Keep) -> None:
    in_thread()
    [record] = keep.records
    assert record.threadName == "worker-7"


@pytest.mark.parametrize("way", [KeyboardInterrupt(), SystemExit(1)])
def test_ways_to_end_are_not_errors(keep: Keep, way: BaseException) -> None:
    sys.excepthook(*raised(way))
    assert keep.records == []


def test_a_task_nobody_awaited_is_reported(keep: Keep) -> None:
    forget_a_task()
    [record] = keep.records
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "in a task"


def test_a_disabled_asyncio_logger_does_not_hide_a_task(keep: Keep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("asyncio"), "disabled", True)
    forget_a_task()
    assert len(keep.records) == 1


def test_a_task_that_asyncio_logs_to_us_is_reported_once(keep: Keep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("asyncio"), "handlers", [keep])
    forget_a_task()
    [record] = keep.records
    assert record.name == "asyncio"


def test_a_handler_that_fails_does_not_stop_the_former_hook(before: list[str]) -> None:
    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise RuntimeError

    hooks = Uncaught(Broken())
    try:
        sys.excepthook(*raised(LookupError()))
    finally:
        hooks.remove()
    assert before == ["main"]


def test_removing_puts_the_former_hooks_back(before: list[str]) -> None:
    former = sys.excepthook, threading.excepthook, asyncio.BaseEventLoop.default_exception_handler
    hooks = Uncaught(Keep())
    hooks.remove()
    hooks.remove()
    assert (sys.excepthook, threading.excepthook, asyncio.BaseEventLoop.default_exception_handler) == former


def test_hooks_under_anothers_only_pass_on_once_removed(
    before: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = Keep()
    hooks = Uncaught(handler)
    ours = sys.excepthook
    monkeypatch.setattr(sys, "excepthook", lambda *args: ours(*args))
    hooks.remove()
    sys.excepthook(*raised(LookupError()))
    assert handler.records == []
    assert before == ["main"]
