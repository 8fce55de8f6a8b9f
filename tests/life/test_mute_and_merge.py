"""What people do to errors by hand: mute, unmute, merge; on both databases."""

from __future__ import annotations

import pytest
from support.world import HOUR, World, an_error, an_exception

from tocsin.daemon import queries
from tocsin.daemon.store.models import Correction, ErrorLog, History, HourCount, Sample, Ticket, Watch
from tocsin.daemon.tickets import merge as merging
from tocsin.daemon.tickets.manual import Manual, ManualError
from tocsin.daemon.tickets.mute import parse_rate

DAY = 24 * HOUR


def mute(world: World, *, hours: float | None = None, rate: int | None = None) -> None:
    until = None if hours is None else world.now + hours * HOUR
    Manual(world.store, world.config).mute(world.errors()[0].id, "ana", world.now, until=until, rate=rate)


def merge(world: World, error_id: int, into_id: int) -> list[int]:
    return merging.merge(world.store, world.config, error_id, into_id, "ana", world.now)


def two_errors(world: World, client: str = "martin"):
    """Error 1 with its ticket, a minute later error 2 with its own; the application that logs both."""
    app = world.app()
    app.fail(3, client=client)
    world.live(60, app)
    app.fail(4, client=client, function="weigh")
    return app


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
        app = world.app()
        app.fail(1)
        within = world.now + HOUR
        mute(world, hours=2)
        world.live(3 * HOUR, app)
        app.log(*(an_exception(within + second) for second in range(3)))
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

    def test_merged_counts_samples_and_corrections_are_the_other_error_s(self, world: World):
        two_errors(world)
        with world.store.transaction():
            Correction.create(
                error=2, file_path="a.py", old_code="a", new_code="b", applied_by="ana",
                applied_at=world.now, recorded_at=world.now)  # fmt: skip
        first = min(error.first_seen for error in world.errors())
        merge(world, 2, 1)
        with world.store.reading():
            assert {row.error_id for row in HourCount.select()} == {1}
            assert {row.error_id for row in Sample.select()} == {1}
            assert {row.error_id for row in Correction.select()} == {1}
            assert sum(row.count for row in HourCount.select()) == 7
            into, merged = ErrorLog.get_by_id(1), ErrorLog.get_by_id(2)
        assert (into.occurrences, into.samples, into.first_seen) == (7, 7, first)
        assert (merged.merged_into_id, merged.occurrences) == (1, 0)
        assert into.last_seen == merged.last_seen

    def test_a_merged_error_is_not_listed_and_its_events_are_the_other_s(self, world: World):
        app = two_errors(world)
        merge(world, 2, 1)
        app.fail(2, function="weigh")
        assert [(one.id, one.occurrences) for one in queries.errors(world.store)] == [(1, 9)]

    def test_the_younger_of_two_open_tickets_of_one_client_closes_and_says_why(self, world: World):
        two_errors(world)
        assert merge(world, 2, 1) == [2]
        older, younger = world.tickets()
        assert (older.status, younger.status, younger.resolution) == ("open", "closed", "duplicate")
        assert younger.metadata["watch"]["duplicate_of"] == 1
        assert "auto_closed" not in younger.metadata or younger.metadata["auto_closed"] is False
        assert world.history(younger)[-2:] == ["merged", "status_changed"]
        assert {ticket.error_id for ticket in (older, younger)} == {1}
        assert ("closing", "contact@martin.example") not in world.mails()

    def test_the_older_ticket_survives_in_whichever_direction_errors_are_merged(self, world: World):
        two_errors(world)
        assert merge(world, 1, 2) == [2]
        assert [(ticket.status, ticket.error_id) for ticket in world.tickets()] == [
            ("open", 2),
            ("closed", 2),
        ]

    def test_tickets_of_other_clients_stay_open_and_the_later_watch_counts(self, world: World):
        app = world.app()
        app.fail(3, client="martin")
        world.live(HOUR, app)
        app.fail(3, client="acme", function="weigh")
        merge(world, 2, 1)
        assert [(t.client_id, t.status, t.error_id) for t in world.tickets()] == [
            ("martin", "open", 1), ("acme", "open", 1)]  # fmt: skip
        with world.store.reading():
            assert [(w.error_id, w.quiet_since) for w in Watch.select()] == [(1, world.now)]

    def test_a_reappearance_reopens_the_ticket_that_was_kept_not_the_duplicate(self, world: World):
        app = two_errors(world)
        merge(world, 2, 1)
        world.live(DAY, app)
        world.check()
        assert [ticket.status for ticket in world.tickets()] == ["closed", "closed"]
        app.fail(1, client="martin", function="weigh")
        assert [ticket.status for ticket in world.tickets()] == ["open", "closed"]

    def test_a_merge_into_itself_or_another_service_or_of_a_merged_one_is_refused(self, world: World):
        two_errors(world)
        world.app("billing").fail(1)
        with pytest.raises(ManualError, match="itself"):
            merge(world, 1, 1)
        with pytest.raises(ManualError, match="one service"):
            merge(world, 3, 1)
        with pytest.raises(ManualError, match="no error 99"):
            merge(world, 99, 1)
        merge(world, 2, 1)
        with pytest.raises(ManualError, match="was merged into error 1"):
            merge(world, 2, 3)
        with pytest.raises(ManualError, match="was merged into error 1"):
            Manual(world.store, world.config).resolve(2, "ana", world.now)

    def test_occurrences_below_the_threshold_on_both_sides_reach_it_together(self, world: World):
        app = world.app()
        app.fail(2)
        app.log(an_error(at=world.now))
        merge(world, 2, 1)
        app.log(an_error(at=world.now))
        assert len(world.tickets()) == 1

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
