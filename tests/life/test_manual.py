"""What people do to errors and tickets by hand: mute, unmute, set a status; on both databases."""

from __future__ import annotations

import pytest
from support.world import HOUR, World, an_exception

from tocsin.daemon.store.models import History, Ticket
from tocsin.daemon.tickets.manual import Manual, ManualError
from tocsin.daemon.tickets.mute import parse_rate

DAY = 24 * HOUR


def mute(world: World, *, hours: float | None = None, rate: int | None = None) -> None:
    until = None if hours is None else world.now + hours * HOUR
    Manual(world.store, world.config).mute(world.errors()[0].id, "ana", world.now, until=until, rate=rate)


class HandContract:
    def test_an_error_muted_for_a_time_opens_nothing_in_it_and_its_past_opens_nothing_after(
        self, world: World
    ):
        app = world.app()
        app.fail(1)
        mute(world, hours=48)
        app.fail(5)
        assert world.tickets() == []
        assert world.errors()[0].occurrences == 6
        world.live(48 * HOUR + 60, app)
        app.fail(2, every=1)
        assert world.tickets() == []
        app.fail(1)
        assert len(world.tickets()) == 1

    def test_a_late_occurrence_from_within_the_mute_is_not_heard(self, world: World):
        app, dead = world.app(), world.app(live=False)
        app.fail(1)
        within = world.now + HOUR
        mute(world, hours=2)
        world.live(3 * HOUR, app)
        dead.log(*(an_exception(within + second) for second in range(3)))
        assert world.tickets() == []

    def test_an_error_muted_by_rate_is_heard_when_more_come_in_an_hour(self, world: World):
        app = world.app()
        app.fail(1)
        mute(world, rate=10)
        for _ in range(5):
            app.fail(8, every=400)
            world.live(HOUR + 4000, app)
        assert world.tickets() == []
        app.fail(10, every=300)
        assert world.tickets() == []
        app.fail(1)
        assert len(world.tickets()) == 1
        assert world.errors()[0].muted_rate is None

    def test_a_muted_reappearance_restarts_the_watch_and_tells_nobody(self, world: World):
        app = world.app()
        app.fail(3, client="martin")
        mails = world.mails()
        mute(world, hours=90)
        world.live(DAY - HOUR, app)
        app.fail(1, client="martin")
        app.fail(1, client="acme")
        world.live(2 * HOUR, app)
        world.check()
        assert [ticket.status for ticket in world.tickets()] == ["open"]
        assert world.mails() == mails
        assert world.history(world.tickets()[0]) == ["created", "muted"]

    def test_a_closed_ticket_of_a_muted_error_stays_closed_until_the_rate_is_exceeded(self, world: World):
        app = world.app()
        app.fail(3, client="martin")
        world.live(DAY, app)
        world.check()
        mute(world, rate=3)
        app.fail(3, client="martin")
        assert world.tickets()[0].status == "closed"
        app.fail(1, client="martin")
        assert world.tickets()[0].status == "open"

    def test_after_unmute_what_comes_is_heard_and_what_came_is_not(self, world: World):
        app = world.app()
        app.fail(1)
        mute(world, rate=100)
        app.fail(2)
        Manual(world.store, world.config).unmute(1, "ana", world.now)
        world.now += 1
        app.fail(2, every=0.1)
        assert world.tickets() == []
        world.now += 1
        app.fail(1)
        assert len(world.tickets()) == 1

    def test_what_is_not_muted_cannot_be_unmuted(self, world: World):
        world.app().fail(1)
        with pytest.raises(ManualError, match="is not muted"):
            Manual(world.store, world.config).unmute(1, "ana", world.now)

    def test_a_new_client_hit_after_the_closing_gets_a_ticket_and_the_error_is_open_again(self, world: World):
        app = world.app()
        app.fail(3, client="martin")
        world.live(DAY, app)
        world.check()
        app.fail(1, client="acme")
        assert [ticket.status for ticket in world.tickets()] == ["closed", "open"]
        assert not world.errors()[0].resolved

    def test_a_status_set_by_hand_closes_reopens_and_moves(self, world: World):
        world.app().fail(3)
        manual = Manual(world.store, world.config)
        for status in ("in_progress", "monitoring", "closed", "in_progress", "open"):
            manual.set_status(1, status, "ana", world.now)
            assert world.tickets()[0].status == status
        with pytest.raises(ManualError, match="open already"):
            manual.set_status(1, "open", "ana", world.now)
        with world.store.reading():
            moves = [h.description for h in History.select().where(History.action == "status_changed")]
        assert moves[:2] == ["open -> in_progress", "in_progress -> monitoring"]
        with world.store.reading():
            assert Ticket.get_by_id(1).closed_at is None


class TestHandOnSqlite(HandContract):
    database = "sqlite"


class TestHandOnPostgres(HandContract):
    database = "postgres"


@pytest.mark.parametrize("text", ["10", "10/d", "0/h", "-1/h", "10001/h", "1.5/h", "", "ten/h"])
def test_a_rate_that_cannot_be_is_refused_with_an_example(text: str):
    with pytest.raises(ValueError, match="10/h"):
        parse_rate(text)
