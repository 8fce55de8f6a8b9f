"""A closing waits until the code has run in which the error happens; on both databases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.world import HOUR, SETTINGS, START, App, World, an_exception

from tocsin.daemon import queries
from tocsin.daemon.corrections import recording
from tocsin.daemon.corrections.recording import NewCorrection
from tocsin.daemon.outgoing import mail
from tocsin.daemon.outgoing.templating import Templates
from tocsin.daemon.queries import WatchFacts
from tocsin.daemon.store.models import Mail
from tocsin.daemon.ticket_wording import runs
from tocsin.handler.protocol.event import Lost
from tocsin.handler.protocol.wire import FunctionRuns, Observed

DAY = 24 * HOUR


def status(world: World) -> str:
    return str(world.tickets()[0].status)


def watch_now(world: World) -> WatchFacts:
    found = queries.ticket(world.store, 1, world.config, world.now)
    assert found is not None
    assert found.watch is not None
    return found.watch


def watched(world: World, begun: int = 40, **header: Any) -> App:
    """An application that counts, with a ticket, and so many runs before the silence: the last one failed."""
    app = world.app(**header)
    app.fail(3)
    world.now += 60
    app.ran(begun - 1)
    world.now += 60
    last = FunctionRuns(1, False, begun, START - HOUR)
    app.log(an_exception(world.now), observed=Observed(runs=(last, FunctionRuns(1, True))))
    app.ran(begun)
    return app


def told(world: World) -> list[str]:
    return [kind for kind, _ in world.mails() if kind == "inconclusive"]


class RunsContract:
    @pytest.fixture(autouse=True)
    def any_chance(self, world: World) -> None:
        world.configure({**SETTINGS, "watch": {"max_chance": 1.0}})

    def test_code_that_has_not_run_since_keeps_the_ticket_open(self, world: World):
        app = watched(world)
        world.live(5 * DAY, app)
        world.check()
        assert status(world) == "open"
        assert watch_now(world).waiting == {"kind": "not_exercised", "name": "shop.orders.price"}

    def test_it_closes_once_the_code_has_run(self, world: World):
        app = watched(world)
        world.live(2 * DAY, app)
        app.ran(41)
        world.check()
        assert status(world) == "closed"

    def test_as_many_runs_are_waited_for_as_the_setting_says(self, world: World):
        world.configure({**SETTINGS, "watch": {"min_runs": 10, "max_chance": 1.0}})
        app = watched(world)
        app.ran(49)
        world.live(2 * DAY, app)
        world.check()
        assert status(world) == "open"
        app.ran(50)
        world.check()
        assert status(world) == "closed"

    def test_none_are_waited_for_where_the_setting_says_so(self, world: World):
        world.configure({**SETTINGS, "watch": {"min_runs": 0, "max_chance": 1.0}})
        app = watched(world)
        world.live(2 * DAY, app)
        world.check()
        assert status(world) == "closed"

    @pytest.mark.parametrize("why", ["no_monitoring", "no_tool", "running", "no_function"])
    def test_a_process_that_cannot_count_holds_nothing_open(self, world: World, why: str):
        app, other = watched(world), world.app()
        other.ran(0, unknown=why)
        world.live(2 * DAY, app, other)
        world.check()
        assert status(world) == "closed"
        assert world.tickets()[0].metadata["watch"]["runs"]["unknown"] == why

    def test_a_process_of_an_older_handler_holds_nothing_open(self, world: World):
        app, older = watched(world), world.app()
        world.live(2 * DAY, app, older)
        world.check()
        assert status(world) == "closed"

    def test_a_command_that_ended_at_once_does_not_count_as_one_that_cannot_tell(self, world: World):
        app = watched(world)
        world.live(DAY, app)
        world.app().goodbye()
        world.live(DAY, app)
        world.check()
        assert status(world) == "open"

    def test_code_whose_module_is_nowhere_loaded_has_not_run(self, world: World):
        app, other = watched(world), world.app()
        other.ran(0, unknown="not_loaded")
        world.live(2 * DAY, app, other)
        world.check()
        assert status(world) == "open"

    def test_after_the_longest_time_the_admin_is_told_once_and_the_ticket_stays(self, world: World):
        app = watched(world)
        world.live(7 * DAY - HOUR, app)
        world.check()
        assert told(world) == []
        world.live(3 * HOUR, app)
        world.check()
        world.live(DAY, app)
        world.check()
        assert told(world) == ["inconclusive"]
        assert status(world) == "open"

    def test_the_closing_says_the_runs_and_the_chance_that_follows_from_them(self, world: World):
        app = watched(world)
        world.live(2 * DAY, app)
        app.ran(80)
        world.check()
        evidence: dict[str, Any] = world.tickets()[0].metadata["watch"]
        assert evidence["runs"] == {
            "function": "shop.orders.price", "since": 40, "before": 40, "failed": 1,
        }  # fmt: skip
        assert evidence["chance"] == 0.5

    def test_after_the_longest_time_the_admins_mail_says_what_has_not_run(self, world: World):
        app = watched(world)
        world.live(7 * DAY + HOUR, app)
        world.check()
        with world.store.reading():
            row = Mail.select().where(Mail.kind == "inconclusive").get()
        written = mail.write(row.kind, row.facts, audience="admin", spoken="en", templates=Templates())
        assert "Not exercised yet" in written.subject
        assert "shop.orders.price has not run since either" in " ".join(written.text.split())

    def test_the_ticket_says_the_runs_since_the_correction(self, world: World, tmp_path: Path):
        app = watched(world)
        world.now += 60
        (tmp_path / "orders.py").write_text("good\n")
        change = NewCorrection(1, "orders.py", "bad", "good", "", "copilot")
        recording.record(world.store, world.config, [change], project=tmp_path, now=world.now)
        world.live(HOUR, app)
        never = "shop.orders.price ran 0 times since the correction, failed 0; before: 1 in 40"
        assert runs(watch_now(world).runs) == never
        app.ran(41)
        expected = "shop.orders.price ran 1 time since the correction, failed 0; before: 1 in 40"
        assert runs(watch_now(world).runs) == expected

    def test_the_ticket_says_why_runs_are_not_known(self, world: World):
        app = world.app()
        app.fail(3)
        app.ran(0, unknown="no_monitoring")
        world.live(DAY, app)
        assert watch_now(world).runs == {"unknown": "no_monitoring"}

    def test_of_a_batch_service_a_run_that_ended_in_order_is_enough(self, world: World):
        world.configure({**SETTINGS, "service": [{"name": "shop", "kind": "batch"}]})
        watched(world).goodbye()
        world.live(DAY)
        run = world.app()
        run.ran(0)
        world.live(2 * HOUR, run)
        run.goodbye()
        world.check()
        assert status(world) == "closed"

    def test_by_the_clock_alone_no_runs_are_asked_for(self, world: World):
        world.configure({**SETTINGS, "watch": {"evidence": "clock"}})
        app = watched(world)
        world.live(2 * DAY, app)
        world.check()
        assert status(world) == "closed"


WEB, WORKER = {"program": "gunicorn"}, {"program": "celery worker", "pid": 78}


def fixed_in_2(world: World, **kind: Any) -> App:
    """The watched application, of release 1 (0 is known too), whose error is corrected in release 2."""
    world.app(release="0").goodbye()
    world.now += 1
    app = watched(world, release="1", **kind)
    change = NewCorrection(1, "orders.py", "bad", "good", "", "copilot", fixed_in="2")
    world.now += 60
    recording.record(world.store, world.config, [change], project=None, now=world.now)
    return app


class WhoseRunsContract:
    def test_runs_in_a_kind_of_process_that_never_logged_it_do_not_count(self, world: World):
        worker, web = watched(world, **WORKER), world.app(**WEB)
        web.ran(500)
        world.live(2 * DAY, worker, web)
        web.ran(900)
        world.check()
        assert (status(world), watch_now(world).runs["since"]) == ("open", 0)
        worker.ran(41)
        world.check()
        assert status(world) == "closed"

    def test_a_kind_that_never_logged_it_and_cannot_count_holds_the_numbers_of_the_others_not_up(
        self, world: World
    ):
        worker, web = watched(world, **WORKER), world.app(**WEB)
        web.ran(0, unknown="no_monitoring")
        world.live(2 * DAY, worker, web)
        world.check()
        assert status(world) == "open"

    def test_each_kind_that_logged_it_must_have_run_it(self, world: World):
        worker, web = watched(world, **WORKER), world.app(**WEB)
        web.ran(5)
        web.fail(1)
        world.now += 60
        web.ran(6)
        world.live(2 * DAY, worker, web)
        web.ran(90)
        world.check()
        assert status(world) == "open"
        worker.ran(41)
        world.check()
        assert status(world) == "closed"
        kinds = world.tickets()[0].metadata["watch"]["runs"]["kinds"]
        assert {one["name"]: one["since"] > 0 for one in kinds} == {"gunicorn": True, "celery worker": True}

    def test_runs_of_the_release_without_the_correction_do_not_count(self, world: World):
        old = fixed_in_2(world)
        new = world.app(release="2", pid=78)
        new.ran(0)
        world.live(2 * DAY, old, new)
        old.ran(500)
        world.check()
        assert status(world) == "in_progress"
        assert watch_now(world).waiting == {"kind": "not_exercised", "name": "shop.orders.price"}
        new.ran(3)
        world.check()
        assert status(world) == "closed"

    def test_clean_runs_of_the_old_release_are_runs_before_the_correction(self, world: World):
        old = fixed_in_2(world)
        new = world.app(release="2", pid=78)
        new.ran(0)
        world.live(HOUR, old, new)
        old.ran(500)
        new.ran(20)
        seen = watch_now(world)
        assert (seen.runs["before"], seen.runs["since"], seen.runs["failed"]) == (500, 20, 1)
        assert seen.chance == 500 / 520

    def test_a_later_release_than_that_of_the_correction_counts_too(self, world: World):
        old = fixed_in_2(world)
        for release in ("2", "3"):
            world.live(HOUR, old)
            new = world.app(release=release, pid=78)
        new.ran(0)
        new.ran(4)
        assert watch_now(world).runs["since"] == 4

    def test_while_the_release_is_waited_for_no_run_is_one_since_the_correction(self, world: World):
        old = fixed_in_2(world)
        world.live(HOUR, old)
        old.ran(500)
        assert watch_now(world).runs["since"] == 0

    def test_runs_before_a_known_loss_do_not_count(self, world: World):
        app = watched(world)
        world.live(HOUR, app)
        app.ran(60)
        world.app(pid=78).log(Lost("spool_full", 58))
        world.live(2 * DAY, app)
        world.check()
        assert (status(world), watch_now(world).runs["since"]) == ("open", 0)
        app.ran(61)
        world.check()
        assert status(world) == "closed"

    def test_the_earliest_closing_follows_from_the_pace_of_the_runs(self, world: World):
        world.configure({**SETTINGS, "watch": {"max_chance": 0.25}})
        app = watched(world)
        began = world.now
        world.live(DAY, app)
        app.ran(80)  # As many as before in a day: the chance is 1/2, and 1/4 after twice as many again.
        earliest = watch_now(world).earliest_close
        assert earliest == pytest.approx(began + 3 * DAY, abs=HOUR)
        world.check()
        with world.store.reading():
            noted = queries.watches(world.store, world.config, None, world.now)[1]
        assert (noted.earliest_close, noted.chance) == (earliest, 0.5)

    def test_what_a_check_found_is_forgotten_when_the_watch_restarts(self, world: World):
        app = watched(world)
        world.live(DAY / 2, app)
        world.check()
        app.fail(1)
        noted = queries.watches(world.store, world.config, None, world.now)[1]
        assert (noted.runs, noted.earliest_close) == ({}, world.now + DAY)


class BurstContract:
    def test_failures_of_one_hour_count_as_one_for_the_chance(self, world: World):
        app = watched(world)
        for _ in range(5):
            world.now += 1
            app.fail(1)
        app.ran(46)
        world.live(2 * HOUR, app)
        app.ran(91)
        seen = watch_now(world)
        assert (seen.runs["failed"], seen.runs["failing_hours"]) == (6, 1)
        assert seen.chance == pytest.approx(seen.runs["before"] / (seen.runs["before"] + seen.runs["since"]))


class TestSqlite(RunsContract, WhoseRunsContract, BurstContract):
    database = "sqlite"


class TestPostgres(RunsContract, WhoseRunsContract, BurstContract):
    database = "postgres"
