"""What is dropped in time, and what stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.world import START, World, an_error

from tocsin.daemon.operations import retention
from tocsin.daemon.operations.retention import DAY, Retention
from tocsin.daemon.store import errors, outbox, sessions
from tocsin.daemon.store.database import open_store
from tocsin.daemon.store.models import AliveInterval, ErrorLog, HourCount, Mail, Quarantined, Run, Session
from tocsin.handler.protocol.event import Lost


@pytest.fixture
def world(tmp_path: Path):
    store = open_store(f"sqlite:///{tmp_path / 'tocsin.db'}")
    yield World(store)
    store.close()


def dropped(world: World, days: float) -> retention.Dropped:
    return Retention(world.store, world.config.retention).run(START + days * DAY)


def test_nothing_is_dropped_while_it_is_young(world: World):
    world.app().fail()
    assert dropped(world, 30) == retention.Dropped(0, 0, 0, 0, 0, 0, 0, 0, 0)


def test_hourly_counts_go_and_the_sum_of_the_error_stays(world: World):
    world.app().fail()
    assert dropped(world, 402).hourly_counts == 1
    with world.store.reading():
        assert HourCount.select().count() == 0
        assert ErrorLog.get().occurrences == 3


def test_intervals_and_runs_of_long_ago_go(world: World):
    world.app().fail()
    assert dropped(world, 402).intervals == 1
    with world.store.reading():
        assert AliveInterval.select().count() == Run.select().count() == 0


def test_a_session_goes_when_nothing_is_left_of_it(world: World):
    world.app()
    assert dropped(world, 402).sessions == 1


def test_a_session_whose_event_is_kept_as_a_sample_stays(world: World):
    world.app().log(an_error(at=world.now))
    assert dropped(world, 402).sessions == 0


def test_a_session_that_lost_events_stays_so_that_the_loss_is_shown(world: World):
    world.app().log(Lost("spool_full", 3))
    dropped(world, 402)
    with world.store.reading():
        assert Session.select().count() == 1


def test_of_the_quarantine_the_newest_stay(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(retention, "QUARANTINED", 3)
    with world.store.transaction():
        for position in range(5):
            errors.quarantine("s", position, "bad", b"", START)
    assert dropped(world, 0).quarantined == 2
    with world.store.reading():
        assert [row.position for row in Quarantined.select().order_by(Quarantined.id)] == [2, 3, 4]


def test_mails_that_are_done_with_go_and_waiting_ones_stay(world: World):
    with world.store.transaction():
        for _ in range(2):
            outbox.queue(
                "notice", audience="admin", recipient="ops@example.org", language="en", ticket_id=None,
                facts={}, now=START,
            )  # fmt: skip
        outbox.mark_sent(1, START)
    assert dropped(world, 91).mails == 1
    with world.store.reading():
        assert [mail.state for mail in Mail.select()] == ["waiting"]


def test_sessions_can_be_dropped_in_every_state_of_their_rows(world: World):
    with world.store.transaction():
        assert sessions.drop_unneeded_before(START) == 0
