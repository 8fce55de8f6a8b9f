"""What a watch waits for, what its closing says, and how it stands at any moment; on both databases."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import pytest
from support.world import HOUR, SETTINGS, App, World, an_exception

from tocsin.daemon import queries
from tocsin.daemon.corrections import recording
from tocsin.daemon.corrections.recording import NewCorrection
from tocsin.daemon.queries import WatchFacts
from tocsin.daemon.store import errors, regrouping, sessions
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Correction, History, Session
from tocsin.daemon.tickets.chance import Before, of_silence, units_until
from tocsin.daemon.tickets.processes import write_off

DAY = 24 * HOUR


def with_one_lost(world: World) -> tuple[App, App]:
    """A process that has logged an error, and another whose last word was a backlog."""
    app, lost = world.app(), world.app()
    app.fail(3)
    lost.heartbeat(backlog=700)
    return app, lost


def gone(world: World) -> list[int]:
    """Process ids that the closing names as written off."""
    return [one["pid"] for one in world.tickets()[0].metadata["watch"].get("gone", [])]


def settings(world: World, **sections: object) -> None:
    world.configure({**SETTINGS, **sections})


def watch_now(world: World, ticket_id: int = 1) -> WatchFacts:
    found = queries.ticket(world.store, ticket_id, world.config, world.now)
    assert found is not None
    assert found.watch is not None
    return found.watch


def status(world: World) -> str:
    return str(world.tickets()[0].status)


def corrected(world: World, project: Path, new: str = "good") -> None:
    (project / "orders.py").write_text(f"{new}\n")
    change = NewCorrection(1, "orders.py", "bad", new, "", "copilot")
    recording.record(world.store, world.config, [change], project=project, now=world.now)


def rare(world: World) -> App:
    """An application with an error that comes every four days; it has just come."""
    app = world.app()
    app.fail(3)
    for _ in range(3):
        world.live(4 * DAY, app)
        app.fail(1)
    return app


class WatchContract:
    def test_the_watch_is_told_as_of_now_without_a_round(self, world: World):
        app = world.app()
        app.fail(3)
        began = world.now
        world.live(6 * HOUR, app)
        seen = watch_now(world)
        assert (seen.started_at, seen.quiet_since, seen.required_seconds) == (began, began, DAY)
        assert seen.seen_seconds == 6 * HOUR
        assert seen.earliest_close == began + DAY
        assert "full time" in seen.waiting_for

    def test_time_in_which_it_was_not_seen_puts_the_earliest_closing_off(self, world: World):
        app = world.app()
        app.fail(3)
        world.live(2 * HOUR, app)
        world.live(20 * HOUR)
        seen = watch_now(world)
        assert seen.seen_seconds == 2 * HOUR
        assert seen.earliest_close == world.now + 0.9 * DAY - 2 * HOUR
        world.live(3 * HOUR)
        assert "seen alive" in watch_now(world).waiting_for

    def test_nothing_is_waited_for_when_the_next_round_will_close(self, world: World):
        app = world.app()
        app.fail(3)
        world.live(DAY + 60, app)
        seen = watch_now(world)
        assert (seen.waiting_for, seen.earliest_close) == ("", world.now)
        world.check()
        assert status(world) == "closed"

    def test_time_without_a_daemon_puts_the_earliest_closing_off(self, world: World):
        app = world.app()
        app.fail(3)
        world.live(2 * HOUR, app)
        world.down(5 * HOUR)
        app.heartbeat()
        assert watch_now(world).earliest_close == world.now + 22 * HOUR

    def test_a_batch_service_closes_after_one_run_in_order(self, world: World):
        settings(world, service=[{"name": "shop", "kind": "batch"}])
        run = world.app()
        run.fail(3)
        run.goodbye()
        world.live(DAY)
        world.check()
        assert status(world) == "open"
        assert "run that begins" in watch_now(world).waiting_for
        run = world.app()
        world.live(60, run)
        world.check()
        assert status(world) == "open"
        run.goodbye()
        world.check()
        assert status(world) == "closed"

    def test_a_batch_run_that_logs_the_error_or_is_killed_closes_nothing(self, world: World):
        settings(world, service=[{"name": "shop", "kind": "batch"}])
        run = world.app()
        run.fail(3)
        run.goodbye()
        failing = world.app()
        world.live(60, failing)
        failing.fail(1)
        failing.goodbye()
        world.live(DAY)
        world.app()
        world.live(60)
        world.check()
        assert status(world) == "open"

    def test_the_bare_clock_closes_without_the_application_and_says_so(self, world: World):
        settings(world, watch={"evidence": "clock"})
        world.app().fail(3)
        world.live(DAY)
        world.check()
        ticket = world.tickets()[0]
        assert (ticket.status, ticket.metadata["watch"]["evidence"]) == ("closed", "clock")
        assert ticket.metadata["watch"]["seen_seconds"] == 0

    def test_a_closing_states_its_evidence_and_the_chance_of_the_silence(self, world: World):
        app = world.app(age=2 * HOUR)
        app.fail(3, every=HOUR / 2)
        world.live(DAY, app)
        world.check()
        said = world.tickets()[0].metadata["watch"]
        assert (said["watched_seconds"], said["seen_seconds"]) == (DAY, DAY)
        # The first hour was chosen by the error itself; it came in the next one too, within an hour.
        shares, gaps = of_silence(Before(1.0, 0.0), 24.0), of_silence(Before(1.0, 0.0, [1.0]), 24.0)
        assert shares < said["chance"] < gaps

    def test_a_largest_chance_asks_for_a_longer_watch(self, world: World):
        settings(world, watch={"max_chance": 0.05})
        app = world.app()
        app.fail(3, every=0.0)
        world.live(DAY, app)
        world.check()
        assert "still likely" in watch_now(world).waiting_for
        needed = units_until(Before(0.0, 0.0), 0.05) * HOUR
        assert watch_now(world).earliest_close == pytest.approx(world.now - DAY + needed)
        world.live(needed - DAY + 60, app)
        world.check()
        assert status(world) == "closed"

    def test_a_rare_error_without_a_correction_waits_longer_than_a_day(self, world: World):
        settings(world, watch={"max_chance": 0.2})
        app = rare(world)
        world.live(DAY, app)
        world.check()
        assert status(world) == "open"
        assert "still likely" in watch_now(world).waiting_for

    def test_a_rare_error_that_is_corrected_closes_after_a_day(self, world: World, tmp_path: Path):
        settings(world, watch={"max_chance": 0.2})
        app = rare(world)
        corrected(world, tmp_path)
        world.live(DAY, app)
        world.check()
        assert status(world) == "closed"

    def test_pending_tests_hold_nothing_and_the_closing_says_so(self, world: World, tmp_path: Path):
        app = world.app()
        app.fail(3)
        corrected(world, tmp_path)
        world.live(DAY, app)
        world.check()
        assert world.tickets()[0].metadata["watch"]["verified_by_tests"] is False
        with world.store.reading():
            said = History.get(History.action == "auto_closed").description
        assert "not verified by tests" in said

    def test_after_failed_tests_a_new_correction_lets_the_ticket_close(self, world: World, tmp_path: Path):
        app = world.app()
        app.fail(3)
        corrected(world, tmp_path)
        with world.store.transaction():
            Correction.update(test_status="failed").execute()
        world.live(DAY, app)
        assert "tests pass" in watch_now(world).waiting_for
        corrected(world, tmp_path, "better")
        world.live(DAY, app)
        world.check()
        assert status(world) == "closed"

    def test_a_process_unheard_for_three_days_is_written_off_and_the_closing_names_it(self, world: World):
        app, _ = with_one_lost(world)
        world.live(3 * DAY - HOUR, app)
        world.check()
        assert "process 77 on web1" in watch_now(world).waiting_for
        world.live(2 * HOUR, app)
        world.check()
        assert status(world) == "closed"
        assert gone(world) == [77]

    def test_a_process_that_somebody_wrote_off_holds_no_ticket_open(self, world: World):
        app, lost = with_one_lost(world)
        world.live(DAY, app)
        world.check()
        assert status(world) == "open"
        write_off(world.store, lost.header.session, world.now)
        world.check()
        assert status(world) == "closed"
        assert gone(world) == [77]

    def test_a_written_off_process_that_is_heard_again_is_waited_for_again(self, world: World):
        app, lost = with_one_lost(world)
        write_off(world.store, lost.header.session, world.now)
        lost.heartbeat(backlog=700)
        world.live(DAY, app)
        world.check()
        assert status(world) == "open"

    def test_an_unheard_process_of_an_ephemeral_service_is_written_off_after_half_an_hour(self, world: World):
        settings(world, service=[{"name": "shop", "ephemeral": True}])
        app, _ = with_one_lost(world)
        world.live(DAY, app)
        world.check()
        assert status(world) == "closed"
        assert gone(world) == [77]

    def test_a_backlog_told_between_the_check_s_two_looks_holds_the_ticket_open(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ):
        app, other = world.app(), world.app()
        app.fail(3)
        world.live(DAY, app, other)

        def meanwhile(store: Store, error_ids: list[int]) -> None:
            Session.update(backlog=700).where(Session.id == other.header.session).execute()
            lock(store, error_ids)

        lock = errors.lock
        monkeypatch.setattr(errors, "lock", meanwhile)
        world.check()
        assert status(world) == "open"

    def test_a_closing_of_which_nothing_is_missing_names_no_process(self, world: World):
        app = world.app()
        app.fail(3)
        world.live(DAY, app)
        world.check()
        assert gone(world) == []

    def test_a_host_lost_long_before_the_silence_holds_no_later_ticket_open(self, world: World):
        app, lost = world.app(), world.app()
        lost.heartbeat(backlog=700)
        world.live(3 * DAY + HOUR, app)
        app.fail(3)
        world.live(DAY, app)
        world.check()
        assert status(world) == "closed"

    def test_what_a_lost_process_left_behind_ends_the_waiting_when_it_is_shipped(self, world: World):
        app, lost = with_one_lost(world)
        world.live(DAY, app)
        world.check()
        assert status(world) == "open"
        lost.live = False
        lost.hello()
        lost.goodbye()
        world.check()
        assert status(world) == "closed"

    def test_a_process_lost_in_a_downtime_from_within_which_the_silence_counts_blocks(self, world: World):
        app, lost = world.app(), world.app()
        app.fail(3)
        world.live(60, app, lost)
        went_down = world.now
        world.down(HOUR)
        app.log(an_exception(went_down + HOUR / 2))
        world.live(DAY, app)
        world.check()
        assert status(world) == "open"
        assert "hold back" in watch_now(world).waiting_for

    def test_the_daemon_down_for_thirty_hours_closes_nothing_and_late_events_count_at_their_time(
        self, world: World
    ):
        app = world.app()
        app.fail(3)
        world.live(HOUR, app)
        went_down = world.now
        world.down(30 * HOUR)
        world.check()
        assert status(world) == "open"
        app.log(an_exception(went_down + 10 * HOUR))
        assert watch_now(world).quiet_since == went_down + 10 * HOUR
        world.live(23 * HOUR, app)
        world.check()
        assert status(world) == "open"
        world.live(HOUR, app)
        world.check()
        assert status(world) == "closed"

    def test_of_a_service_that_runs_all_the_time_no_process_that_ended_in_order_is_read(self, world: World):
        running, ended, gone_with_more = world.app(), world.app(), world.app()
        ended.goodbye()
        gone_with_more.goodbye(backlog=100)
        with world.store.reading():
            read = sessions.heard_since("shop", "production", 0.0, settled=False)
        assert {one.id for one in read} == {running.header.session, gone_with_more.header.session}

    def test_a_round_reads_once_where_a_service_was_seen_however_many_tickets_it_closes(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ):
        app = world.app()
        for function in ("price", "stock", "ship"):
            app.fail(3, function=function)
        world.live(DAY, app)
        asked: list[str] = []
        alive = sessions.alive
        monkeypatch.setattr(sessions, "alive", lambda *place: asked.append(place[0]) or alive(*place))
        world.check()
        assert [str(ticket.status) for ticket in world.tickets()] == ["closed"] * 3
        assert asked == ["shop"]

    def test_aliases_that_cannot_be_looked_at_stop_no_check(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ):
        app = world.app()
        app.fail(3)
        world.live(DAY, app)
        monkeypatch.setattr(regrouping, "last_seen_as_another", Mock(side_effect=OSError("away")))
        world.check()
        assert world.tickets()[0].status == "closed"


class TestWatchOnSqlite(WatchContract):
    database = "sqlite"


class TestWatchOnPostgres(WatchContract):
    database = "postgres"
