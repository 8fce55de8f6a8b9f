"""Two errors that are one: nothing is lost, nobody is told twice; on both databases."""

from __future__ import annotations

import pytest
from support.world import HOUR, World, an_error, an_exception

from tocsin.daemon import queries
from tocsin.daemon.store.models import Correction, ErrorLog, HourCount, Sample, Watch
from tocsin.daemon.tickets import merge as merging
from tocsin.daemon.tickets.manual import Manual, ManualError

DAY = 24 * HOUR


def merge(world: World, error_id: int, into_id: int) -> list[int]:
    return merging.merge(world.store, world.config, error_id, into_id, "ana", world.now)


def two_errors(world: World, client: str = "martin"):
    """Error 1 with its ticket, a minute later error 2 with its own; the application that logs both."""
    app = world.app()
    app.fail(3, client=client)
    world.live(60, app)
    app.fail(4, client=client, function="weigh")
    return app


class MergeContract:
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

    def test_what_the_later_error_said_last_is_what_the_merged_one_says(self, world: World):
        app = world.app()
        app.log(an_error("earlier", at=world.now - 60), an_exception(world.now, message="later"))
        earlier, later = (error.id for error in world.errors())
        merge(world, later, earlier)
        into = world.errors()[0]
        assert (into.message.partition(":")[0], into.last_seen) == ("later", world.now)

    def test_occurrences_before_a_ticket_count_towards_no_second_one(self, world: World):
        app = two_errors(world)
        app.log(an_error(at=world.now), an_error(at=world.now))
        merge(world, 3, 1)
        with world.store.reading():
            assert ErrorLog.get_by_id(1).recent == []

    def test_an_error_merged_into_a_merged_one_s_heir_takes_its_own_along(self, world: World):
        two_errors(world)
        world.app().log(an_error(at=world.now))
        merge(world, 3, 2)
        merge(world, 2, 1)
        with world.store.reading():
            assert {error.merged_into_id for error in ErrorLog.select().where(ErrorLog.id != 1)} == {1}

    def test_a_resolved_error_stays_resolved_when_what_joins_it_came_earlier(self, world: World):
        world.app().log(an_error(at=world.now - HOUR), an_exception(world.now))
        Manual(world.store, world.config).resolve(2, "ana", world.now)
        merge(world, 1, 2)
        assert world.errors()[1].resolved

    def test_a_resolved_error_is_open_again_when_what_joins_it_came_later(self, world: World):
        world.app().log(an_error(at=world.now), an_exception(world.now - HOUR))
        with world.store.reading():
            older = ErrorLog.select().order_by(ErrorLog.last_seen).first().id
        Manual(world.store, world.config).resolve(older, "ana", world.now - HOUR / 2)
        merge(world, 3 - older, older)
        with world.store.reading():
            assert not ErrorLog.get_by_id(older).resolved


class TestMergeOnSqlite(MergeContract):
    database = "sqlite"


class TestMergeOnPostgres(MergeContract):
    database = "postgres"
