"""A destination: what is taken is in a file, in memory or counted as lost when `take` returns."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from records import record

from tocsin.handler import TocsinHandler
from tocsin.handler.destination import Destination
from tocsin.handler.process import monotonic
from tocsin.handler.protocol import wire
from tocsin.handler.session import Session
from tocsin.handler.settings import Settings
from tocsin.handler.spool import recent_events
from tocsin.handler.spool.claim import Claim
from tocsin.handler.spool.segments import sessions
from tocsin.handler.spool.stream import Stream


@pytest.fixture
def destination(place: Path) -> Iterator[Destination]:
    """One without a thread, as after the end of logging: nothing is read behind its back."""
    made = Destination(Settings(endpoints=(f"ipc://{place}/s",), service="shop", spool=str(place / "spool")))
    made.final = True
    yield made
    made.finish(0)


def session_of(destination: Destination) -> Session:
    assert destination._session is not None
    return destination._session


def kinds(place: Path, session: str) -> Counter[str]:
    """How many records of each kind stand in a session's files."""
    batch = Stream(str(place / "spool"), session).batch(0, 0, 0.0)
    frames = batch.frames if batch else []
    return Counter(type(wire.decode_record(payload)).__name__ for _, payload in frames)


def kinds_of(destination: Destination, place: Path) -> Counter[str]:
    spool = session_of(destination).spool
    assert spool is not None
    return kinds(place, spool.header.session)


def test_the_first_record_opens_the_session(destination: Destination, place: Path) -> None:
    assert not (place / "spool").exists()
    destination.handle(record())
    assert kinds_of(destination, place) == {"Event": 1}


def test_after_so_many_full_events_a_like_one_is_only_named(destination: Destination, place: Path) -> None:
    for _ in range(recent_events.FULL + 3):
        destination.handle(record())
    assert kinds_of(destination, place) == {"Event": recent_events.FULL, "DuplicateReference": 3}


def test_in_a_directory_that_fills_up_the_second_like_one_is_only_named(
    destination: Destination, place: Path
) -> None:
    destination.begin()
    session_of(destination).quota.level = 1
    for _ in range(3):
        destination.handle(record())
    assert kinds_of(destination, place) == {"Event": 1, "DuplicateReference": 2}


def test_in_a_full_directory_events_are_only_counted(destination: Destination, place: Path) -> None:
    destination.begin()
    session_of(destination).quota.level = 2
    destination.handle(record())
    assert kinds_of(destination, place) == {}
    session_of(destination).losses.report()
    assert kinds_of(destination, place) == {"Lost": 1}


def test_an_event_whose_write_fails_is_kept_in_memory_and_the_file_left_alone_for_a_while(
    destination: Destination, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    destination.begin()
    session = session_of(destination)
    assert session.spool is not None
    session.spool.fd = -1
    destination.handle(record())
    destination.handle(record())
    assert (len(session.memory), len(session.spool.failed_writes)) == (2, 1)
    monkeypatch.setattr("tocsin.handler.destination.monotonic", lambda: monotonic() + 1.0)
    destination.handle(record())
    assert (len(session.memory), len(session.spool.failed_writes)) == (3, 2)
    assert capsys.readouterr().err.count("cannot be written") == 1


def test_a_record_that_cannot_be_put_into_words_is_counted(
    destination: Destination, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination.begin()
    monkeypatch.setattr(destination._capture, "summarize", lambda record: 1 / 0)
    destination.handle(record())
    session_of(destination).losses.report()
    assert kinds_of(destination, place) == {"Lost": 1}


def test_while_another_thread_opens_the_session_an_event_gets_one_of_its_own(
    destination: Destination, place: Path
) -> None:
    destination._opening.acquire()
    destination.handle(record())
    destination._opening.release()
    assert destination._session is None
    (session,) = sessions(str(place / "spool"))
    assert kinds(place, session) == {"Event": 1}


def test_after_its_end_the_next_record_begins_another_session(destination: Destination, place: Path) -> None:
    destination.handle(record())
    first = session_of(destination)
    destination.finish(0)
    destination.handle(record())
    assert session_of(destination) is not first
    assert kinds_of(destination, place) == {"Event": 1}


def test_nothing_that_was_not_taken_is_waited_for(destination: Destination) -> None:
    assert destination.flush(0)
    assert destination.trouble == "no session could be opened"


def test_without_a_thread_nothing_is_acknowledged(destination: Destination) -> None:
    destination.handle(record())
    assert not destination.flush(0)


def test_it_is_in_use_while_a_handler_is_open_or_attached(place: Path) -> None:
    handler = TocsinHandler(f"ipc://{place}/s", "shop", spool=place / "spool")
    logger = logging.getLogger("test.in_use")
    logger.addHandler(handler)
    handler.close()
    assert handler.destination.in_use
    logger.removeHandler(handler)
    assert not handler.destination.in_use


def test_a_program_that_logged_nothing_leaves_its_end_in_a_file(place: Path) -> None:
    handler = TocsinHandler(f"ipc://{place}/s", "shop", spool=place / "spool")
    handler.destination.end_unused()
    (session,) = sessions(str(place / "spool"))
    claim = Claim.acquire(str(place / "spool"), session)
    assert claim is not None
    state = claim.read()
    claim.release(remove=False)
    assert state is not None
    assert state.header.pid == os.getpid()
    assert state.ended_at > 0
    handler.close()


def test_a_destination_without_a_handler_leaves_nothing(place: Path) -> None:
    settings = Settings(endpoints=(f"ipc://{place}/s",), service="shop", spool=str(place / "spool"))
    Destination(settings).end_unused()
    assert not (place / "spool").exists()
