"""Runs of the functions in which errors happen: who is asked to count, and that each run counts once."""

from __future__ import annotations

from typing import Any

import pytest
from support.world import START, App, World, an_error, an_exception

from tocsin.daemon.operations.retention import Retention
from tocsin.daemon.store import runs
from tocsin.daemon.store.run_models import CountedRuns, RunCount
from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import CodeLocation
from tocsin.handler.protocol.wire import FunctionRuns, Observed, WatchedFunction

PLACE = WatchedFunction(1, False, "shop.orders", "price")
CALLER = WatchedFunction(1, True, "shop.views", "checkout")


BEGAN = START - 60.0
"""Since when runs are counted where a test says nothing else: before there was a ticket."""


def observing(app: App, *told: FunctionRuns) -> wire.FromDaemon | None:
    """A heartbeat of a handler that counts."""
    return app.say(wire.Heartbeat(app.header.session, 0, app.world.now, Observed(runs=told)))


def ran(app: App, begun: int, since: float | None = None, **more: Any) -> wire.FromDaemon | None:
    """So many runs of the error's function so far."""
    told = FunctionRuns(1, False, begun, BEGAN if since is None else since, **more)
    return observing(app, told, FunctionRuns(1, True, 0, 0.0))


def asked(answer: wire.FromDaemon | None) -> tuple[WatchedFunction, ...] | None:
    assert isinstance(answer, wire.Welcome | wire.Ack)
    return None if answer.watched is None else answer.watched.functions


def function(world: World, *, caller: bool = False) -> list[CountedRuns]:
    with world.store.reading():
        return runs.counted([1]).get((1, caller), [])


def counted(world: World) -> tuple[int, int, int]:
    """(runs before the present silence, runs since, occurrences in them) of the first error's function."""
    found = function(world)
    before, begun = sum(one.before for one in found), sum(one.begun for one in found)
    return before, begun - before, sum(one.failed for one in found)


def with_ticket(world: World) -> App:
    """An application whose error has a ticket, a moment ago."""
    app = world.app()
    app.fail(3)
    world.now += 60
    return app


class RunsContract:
    def test_a_process_is_told_the_functions_of_its_services_errors(self, world: World):
        with_ticket(world)
        assert asked(world.app().hello()) == (PLACE, CALLER)

    def test_a_process_that_lives_is_told_with_its_next_heartbeat_and_then_no_more(self, world: World):
        app = with_ticket(world)
        assert asked(observing(app)) == (PLACE, CALLER)
        assert asked(ran(app, 0)) is None

    def test_an_older_handler_is_told_nothing_by_an_acknowledgement(self, world: World):
        app = with_ticket(world)
        assert asked(app.say(wire.Heartbeat(app.header.session, 0, world.now))) is None

    def test_another_service_is_not_asked(self, world: World):
        with_ticket(world)
        assert asked(world.app("billing").hello()) == ()

    def test_of_many_errors_those_of_the_newest_tickets_are_counted(self, world: World):
        app = world.app()
        for number in range(40):
            app.fail(3, function=f"price_{number}", line=100 + number)
        world.now += 60
        found = asked(observing(app)) or ()
        assert len(found) == wire.WATCHED_FUNCTIONS
        assert (found[0].name, found[-2].name) == ("price_39", "price_8")

    def test_a_closed_tickets_function_is_not_counted_any_more(self, world: World):
        app = with_ticket(world)
        ran(app, 3, since=world.now)
        world.live(30 * 3600, app)
        world.check()
        assert world.tickets()[0].status == "closed"
        assert asked(observing(app, FunctionRuns(1, False, 3, 0.0))) == ()

    def test_of_a_message_only_the_functions_own_name_is_known(self, world: World):
        app = world.app()
        place = CodeLocation("/srv/shop/orders.py", 12, module="shop.orders")
        app.log(*(an_error(at=world.now - at) for at in range(3)), places=[place])
        world.now += 60
        assert asked(observing(app)) == (WatchedFunction(1, False, "shop.orders", "*.place"),)

    def test_a_functions_name_that_no_database_takes_holds_nobody_back(self, world: World):
        app = world.app()
        app.fail(3, function="pri\x00ce\udcff" + "x" * 5000)
        world.now += 60
        found = asked(observing(app)) or ()
        assert all("\x00" not in one.name and len(one.name) <= 500 for one in found)

    def test_a_total_that_is_told_twice_counts_once(self, world: World):
        app = with_ticket(world)
        for _ in range(3):
            ran(app, 40)
        assert sum(counted(world)[:2]) == 40

    def test_totals_of_two_processes_add_up(self, world: World):
        app = with_ticket(world)
        other = world.app()
        ran(app, 40)
        ran(other, 2)
        ran(app, 41)
        assert sum(counted(world)[:2]) == 43

    def test_a_message_that_comes_late_takes_nothing_back(self, world: World):
        app = with_ticket(world)
        for begun in (40, 30, 41):
            ran(app, begun)
        assert sum(counted(world)[:2]) == 41

    def test_a_process_that_counts_from_nothing_again_adds_all_of_it(self, world: World):
        app = with_ticket(world)
        ran(app, 40, since=world.now - 30)
        ran(app, 7, since=world.now - 10)
        ran(app, 40, since=world.now - 30)
        assert sum(counted(world)[:2]) == 47

    def test_runs_in_a_batch_count_like_those_of_a_heartbeat(self, world: World):
        app = with_ticket(world)
        told = (FunctionRuns(1, False, 12, world.now),)
        app.log(an_exception(world.now), observed=Observed(runs=told))
        ran(app, 12, since=world.now)
        assert sum(counted(world)[:2]) == 12

    def test_runs_that_began_before_the_error_came_back_are_before_its_silence(self, world: World):
        app = with_ticket(world)
        ran(app, 40)
        assert counted(world) == (40, 0, 0)  # From before the ticket, as far as anybody knows.
        world.now += 60
        ran(app, 50)
        assert counted(world) == (40, 10, 0)
        app.log(
            an_exception(world.now),
            observed=Observed(runs=(FunctionRuns(1, False, 55, BEGAN),)),
        )
        assert counted(world) == (55, 0, 1)

    def test_runs_between_two_words_of_a_process_are_before_a_silence_that_began_between_them(
        self, world: World
    ):
        app, other = with_ticket(world), world.app()
        ran(app, 0)
        ran(other, 10)
        world.now += 60
        app.log(an_exception(world.now))
        world.now += 60
        ran(other, 25)
        assert counted(world)[:2] == (25, 0)
        world.now += 60
        ran(other, 30)
        assert counted(world)[:2] == (25, 5)

    def test_an_occurrence_in_a_process_that_does_not_count_is_no_counted_failure(self, world: World):
        app, silent = with_ticket(world), world.app()
        ran(app, 40)
        world.now += 60
        silent.log(an_exception(world.now))
        assert counted(world)[2] == 0

    def test_an_occurrence_before_counting_began_is_no_counted_failure(self, world: World):
        app = with_ticket(world)
        ran(app, 0, since=world.now)
        app.log(an_exception(world.now - 30), an_exception(world.now))
        assert counted(world)[2] == 1

    def test_a_process_that_cannot_count_says_why(self, world: World):
        app = with_ticket(world)
        ran(app, 0, unknown="no_monitoring")
        app.log(an_exception(world.now))
        assert counted(world) == (0, 0, 0)

    def test_an_estimate_is_remembered_as_one(self, world: World):
        app = with_ticket(world)
        ran(app, 5)
        assert not any(one.estimated for one in function(world))
        ran(app, 4000, estimated=True)
        assert any(one.estimated for one in function(world))

    def test_what_a_process_tells_of_a_function_it_was_not_asked_for_counts_nothing(self, world: World):
        ran(with_ticket(world), 0)
        ran(world.app("billing"), 40)
        assert sum(counted(world)) == 0

    @pytest.mark.parametrize("told", [FunctionRuns(1, False, -1, 0.0), FunctionRuns(1, False, 2**62, 0.0),
                                      FunctionRuns(1, False, 3, float("nan"))])  # fmt: skip
    def test_a_total_that_cannot_be_is_passed_over(self, world: World, told: FunctionRuns):
        app = with_ticket(world)
        observing(app, told)
        assert sum(counted(world)) == 0

    def test_runs_are_kept_by_hour_until_counts_are_dropped(self, world: World):
        app = with_ticket(world)
        ran(app, 40)
        app.log(an_exception(world.now))
        world.now += 3600
        ran(app, 45)
        with world.store.reading():
            rows = list(
                RunCount.select(RunCount.begun, RunCount.failed)
                .where(RunCount.caller == False)  # noqa: E712
                .order_by(RunCount.hour)
                .tuples()
            )
        assert rows == [(40, 1), (5, 0)]
        Retention(world.store, world.config.retention).run(world.now + 1000 * 86400)
        with world.store.reading():
            assert RunCount.select().count() == 0


class TestSqlite(RunsContract):
    database = "sqlite"


class TestPostgres(RunsContract):
    database = "postgres"
