"""What a record holds beside its text is seen: notes, an exception as the message, a traceback already printed."""

from __future__ import annotations

import logging
import logging.handlers
import pickle

import pytest
from records import caught, event_of, record
from support.world import World, an_error

from tocsin.daemon import queries
from tocsin.daemon.corrections.handoff.markdown import markdown
from tocsin.handler.protocol.event import Raised


def failing(*notes: object) -> ValueError:
    error = ValueError("price")
    for note in notes:
        error.__notes__ = [*getattr(error, "__notes__", []), note]
    return error


def test_the_notes_of_an_exception_go_with_it() -> None:
    event = event_of(record(error=failing("row 17 of import.csv", "password=hunter2")))
    assert event.exception is not None
    assert event.exception.notes[0] == "row 17 of import.csv"
    assert "hunter2" not in str(event.exception.notes)


def test_many_notes_say_how_many_there_are_besides() -> None:
    event = event_of(record(error=failing(*(f"note {n}" for n in range(11)))))
    assert event.exception is not None
    assert event.exception.notes[-2:] == ("note 7", "… (of 11 notes)")


@pytest.mark.parametrize("notes", [None, "text", {"a": 1}])
def test_notes_that_are_no_list_are_passed_over(notes: object) -> None:
    error = ValueError("price")
    error.__notes__ = notes  # type: ignore[assignment]
    event = event_of(record(error=error))
    assert event.exception is not None
    assert event.exception.notes == ()


def test_notes_are_in_the_facts_and_in_the_report_for_an_agent(world: World) -> None:
    raised = Raised("ValueError", "price", notes=("row 17 of import.csv",))
    app = world.app()
    app.log(an_error(at=world.now, exception=raised))
    [found] = queries.details(world.store, [error.id for error in world.errors()]).values()
    assert found.samples[0].event.exceptions[0].notes == ["row 17 of import.csv"]
    assert "row 17 of import.csv" in markdown(found)


def test_an_exception_as_the_message_is_an_exception() -> None:
    error = caught(lambda: {}["sku"])
    event = event_of(record(error, ()))
    assert event.exception is not None
    assert (event.exception.type, event.message) == ("KeyError", "'sku'")
    assert event.exception.frames


def test_a_traceback_printed_by_a_socket_handler_is_kept() -> None:
    sender = logging.handlers.SocketHandler("127.0.0.1", 1)
    error = caught(lambda: {}["sku"])
    sent = sender.makePickle(record("could not", (), (KeyError, error, error.__traceback__)))
    received = logging.makeLogRecord(pickle.loads(sent[4:]))
    message = event_of(received).message
    assert message.startswith("could not\nTraceback (most recent call last)")
    assert message.endswith("KeyError: 'sku'")
