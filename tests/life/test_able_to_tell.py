"""Whose silence counts: kinds of processes, loggers that are not heard, known losses, batch runs; both databases."""

from __future__ import annotations

import pytest
from support.world import HOUR, SETTINGS, App, World

from tocsin.daemon import queries
from tocsin.daemon.queries import WatchFacts
from tocsin.daemon.store.models import History, Watch
from tocsin.daemon.store.source_models import ErrorSource
from tocsin.daemon.tickets.merge import merge
from tocsin.daemon.tickets.processes import write_off
from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import Lost

DAY = 24 * HOUR
UNHEARD, HEARD = wire.Observed(("shop",)), wire.Observed()


def status(world: World) -> str:
    return str(world.tickets()[0].status)


def checked(world: World) -> str:
    world.check()
    return status(world)


def watch_now(world: World) -> WatchFacts:
    found = queries.ticket(world.store, 1, world.config, world.now)
    assert found is not None
    assert found.watch is not None
    return found.watch


def closing(world: World) -> dict:
    return world.tickets()[0].metadata["watch"]


def asked(answer: wire.FromDaemon | None) -> tuple[tuple[str, int], ...] | None:
    """The loggers that an answer asks for, None where it asks for nothing new."""
    assert isinstance(answer, wire.Ack | wire.Welcome)
    return None if answer.watched is None else answer.watched.loggers


def told(answer: wire.FromDaemon | None) -> wire.Observed:
    """What a process tells that counts the functions it was asked for."""
    assert isinstance(answer, wire.Ack)
    assert answer.watched is not None
    return wire.Observed(
        runs=tuple(wire.FunctionRuns(one.error, one.caller) for one in answer.watched.functions)
    )


def worker(world: World, **more) -> App:
    return world.app(program="celery worker", **more)


def web(world: World, **more) -> App:
    return world.app(program="gunicorn", **more)


def job(world: World, arguments: str = "", **more) -> App:
    return world.app(program="import.py", arguments=arguments, **more)


class KindsContract:
    def test_a_dead_worker_beside_a_living_web_server_keeps_the_ticket_open(self, world: World):
        failing, living = worker(world), web(world)
        failing.fail(3)
        world.live(2 * DAY, living)
        assert checked(world) == "open"
        assert "celery worker" in watch_now(world).waiting_for

    def test_another_worker_of_the_kind_that_lives_is_enough(self, world: World):
        worker(world).fail(3)
        world.live(DAY, worker(world, pid=78))
        assert checked(world) == "closed"

    def test_the_pool_of_a_program_is_another_kind_than_the_program(self, world: World):
        worker(world, role="ForkPoolWorker").fail(3)
        world.live(DAY, worker(world))
        assert checked(world) == "open"

    def test_each_kind_that_logged_it_must_be_seen(self, world: World):
        one, other = worker(world), web(world)
        one.fail(2)
        other.fail(2)
        world.live(DAY, one)
        assert checked(world) == "open"
        world.live(DAY, one, other)
        assert checked(world) == "closed"

    def test_a_kind_that_logged_it_long_ago_need_not_be_seen(self, world: World):
        old, living = worker(world), web(world)
        old.fail(3)
        world.live(31 * DAY, living)
        living.fail(1)
        world.live(DAY, living)
        assert checked(world) == "closed"

    def test_a_handler_that_does_not_say_what_it_runs_in_is_any_process(self, world: World):
        world.app().fail(3)
        world.live(DAY, web(world))
        assert checked(world) == "closed"

    def test_a_program_that_replaces_the_one_that_is_gone_stands_for_it_and_the_closing_says_so(
        self, world: World
    ):
        world.app(program="pod1.py").fail(3)
        world.live(HOUR)
        after = world.app(program="pod2.py")
        world.live(2 * DAY, after)
        assert checked(world) == "open"
        world.live(2 * DAY, after)
        assert checked(world) == "closed"
        assert closing(world)["programs_gone"] == ["pod1.py"]
        with world.store.reading():
            assert "pod1.py" in History.get(History.action == "auto_closed").description

    def test_a_web_server_that_was_there_before_does_not_replace_a_worker(self, world: World):
        living, failing = web(world), worker(world)
        failing.fail(3)
        world.live(9 * DAY, living)
        assert checked(world) == "open"
        assert [kind for kind, _ in world.mails()].count("inconclusive") == 1

    def test_a_kind_whose_processes_somebody_wrote_off_is_waited_for_no_more(self, world: World):
        living, failing = web(world), worker(world)
        failing.fail(3)
        world.live(DAY, living)
        assert checked(world) == "open"
        write_off(world.store, failing.header.session, world.now)
        assert checked(world) == "closed"

    def test_errors_that_become_one_are_logged_by_whoever_logged_either(self, world: World):
        one, other = worker(world), web(world)
        one.fail(3)
        other.fail(3, function="stock")
        merge(world.store, world.config, 2, 1, "admin", world.now)
        with world.store.reading():
            known = {(row.error_id, row.program) for row in ErrorSource.select()}
        assert known == {(1, "celery worker"), (1, "gunicorn")}


class HeardContract:
    def test_time_in_which_its_logger_could_not_be_heard_is_not_counted_as_seen(self, world: World):
        app = world.app()
        app.fail(3)
        world.live(DAY / 2, app)
        app.heartbeat(observed=UNHEARD)
        world.live(DAY, app)
        assert checked(world) == "open"
        seen = watch_now(world)
        assert seen.seen_seconds == pytest.approx(DAY / 2, abs=HOUR)
        assert "the logger shop" in seen.waiting_for

    def test_a_logger_that_is_heard_again_counts_from_then_and_the_closing_says_the_gap(self, world: World):
        app = world.app()
        app.fail(3)
        app.heartbeat(observed=UNHEARD)
        world.live(4 * HOUR, app)
        app.heartbeat(observed=HEARD)
        world.live(DAY - 4 * HOUR, app)
        assert checked(world) == "open"
        world.live(4 * HOUR, app)
        assert checked(world) == "closed"
        assert closing(world)["untold_seconds"] == pytest.approx(4 * HOUR, abs=HOUR)
        with world.store.reading():
            assert "could not have reached" in History.get(History.action == "auto_closed").description

    def test_another_logger_that_is_not_heard_matters_to_no_silence_of_this_one(self, world: World):
        app = world.app()
        app.fail(3)
        app.heartbeat(observed=wire.Observed(("elsewhere",)))
        world.live(DAY, app)
        assert checked(world) == "closed"

    def test_a_second_process_that_hears_it_is_enough(self, world: World):
        deaf, hearing = world.app(), world.app(pid=78)
        deaf.fail(3)
        deaf.heartbeat(observed=UNHEARD)
        world.live(DAY, deaf, hearing)
        assert checked(world) == "closed"

    def test_the_daemon_asks_for_the_loggers_of_what_is_watched(self, world: World):
        app, other = world.app(), world.app("elsewhere")
        app.fail(3, logger="shop.orders")
        world.now += 60
        wanted = (("shop.orders", 40),)
        answer = app.heartbeat(observed=HEARD)
        assert asked(answer) == wanted
        assert asked(app.heartbeat(observed=told(answer))) is None
        assert asked(other.heartbeat(observed=HEARD)) is None
        assert asked(app.hello()) == wanted

    def test_what_is_watched_no_more_is_asked_for_no_more(self, world: World):
        app = world.app()
        app.fail(3)
        world.now += 60
        assert asked(app.heartbeat(observed=HEARD)) == (("shop", 40),)
        world.live(DAY, app)
        assert checked(world) == "closed"
        world.now += 60
        assert asked(app.heartbeat(observed=HEARD)) == ()


class LossContract:
    def test_a_known_loss_inside_the_silence_restarts_it(self, world: World):
        app, other = world.app(), world.app(pid=78)
        app.fail(3)
        world.live(DAY / 2, app)
        other.log(Lost("spool_full", 58))
        world.live(DAY - HOUR, app)
        assert checked(world) == "open"
        assert "were lost" in watch_now(world).waiting_for
        world.live(HOUR, app)
        assert checked(world) == "closed"

    def test_a_loss_of_another_service_restarts_nothing(self, world: World):
        app, other = world.app(), world.app("elsewhere")
        app.fail(3)
        world.live(DAY / 2, app)
        other.log(Lost("spool_full", 58))
        world.live(DAY / 2, app)
        assert checked(world) == "closed"

    def test_what_a_restored_database_lacks_is_a_loss_too(self, world: World):
        app = world.app()
        app.fail(3)
        world.live(DAY / 2, app)
        app.hello(oldest=app.end + 500)
        world.live(DAY / 2, app)
        assert checked(world) == "open"

    def test_a_loss_leaves_since_when_it_is_quiet_as_it_is(self, world: World):
        app = world.app()
        app.fail(3)
        began = world.now
        world.live(HOUR, app)
        app.log(Lost("spool_full", 1))
        world.live(HOUR, app)
        world.check()
        with world.store.reading():
            assert Watch.get().quiet_since == began


class BatchContract:
    def batch(self, world: World, **failing) -> None:
        world.configure({**SETTINGS, "service": [{"name": "shop", "kind": "batch"}]})
        run = job(world, **failing)
        run.fail(3)
        run.goodbye()
        world.live(DAY)

    def ended(self, world: World, run: App) -> str:
        world.live(60, run)
        run.goodbye()
        world.live(60)
        return checked(world)

    def test_the_same_program_with_the_same_arguments_is_the_run(self, world: World):
        self.batch(world, arguments="--shop 7")
        assert self.ended(world, job(world, "--shop 7")) == "closed"

    def test_a_command_s_help_is_no_run(self, world: World):
        self.batch(world)
        assert self.ended(world, job(world, "--help")) == "open"
        assert "a run of import.py" in watch_now(world).waiting_for

    def test_the_next_day_s_run_is_the_same_one(self, world: World):
        self.batch(world, arguments="--day 2026-11-27")
        assert self.ended(world, job(world, "--day 2026-11-28")) == "closed"

    def test_a_pool_s_child_that_ended_in_order_is_no_run(self, world: World):
        self.batch(world)
        assert self.ended(world, job(world, role="ForkPoolWorker")) == "open"

    def test_what_a_pool_s_child_logged_is_judged_by_the_whole_run(self, world: World):
        self.batch(world, role="ForkPoolWorker")
        assert self.ended(world, job(world, role="ForkPoolWorker")) == "open"
        assert self.ended(world, job(world)) == "closed"

    def test_a_killed_run_whose_adopter_says_goodbye_has_not_ended_in_order(self, world: World):
        self.batch(world)
        killed = job(world)
        world.live(60, killed)
        killed.live = False
        killed.hello()
        assert self.ended(world, killed) == "open"

    def test_a_run_that_ended_in_order_and_was_shipped_by_another_counts(self, world: World):
        self.batch(world)
        done = job(world, live=False)
        world.live(60)
        done.goodbye(ended_at=world.now)
        world.live(60)
        assert checked(world) == "closed"


class TestKindsOnSqlite(KindsContract):
    database = "sqlite"


class TestKindsOnPostgres(KindsContract):
    database = "postgres"


class TestHeardOnSqlite(HeardContract):
    database = "sqlite"


class TestHeardOnPostgres(HeardContract):
    database = "postgres"


class TestLossOnSqlite(LossContract):
    database = "sqlite"


class TestLossOnPostgres(LossContract):
    database = "postgres"


class TestBatchOnSqlite(BatchContract):
    database = "sqlite"


class TestBatchOnPostgres(BatchContract):
    database = "postgres"
