"""What a record holds besides its message and its exception: the name of its level, its task."""

from __future__ import annotations

import asyncio
import copy
import logging
import pickle
from collections.abc import Callable, Iterator

import pytest
from records import event_of, record

from tocsin.handler.capture import stamp
from tocsin.handler.protocol.event import Event
from tocsin.handler.protocol.wire import decode_event

ALERT = 45


@pytest.fixture
def alert() -> Iterator[str]:
    """A level of the application's own."""
    logging.addLevelName(ALERT, "ALERT")
    yield "ALERT"
    logging._levelToName.pop(ALERT)
    logging._nameToLevel.pop("ALERT")


def made(level: int = logging.ERROR) -> logging.LogRecord:
    """A record as a logger makes it once a handler of ours is there."""
    stamp.install()
    return logging.getLogger("facts").makeRecord("facts", level, "facts.py", 1, "failed", (), None)


def test_a_level_of_the_applications_own_keeps_its_name(alert: str) -> None:
    event = event_of(made(ALERT))
    assert (event.level, event.level_name) == (ALERT, alert)


@pytest.mark.parametrize("level", [10, 20, 30, 40, 50, 35])
def test_a_level_that_logging_names_needs_no_name(level: int) -> None:
    assert event_of(made(level)).level_name == ""


def test_a_level_that_another_handler_has_coloured_and_padded_is_loggings() -> None:
    coloured = made()
    coloured.levelname = "\x1b[1;31mERROR\x1b[0m   "
    assert event_of(coloured).level_name == ""


@pytest.mark.parametrize("name", [None, "", 7, object()])
def test_a_level_named_by_no_text_has_no_name(name: object) -> None:
    strange = made()
    strange.levelname = name  # type: ignore[assignment]
    assert event_of(strange).level_name == ""


def test_a_level_that_is_named_later_is_known_by_its_new_name(alert: str) -> None:
    first = made(ALERT)
    assert event_of(first).level_name == alert
    first.levelname = "ALARM"
    assert event_of(first).level_name == "ALARM"


def in_task(work: Callable[[], logging.LogRecord]) -> logging.LogRecord:
    async def main() -> logging.LogRecord:
        async def logging_task() -> logging.LogRecord:
            return work()

        return await asyncio.create_task(logging_task(), name="import orders")

    return asyncio.run(main())


@pytest.mark.parametrize(
    "again",
    [lambda one: one, copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))],
    ids=["itself", "copied", "copied deeply", "pickled"],
)
def test_the_task_is_the_one_that_logged_wherever_the_record_is_handled(
    again: Callable[[logging.LogRecord], logging.LogRecord],
) -> None:
    assert event_of(again(in_task(made))).task == "import orders"


def test_outside_of_tasks_there_is_none() -> None:
    assert event_of(made()).task == ""
    assert event_of(record()).task == ""


def test_an_event_of_a_handler_that_knew_neither_has_neither() -> None:
    older = Event(1.0, 40, "shop", "failed", None, "/p", "m", "f", 1)
    assert (older.level_name, older.task) == ("", "")
    assert (
        decode_event(b"\x9a\x01\xcb?\xf0\0\0\0\0\0\0\x28\xa4shop\xa6failed\xc0\xa2/p\xa1m\xa1f\x01") == older
    )


@pytest.mark.parametrize("moved", ["msg", "process", "name"])
def test_what_extra_adds_is_told_wherever_the_attributes_of_logging_itself_stand(moved: str) -> None:
    made = record(order=17)
    made.__dict__[moved] = made.__dict__.pop(moved)
    assert event_of(made).context == {"order": "17"}


def test_a_name_and_a_value_that_no_database_takes_are_cleaned() -> None:
    assert event_of(record(**{"a\0b": "x\ud800"})).context == {"a\u2400b": "x\\ud800"}
