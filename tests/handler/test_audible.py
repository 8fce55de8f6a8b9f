"""Whether what a logger logs still reaches the handler."""

from __future__ import annotations

import logging
import logging.handlers
import queue
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tocsin.handler import TocsinHandler
from tocsin.handler.audible import reaches

NAME = "audible.shop.payments"


@pytest.fixture
def handler(tmp_path: Path) -> Iterator[TocsinHandler]:
    made = TocsinHandler(f"ipc://{tmp_path}/none.sock", service="shop", spool=tmp_path / "spool")
    shop = logging.getLogger("audible.shop")
    shop.addHandler(made)
    yield made
    shop.removeHandler(made)
    for name in (NAME, "audible.shop", "audible"):
        logger = logging.getLogger(name)
        logger.disabled, logger.propagate = False, True
        logger.setLevel(logging.NOTSET)
    logging.disable(logging.NOTSET)
    made.destination.finish(0.0)


def raise_level(name: str, level: int) -> None:
    logging.getLogger(name).setLevel(level)


CHANGES: dict[str, Callable[[TocsinHandler], object]] = {
    "logging.disable": lambda handler: logging.disable(logging.CRITICAL),
    "the logger is disabled": lambda handler: setattr(logging.getLogger(NAME), "disabled", True),
    "its level is raised": lambda handler: raise_level(NAME, logging.CRITICAL),
    "the level above it is raised": lambda handler: raise_level("audible.shop", logging.CRITICAL),
    "the handler is removed": lambda handler: logging.getLogger("audible.shop").removeHandler(handler),
    "the handler's level is raised": lambda handler: handler.setLevel(logging.CRITICAL),
    "it does not propagate any more": lambda handler: setattr(logging.getLogger(NAME), "propagate", False),
}


def test_a_logger_below_the_handler_s_reaches_it(handler: TocsinHandler) -> None:
    assert handler.hears(NAME, logging.ERROR)


@pytest.mark.parametrize("change", CHANGES)
def test_what_stops_a_record_is_seen(handler: TocsinHandler, change: str) -> None:
    logging.getLogger(NAME)
    CHANGES[change](handler)
    assert not handler.hears(NAME, logging.ERROR)


def test_a_logger_that_does_not_exist_yet_is_heard_by_those_above_it(handler: TocsinHandler) -> None:
    assert handler.hears("audible.shop.not.yet.there", logging.ERROR)
    assert not handler.hears("audible.elsewhere", logging.ERROR)


def test_levels_below_the_one_that_is_disabled_alone_are_stopped(handler: TocsinHandler) -> None:
    logging.disable(logging.ERROR)
    assert not handler.hears(NAME, logging.ERROR)
    assert handler.hears(NAME, logging.CRITICAL)


def test_what_our_filter_rejects_is_not_heard_until_it_passes_something(handler: TocsinHandler) -> None:
    passing: list[bool] = []
    handler.addFilter(lambda record: bool(passing))
    logging.getLogger(NAME).error("failed")
    assert not handler.hears(NAME, logging.ERROR)
    logging.getLogger(NAME).error("failed")
    passing.append(True)
    logging.getLogger(NAME).error("failed")
    assert handler.hears(NAME, logging.ERROR)


def test_a_filter_that_rejected_once_speaks_for_one_look_only(handler: TocsinHandler) -> None:
    handler.addFilter(lambda record: False)
    logging.getLogger(NAME).error("noise")
    assert [handler.hears(NAME, logging.ERROR) for _ in range(2)] == [False, True]


@pytest.mark.parametrize("passes", [True, False])
@pytest.mark.parametrize("hostile", [{"name": []}, {"levelno": "high"}, {"name": None, "levelno": None}])
def test_a_record_of_any_kind_passes_a_filter_without_harm(
    handler: TocsinHandler, hostile: dict[str, object], passes: bool
) -> None:
    handler.addFilter(lambda record: passes)
    record = logging.makeLogRecord({"msg": "failed", "levelno": logging.ERROR, **hostile})
    assert bool(handler.handle(record)) is passes


def test_behind_a_queue_the_logger_alone_is_looked_at(tmp_path: Path) -> None:
    made = TocsinHandler(f"ipc://{tmp_path}/none.sock", service="shop", spool=tmp_path / "spool")
    logger = logging.getLogger("audible.behind")
    records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    listener = logging.handlers.QueueListener(records, made)
    logger.addHandler(logging.handlers.QueueHandler(records))
    listener.start()
    logger.error("failed")
    listener.stop()
    assert made.hears("audible.behind", logging.ERROR)
    logger.disabled = True
    assert not made.hears("audible.behind", logging.ERROR)
    logger.disabled = False
    made.destination.finish(0.0)


def test_a_logger_of_a_strange_class_is_taken_to_be_heard(
    handler: TocsinHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Strange(logging.Logger):
        def getEffectiveLevel(self) -> int:
            raise RuntimeError("of all things")

    monkeypatch.setitem(logging.Logger.manager.loggerDict, NAME, Strange(NAME))
    assert reaches(handler, NAME, logging.ERROR)


def test_a_destination_hears_what_one_of_its_handlers_hears(handler: TocsinHandler) -> None:
    asked = [(NAME, logging.ERROR), ("audible.elsewhere", logging.ERROR)]
    assert handler.destination.unheard(asked) == ("audible.elsewhere",)
