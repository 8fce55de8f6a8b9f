"""Breadcrumbs: an error takes along what its thread or task logged before, below the handler's level."""

from __future__ import annotations

import asyncio
import copy
import gc
import logging
import logging.handlers
import pickle
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hostile_records import Trap
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import msgpack, structs
from records import capture, event_of

from tocsin.handler import TocsinHandler, bind
from tocsin.handler.capture import breadcrumbs
from tocsin.handler.capture.breadcrumbs import ROOM, Trails
from tocsin.handler.capture.fit import fit
from tocsin.handler.capture.scrub import MARK
from tocsin.handler.capture.stamped_record import StampedRecord
from tocsin.handler.capture.values import cut_mark
from tocsin.handler.protocol.event import Breadcrumb, Event
from tocsin.handler.protocol.outline import outline_event
from tocsin.handler.protocol.wire import decode_event

Make = Callable[..., logging.Logger]
BY = {"breadcrumbs": 20}


@pytest.fixture(autouse=True)
def factory() -> Iterator[None]:
    """The factory and the trails of before: other tests want no breadcrumbs."""
    before, kept = logging.getLogRecordFactory(), breadcrumbs.trails.__dict__.copy()
    breadcrumbs.trails.__dict__.update(Trails().__dict__)
    logging.setLogRecordFactory(logging.LogRecord)
    yield
    breadcrumbs.trails.__dict__.update(kept)
    logging.setLogRecordFactory(before)


class Collected(logging.Handler):
    """Keeps the records that come at or above ERROR, for `event_of`."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def collected() -> Collected:
    return Collected()


@pytest.fixture
def logger(logger_to: Make, collected: Collected) -> logging.Logger:
    """One at DEBUG, with a handler that wants breadcrumbs; what comes to it is kept instead of sent."""
    logger_to(breadcrumbs=20)
    made = logging.Logger("shop.orders", logging.DEBUG)
    made.addHandler(collected)
    return made


def crumbs(collected: Collected, number: int = -1, length: int = 20) -> list[tuple[int, str]]:
    by = capture(breadcrumbs=length)
    return [(one.level, one.message) for one in event_of(collected.records[number], by).breadcrumbs]


def test_an_error_takes_along_what_was_logged_before_it(logger: logging.Logger, collected: Collected) -> None:
    logger.debug("order %d of %s", 17, "martin")
    logger.warning("no address")
    logger.error("failed")
    event = event_of(collected.records[0], capture(breadcrumbs=20))
    first, second = event.breadcrumbs
    assert (first.logger, first.level, first.message) == ("shop.orders", logging.DEBUG, "order 17 of martin")
    assert (second.level, second.message) == (logging.WARNING, "no address")
    assert 0 < first.at <= second.at <= event.occurred_at


def test_without_the_option_nothing_is_kept(logger_to: Make, collected: Collected) -> None:
    logger_to()
    logger = logging.Logger("shop", logging.DEBUG)
    logger.addHandler(collected)
    logger.debug("before")
    logger.error("failed")
    assert logging.getLogRecordFactory() is StampedRecord
    assert event_of(collected.records[0]).breadcrumbs == ()


def test_they_go_through_the_spool(place: Path, logger_to: Make) -> None:
    logger = logger_to(breadcrumbs=20)
    logger.setLevel(logging.DEBUG)
    logger.info("the crumb")
    logger.error("failed")
    assert any(b"the crumb" in file.read_bytes() for file in (place / "spool").iterdir())


@pytest.mark.parametrize("length", [1, 5, 20])
def test_the_last_ones_are_kept(logger: logging.Logger, collected: Collected, length: int) -> None:
    for number in range(50):
        logger.info("step %d", number)
    logger.error("failed")
    expected = [(logging.INFO, f"step {number}") for number in range(50 - length, 50)]
    assert crumbs(collected, length=length) == expected


def test_records_at_the_handlers_level_are_events_and_no_breadcrumbs(
    logger: logging.Logger, collected: Collected
) -> None:
    logger.error("first")
    logger.error("second")
    assert crumbs(collected) == []


def test_a_change_of_the_handlers_level_counts(logger_to: Make, collected: Collected) -> None:
    handler = logger_to(breadcrumbs=20).handlers[0]
    logger = logging.Logger("shop", logging.DEBUG)
    logger.addHandler(collected)
    handler.setLevel(logging.CRITICAL)
    logger.error("an error")
    logger.critical("failed")
    assert crumbs(collected) == [(logging.ERROR, "an error")]


def test_each_thread_has_its_own(logger: logging.Logger, collected: Collected) -> None:
    logger.info("of the main thread")
    thread = threading.Thread(target=lambda: (logger.info("of the thread"), logger.error("failed")))
    thread.start()
    thread.join()
    assert crumbs(collected) == [(logging.INFO, "of the thread")]


def test_each_task_has_its_own(logger: logging.Logger, collected: Collected) -> None:
    async def work(name: str, all_three: asyncio.Barrier) -> None:
        logger.info("begin %s", name)
        await all_three.wait()
        logger.error("failed %s", name)

    async def main() -> None:
        logger.info("the parent")
        all_three = asyncio.Barrier(3)
        await asyncio.gather(*(work(name, all_three) for name in "abc"))

    asyncio.run(main())
    found = sorted(crumbs(collected, number) for number in range(3))
    assert found == [[(logging.INFO, f"begin {name}")] for name in "abc"]


def test_those_of_another_clients_work_stay_behind(logger: logging.Logger, collected: Collected) -> None:
    logger.info("the thread is ready")
    for client in ("north", "south"):
        with bind(client=client):
            logger.info("an order of %s", client)
            logger.error("failed")
    ready = (logging.INFO, "the thread is ready")
    found = [crumbs(collected, number) for number in range(2)]
    assert found == [[ready, (logging.INFO, f"an order of {client}")] for client in ("north", "south")]


def test_a_task_that_is_gone_leaves_nothing_behind(logger: logging.Logger) -> None:
    async def work() -> None:
        logger.info("begin")

    async def main() -> None:
        await asyncio.gather(*(work() for _ in range(50)))

    asyncio.run(main())
    gc.collect()
    assert breadcrumbs.trails._tasks == {}


def test_of_very_many_tasks_the_first_are_forgotten(
    logger: logging.Logger, collected: Collected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breadcrumbs, "_TRAILS", 10)

    async def work(name: int, all_of_them: asyncio.Barrier) -> int:
        logger.info("begin %d", name)
        await all_of_them.wait()
        logger.error("failed")
        return len(breadcrumbs.trails._tasks)

    async def main() -> list[int]:
        all_of_them = asyncio.Barrier(30)
        return await asyncio.gather(*(work(name, all_of_them) for name in range(30)))

    assert max(asyncio.run(main())) == 10
    found = sorted(crumbs(collected, number) for number in range(30))
    assert found == [[]] * 20 + [[(logging.INFO, f"begin {number}")] for number in range(20, 30)]


def test_behind_a_queue_they_are_those_of_the_moment(logger: logging.Logger, collected: Collected) -> None:
    waiting: queue.Queue[logging.LogRecord] = queue.Queue()
    logger.handlers = [logging.handlers.QueueHandler(waiting)]
    logger.info("before")
    logger.error("failed")
    logger.info("after")
    while not waiting.empty():
        collected.handle(waiting.get())
    error = next(number for number, one in enumerate(collected.records) if one.levelno == logging.ERROR)
    assert crumbs(collected, error) == [(logging.INFO, "before")]


@pytest.mark.parametrize(
    "again",
    [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))],
    ids=["copy", "deep", "pickle"],
)
def test_a_copy_keeps_them(
    logger: logging.Logger, collected: Collected, again: Callable[[logging.LogRecord], logging.LogRecord]
) -> None:
    logger.info("before")
    logger.error("failed")
    collected.records.append(again(collected.records[0]))
    assert crumbs(collected) == [(logging.INFO, "before")]


def test_an_applications_own_factory_and_class_go_on(logger_to: Make, collected: Collected) -> None:
    class Own(logging.LogRecord):
        pass

    for factory in (Own, lambda *given, **more: logging.LogRecord(*given, **more)):
        logging.setLogRecordFactory(factory)
        logger_to(breadcrumbs=20)
        logger = logging.Logger("shop", logging.DEBUG)
        logger.addHandler(collected)
        logger.info("before")
        logger.error("failed")
        assert crumbs(collected)[-1] == (logging.INFO, "before")


def test_an_argument_is_kept_as_it_was_and_no_object_lives_longer(
    logger: logging.Logger, collected: Collected, opened: list[str]
) -> None:
    class Order:
        pass

    items, order, gone = [1], Order(), []
    finalizer = __import__("weakref").finalize(order, gone.append, True)
    logger.info("%s of %s: %s", items, order, Trap())
    items.append(2)
    del order
    gc.collect()
    assert (gone, finalizer.alive) == ([True], False)
    opened.clear()
    logger.error("failed")
    [(_, text)] = crumbs(collected)
    assert text.startswith("[1] of <")
    assert f"password='{MARK}'" in text
    assert opened == []


@pytest.mark.parametrize(
    ("message", "args", "shown"),
    [
        ("%s %s", (1,), "%s %s (1,)"),
        ("%(name)s", ({"name": "martin"},), "martin"),
        ("%d items", (2.0,), "2 items"),
        ({"event": "paid", "order": 17}, (), "paid"),
        (["a", 1], (), "['a', 1]"),
        (17, (), "17"),
        ("password=%s", ("hunter2",), f"password={MARK}"),
        ("100%", (), "100%"),
        ("x" * 500, (), "x" * 200 + cut_mark(500, "characters")),
        ("x" * 5000, (), "x" * 200 + cut_mark(5000, "characters")),
        ("a\ud800\0", (), "a\\ud800\u2400"),
    ],
)
def test_a_message_is_shown_formatted_short_and_scrubbed(
    logger: logging.Logger, collected: Collected, message: Any, args: tuple[Any, ...], shown: str
) -> None:
    logger.info(message, *args)
    logger.error("failed")
    assert crumbs(collected) == [(logging.INFO, shown)]


def test_where_there_is_no_room_the_oldest_go_and_their_number_stays(
    logger: logging.Logger, collected: Collected
) -> None:
    for number in range(30):
        logger.info("%02d %s", number, "x" * 150)
    logger.error("failed")
    found = crumbs(collected)
    assert found[0] == (0, cut_mark(20, "records"))
    assert (found[-1][1][:2], len(found)) == ("29", 1 + ROOM // (153 + len("shop.orders")))


@given(st.lists(st.text(max_size=400), max_size=40))
@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_all_together_have_room_in_two_kilobytes(
    logger: logging.Logger, collected: Collected, texts: list[str]
) -> None:
    for text in texts:
        logger.info(text)
    logger.error("failed")
    found = event_of(collected.records[-1], capture(breadcrumbs=20)).breadcrumbs
    shown = [one for one in found if one.level]
    assert sum(len(one.message.encode()) + len(one.logger.encode()) for one in shown) <= ROOM
    assert len(shown) == len(found) or found[0].message.startswith("… (of ")


def test_after_the_first_full_events_of_a_location_they_come_now_and_then(
    logger: logging.Logger, collected: Collected
) -> None:
    by = capture(breadcrumbs=20)
    logger.info("before")
    for number in range(12):
        logger.error("failed %d", number)
    collected.records[11].created += 60
    counts = [len(event_of(one, by).breadcrumbs) for one in collected.records]
    assert counts == [1] * 10 + [0, 1]


def test_a_level_that_is_no_number_throws_nothing(logger: logging.Logger) -> None:
    made = logger.makeRecord("shop", object(), "p", 1, "text", (), None)  # type: ignore[arg-type]
    assert made.getMessage() == "text"


def test_an_older_reader_and_an_older_writer_are_understood() -> None:
    event = Event(1.0, 40, "shop", "failed", None, "/p", "m", "f", 1)
    event = structs.replace(event, breadcrumbs=(Breadcrumb(0.5, 20, "shop", "before"),))
    longer = msgpack.decode(msgpack.encode(event))
    assert decode_event(msgpack.encode(longer[:18])).breadcrumbs == ()
    outline = outline_event(msgpack.encode(event))
    assert decode_event(msgpack.encode(outline)) == event
    assert decode_event(msgpack.encode(outline_event(msgpack.encode(longer[:10])))).breadcrumbs == ()


def test_an_event_that_is_too_large_says_how_many_there_were() -> None:
    many = tuple(Breadcrumb(1.0, 20, "shop", "x" * 9000) for _ in range(20))
    event = Event(1.0, 40, "shop", "failed", None, "/p", "m", "f", 1, breadcrumbs=many)
    assert [one.message for one in decode_event(fit(event)).breadcrumbs] == [cut_mark(20, "records")]


@pytest.mark.parametrize("wrong", [-1, 101, "many", 1.5, True])
def test_a_wrong_number_is_refused(place: Path, wrong: Any) -> None:
    with pytest.raises(ValueError, match="from 0 to 100"):
        TocsinHandler(f"ipc://{place}/s", spool=place / "spool", breadcrumbs=wrong)


def test_an_event_is_no_breadcrumb_of_itself(logger_to: Make, collected: Collected) -> None:
    logger = logger_to(breadcrumbs=20)
    early = Collected()
    early.setLevel(logging.WARNING)
    breadcrumbs.trails.add(early, 20)
    logger.addHandler(early)
    logger.warning("late")
    assert crumbs(early) == []


def test_what_a_call_names_another_clients_stays_out_of_this_ones_event(
    logger: logging.Logger, collected: Collected
) -> None:
    logger.info("acme's invoice", extra={"client": "acme"})
    logger.info("anybody's")
    logger.error("failed", extra={"client": "north"})
    assert crumbs(collected) == [(logging.INFO, "anybody's")]


def test_a_record_of_another_thread_has_not_this_ones_breadcrumbs(
    logger: logging.Logger, collected: Collected
) -> None:
    logger.info("of this thread")
    plain = logging.LogRecord("shop", logging.ERROR, "shop.py", 1, "handed on", (), None)
    collected.records.append(plain)
    assert crumbs(collected) == []


def test_a_factory_that_calls_ours_keeps_each_record_once(logger_to: Make, collected: Collected) -> None:
    logger_to(breadcrumbs=20)
    ours = logging.getLogRecordFactory()
    logging.setLogRecordFactory(lambda *given, **more: ours(*given, **more))
    logger = logger_to(breadcrumbs=20)
    logger.addHandler(collected)
    logger.info("once")
    logger.error("failed")
    assert crumbs(collected) == [(logging.INFO, "once")]


def test_nothing_is_kept_once_the_last_handler_that_wants_it_is_gone() -> None:
    kept = Trails()
    listener = Collected()
    kept.add(listener, 20)
    assert kept.length == 20
    del listener
    gc.collect()
    assert kept.length == 0


def test_listeners_may_come_from_several_threads_at_once() -> None:
    kept = Trails()
    failed: list[Exception] = []

    def add() -> None:
        try:
            for _ in range(500):
                kept.add(Collected(), 5)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=add) for _ in range(4)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert failed == []
