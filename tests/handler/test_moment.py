"""A record is handled as it was at its moment: at its level, for its client, and once."""

from __future__ import annotations

import copy
import logging
import logging.handlers
import pickle
import queue
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import loguru
import pytest
from daemon_double import DaemonDouble
from records import event_of, record
from support.running import until

from tocsin.handler import TocsinHandler, bind
from tocsin.handler.capture import stamp

Make = Callable[..., logging.Logger]


@pytest.fixture
def daemon(place: Path) -> Iterator[DaemonDouble]:
    with DaemonDouble(f"ipc://{place}/s") as double:
        yield double


@pytest.fixture
def handler(logger_to: Make) -> logging.Handler:
    """A handler of ours, attached nowhere."""
    logger = logger_to()
    ours = logger.handlers[0]
    logger.removeHandler(ours)
    return ours


@pytest.fixture
def made() -> logging.LogRecord:
    """A record as a logger makes it once a handler of ours is there."""
    stamp.install()
    return logging.getLogger("moment").makeRecord("moment", logging.ERROR, "m.py", 1, "failed", (), None)


def log_into(handler: logging.Handler) -> logging.Logger:
    logger = logging.Logger("moment")
    logger.addHandler(handler)
    return logger


def test_a_queues_listener_brings_nothing_below_the_handlers_level(
    daemon: DaemonDouble, handler: logging.Handler
) -> None:
    waiting: queue.Queue[logging.LogRecord] = queue.Queue()
    listener = logging.handlers.QueueListener(waiting, handler)
    listener.start()
    logger = log_into(logging.handlers.QueueHandler(waiting))
    logger.info("booked")
    logger.error("failed")
    listener.stop()
    assert until(lambda: daemon.memory.counted >= 1)
    assert daemon.memory.messages == {"failed": 1}


def test_a_buffer_brings_nothing_below_the_handlers_level(
    daemon: DaemonDouble, handler: logging.Handler
) -> None:
    logger = log_into(logging.handlers.MemoryHandler(100, target=handler))
    logger.debug("begun")
    logger.error("failed")
    assert until(lambda: daemon.memory.counted >= 1)
    assert daemon.memory.messages == {"failed": 1}


def test_loguru_brings_nothing_below_the_handlers_level(
    daemon: DaemonDouble, handler: logging.Handler
) -> None:
    number = loguru.logger.add(handler, format="{message}")
    try:
        loguru.logger.debug("begun")
        loguru.logger.error("failed")
    finally:
        loguru.logger.remove(number)
    assert until(lambda: daemon.memory.counted >= 1)
    assert daemon.memory.messages == {"failed": 1}


def test_a_level_that_is_no_number_keeps_no_record_out(
    daemon: DaemonDouble, handler: logging.Handler
) -> None:
    by_hand = record()
    by_hand.levelno = None  # type: ignore[assignment]
    handler.handle(by_hand)
    assert until(lambda: daemon.memory.counted >= 1)


def test_the_client_is_the_one_of_the_moment_of_logging(made: logging.LogRecord) -> None:
    with bind(client="acme"):
        logged = logging.getLogger("moment").makeRecord("m", logging.ERROR, "m.py", 1, "failed", (), None)
    with bind(client="another"):
        assert event_of(logged).client == "acme"
        assert event_of(made).client is None


@pytest.mark.parametrize(
    "again",
    [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))],
    ids=["copied", "copied deeply", "pickled"],
)
def test_a_copy_keeps_the_client_and_what_was_bound(
    again: Callable[[logging.LogRecord], logging.LogRecord],
) -> None:
    stamp.install()
    with bind(client="acme", order=17, unpicklable=lambda: None):
        logged = logging.getLogger("moment").makeRecord("m", logging.ERROR, "m.py", 1, "failed", (), None)
    event = event_of(again(logged))
    assert event.client == "acme"
    assert event.context is not None
    assert event.context["order"] == "17"


@pytest.mark.parametrize("queue_first", [True, False])
def test_a_record_that_passes_a_queue_and_the_logger_counts_once(
    daemon: DaemonDouble, handler: logging.Handler, queue_first: bool
) -> None:
    waiting: queue.Queue[logging.LogRecord] = queue.Queue()
    listener = logging.handlers.QueueListener(waiting, handler)
    listener.start()
    logger = logging.Logger("moment")
    both = [logging.handlers.QueueHandler(waiting), handler]
    for one in both if queue_first else reversed(both):
        logger.addHandler(one)
    logger.error("failed")
    listener.stop()
    logger.error("the last")
    assert until(lambda: "the last" in daemon.memory.messages)
    assert daemon.memory.messages["failed"] == 1


def test_handlers_to_one_another_and_one_again_count_once_at_each(place: Path, logger_to: Make) -> None:
    addresses = [f"ipc://{place}/{name}" for name in ("a", "b", "a")]
    logger = logging.Logger("moment")
    for number, address in enumerate(addresses):
        settings = {"endpoint": address, "spool": place / f"spool-{address[-1]}", "client": f"c{number}"}
        logger.addHandler(logger_to(**settings).handlers[0])
    with DaemonDouble(addresses[0]) as a, DaemonDouble(addresses[1]) as b:
        logger.error("failed")
        logger.error("the last")
        assert until(lambda: "the last" in a.memory.messages and "the last" in b.memory.messages)
        assert (a.memory.messages["failed"], b.memory.messages["failed"]) == (1, 1)


def test_other_handlers_see_nothing_of_the_stamp(made: logging.LogRecord) -> None:
    ordinary = logging.LogRecord("", 0, "", 0, "", (), None)
    assert made.__dict__.keys() == ordinary.__dict__.keys()


def test_an_applications_own_record_factory_goes_on(made: logging.LogRecord) -> None:
    def own(*args: object, **kwargs: object) -> logging.LogRecord:
        found = logging.LogRecord(*args, **kwargs)  # type: ignore[arg-type]
        found.tenant = "t1"
        return found

    before = logging.getLogRecordFactory()
    logging.setLogRecordFactory(own)
    try:
        stamp.install()
        with bind(client="acme"):
            logged = logging.getLogger("m").makeRecord("m", logging.ERROR, "m.py", 1, "failed", (), None)
        assert logged.tenant == "t1"  # type: ignore[attr-defined]
        assert event_of(logged).client == "acme"
    finally:
        logging.setLogRecordFactory(before)


def test_an_own_record_class_is_left_as_it_is(made: logging.LogRecord) -> None:
    class Own(logging.LogRecord):
        pass

    before = logging.getLogRecordFactory()
    logging.setLogRecordFactory(Own)
    try:
        stamp.install()
        assert type(logging.makeLogRecord({})) is Own
    finally:
        logging.setLogRecordFactory(before)


def test_the_handlers_lock_is_one_that_does_nothing(handler: logging.Handler) -> None:
    assert handler.lock is not None
    with handler.lock, ThreadPoolExecutor(1) as other:
        assert other.submit(handler.lock.acquire, False).result(30)


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_handler_is_copied_by_its_arguments(
    handler: TocsinHandler, again: Callable[[TocsinHandler], TocsinHandler]
) -> None:
    handler.setLevel(logging.CRITICAL)
    other = again(handler)
    assert (other.settings, other.level) == (handler.settings, logging.CRITICAL)
    assert other.destination is handler.destination
