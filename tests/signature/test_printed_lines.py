"""A traceback that a library logs line by line is one event, however its records reach the daemon."""

from __future__ import annotations

import pytest
from support.world import App, World, an_error

from tocsin.daemon.ingest.digest import Digest
from tocsin.daemon.store.models import Session
from tocsin.handler.protocol.event import DuplicateReference, Event, Raised

LINES = [
    "Exception (client): Error reading SSH protocol banner",
    "Traceback (most recent call last):",
    '  File "/opt/venv/lib/python3.11/site-packages/paramiko/transport.py", line 2369, in _check_banner',
    "    buf = self.packetizer.readline(timeout)",
    "          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^",
    "EOFError",
    "",
    "During handling of the above exception, another exception occurred:",
    "",
    "Traceback (most recent call last):",
    '  File "/opt/venv/lib/python3.11/site-packages/paramiko/transport.py", line 2185, in run',
    "    self._check_banner()",
    "paramiko.ssh_exception.SSHException: Error reading SSH protocol banner",
    "",
]


def logged(at: float, lines: list[str] = LINES, **more: object) -> list[Event]:
    """As paramiko logs them: one function, one thread, a moment; the summary by a call of its own."""
    known = {"logger": "paramiko.transport", "thread": "Thread-1", "function": "_log", **more}
    calls = [11, *[12] * len(lines)]
    return [an_error(text, at=at + i / 10_000, line=calls[i], **known) for i, text in enumerate(lines)]


def known(world: World) -> list[tuple[str, int]]:
    return [(error.title, error.occurrences) for error in world.errors()]


TITLE = "SSHException: Error reading SSH protocol banner"


def test_the_lines_of_one_traceback_are_one_event(world: World) -> None:
    world.app().log(*logged(world.now - 10))
    assert known(world) == [(TITLE, 1)]


def test_every_record_counts_as_one_of_its_session(world: World) -> None:
    app = world.app()
    app.log(*logged(world.now - 10), an_error(at=world.now))
    with world.store.reading():
        assert Session.get_by_id(app.header.session).events == len(LINES) + 1


def test_lines_that_are_repeats_are_joined_as_the_first_ones_were(world: World) -> None:
    events = [
        Event(**{**{name: getattr(event, name) for name in Event.__struct_fields__}, "key": index + 1})
        for index, event in enumerate(logged(world.now - 20))
    ]
    again = [DuplicateReference(event.key, event.occurred_at + 10) for event in events]
    world.app().log(*events, *again)
    assert known(world) == [(TITLE, 2)]


@pytest.mark.parametrize("cut", [2, 3, 5, 11])
def test_a_traceback_that_a_batch_breaks_off_is_one_event(world: World, cut: int) -> None:
    app = world.app()
    events = logged(world.now - 10)
    app.log(*events[:cut])
    app.log(*events[cut:])
    assert (TITLE, 1) in known(world)
    assert sum(times for _, times in known(world)) <= 2


def test_a_traceback_whose_rest_never_comes_is_an_event_when_its_session_ends(world: World) -> None:
    app = world.app()
    app.log(*logged(world.now - 1)[:4])
    assert known(world) == []
    app.goodbye()
    assert [times for _, times in known(world)] == [1]


def test_a_late_heartbeat_gives_up_waiting_for_the_rest(world: World) -> None:
    app = world.app()
    app.log(*logged(world.now - 1)[:4])
    world.now += 10
    app.heartbeat()
    assert [times for _, times in known(world)] == [1]


def test_another_threads_record_between_the_lines_stays_its_own(world: World) -> None:
    events = logged(world.now - 10)
    other = an_error("disk full on volume data", at=world.now - 10, thread="Thread-2")
    world.app().log(*events[:4], other, *events[4:])
    assert sorted(known(world)) == [(TITLE, 1), ("disk full on volume data", 1)]


def test_two_threads_lines_that_alternate_are_two_events(world: World) -> None:
    one, other = logged(world.now - 10), logged(world.now - 10, LINES[:6], thread="Thread-2")
    world.app().log(*[event for pair in zip(one, other, strict=False) for event in pair], *one[6:])
    assert sorted(known(world)) == [("EOFError", 1), (TITLE, 1)]


def test_lines_far_apart_in_time_are_not_joined(world: World) -> None:
    events = logged(world.now - 100)
    world.app().log(*events[:3], *logged(world.now - 10)[3:6])
    assert ("EOFError", 1) in known(world)
    assert len(known(world)) == 4


def test_a_message_after_the_traceback_is_its_own(world: World) -> None:
    events = logged(world.now - 10, [*LINES[:6], "giving up on the transfer"])
    world.app().log(*events)
    assert sorted(known(world)) == [("EOFError", 1), ("giving up on the transfer", 1)]


def test_two_sessions_lines_are_never_joined(world: World) -> None:
    one, other = App(world, "shop"), App(world, "shop")
    events = logged(world.now - 10)
    one.log(*events[:3])
    other.log(*events[3:6])
    assert ("EOFError", 1) in known(world)
    assert not any(title.startswith("SSHException") for title, _ in known(world))


class TestAcrossRestarts:
    """A daemon that is killed between two batches has forgotten nothing that it acknowledged."""

    def test_the_lines_are_joined_by_the_next_daemon(self, world: World) -> None:
        app, events = world.app(), logged(world.now - 1)
        app.log(*events[:5])
        world.digest = Digest(world.store, world.config)
        app.log(*events[5:])
        assert known(world) == [(TITLE, 1)]

    def test_what_its_process_never_finishes_is_counted_once(self, world: World) -> None:
        app = world.app()
        app.log(*logged(world.now)[:5])
        world.digest = Digest(world.store, world.config)
        world.now += 200
        world.app().log(an_error(at=world.now))
        assert sorted(count for _, count in known(world)) == [1, 1]


class TestAcrossRestartsOnPostgres(TestAcrossRestarts):
    database = "postgres"


def failed(world: World, text: str = "", thread: str = "MainThread") -> list[Event]:
    """As Twisted logs a failure nobody handled: first that there is one, then the failure."""
    said = {"logger": "twisted", "function": "__call__", "at": world.now - 10}
    heading = an_error("Unhandled error in Deferred:", thread="MainThread", **said)
    return [heading, an_error(text, exception=Raised("KeyError", "'x'"), thread=thread, **said)]


def test_the_heading_of_a_failure_is_no_event_of_its_own(world: World) -> None:
    app = world.app()
    app.log(*failed(world), *failed(world))
    assert known(world) == [("KeyError: *", 2)]
    with world.store.reading():
        assert Session.get_by_id(app.header.session).events == 4


@pytest.mark.parametrize("other", [{"text": "another one"}, {"thread": "Thread-2"}])
def test_a_heading_before_another_record_is_an_event(world: World, other: dict[str, str]) -> None:
    world.app().log(*failed(world, **other))
    assert known(world) == [("Unhandled error in Deferred:", 1), ("KeyError: *", 1)]
