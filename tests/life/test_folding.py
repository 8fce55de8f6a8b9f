"""Sessions that are over become hours of their kind, and a silence is judged as before."""

from __future__ import annotations

import pytest
from support.world import HOUR, SETTINGS, App, World

from tocsin.daemon.operations.folding import Folding
from tocsin.daemon.store import folding
from tocsin.daemon.store.hour_models import AliveHour
from tocsin.daemon.store.models import AliveInterval, Session
from tocsin.daemon.tickets.watch import finding
from tocsin.handler.protocol import wire

DAY = 24 * HOUR
BATCH = {**SETTINGS, "service": [{"name": "shop", "kind": "batch"}]}


def fold(world: World) -> int:
    return Folding(world.store).run(world.now)


def life(world: World, seconds: float, **more: object) -> App:
    """A process that lives so long and says goodbye."""
    app = world.app(program="shop.py", **more)
    world.live(seconds, app)
    app.goodbye()
    return app


def rows(world: World, table: type) -> list:
    with world.store.reading():
        return list(table.select())


class FoldingContract:
    def test_a_session_that_ended_in_order_leaves_its_hours_and_its_watermark(self, world: World):
        app = life(world, 2 * HOUR)
        watermark = rows(world, Session)[0].watermark
        world.live(7 * HOUR)
        assert fold(world) == 1
        assert rows(world, AliveInterval) == []
        assert sum(
            end - start for one in rows(world, AliveHour) for start, end in one.pieces
        ) == pytest.approx(2 * HOUR, abs=1)
        assert isinstance(answer := app.hello(), wire.Welcome)
        assert answer.watermark == watermark

    def test_one_that_lives_holds_something_back_or_was_heard_lately_is_not_folded(self, world: World):
        ended_late = world.app()
        world.app().goodbye(backlog=100)
        alive = world.app()
        world.live(7 * HOUR, alive, ended_late)
        ended_late.goodbye()
        assert fold(world) == 0

    def test_a_folded_session_that_is_heard_again_counts_by_itself_again(self, world: World):
        app = life(world, HOUR)
        world.live(7 * HOUR)
        fold(world)
        app.hello()
        assert [one.folded_at for one in rows(world, Session)] == [None]

    def test_folding_changes_no_finding(self, world: World):
        failing = world.app(program="shop.py")
        failing.fail(3)
        failing.goodbye()
        for _ in range(20):
            life(world, HOUR / 3)
            world.live(HOUR / 3)
        world.live(7 * HOUR)
        error = world.errors()[0].id
        before = finding(world.store, world.config, error, world.now)
        assert fold(world) == 21
        after = finding(world.store, world.config, error, world.now)
        assert before.seen_seconds > 6 * HOUR
        assert after.seen_seconds == pytest.approx(before.seen_seconds, abs=21)
        assert (after.verdict, after.waiting, after.quiet_seconds) == (
            before.verdict, before.waiting, before.quiet_seconds,
        )  # fmt: skip

    def test_pieces_of_sessions_that_are_folded_one_after_the_other_count_once(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ):
        beside = [world.app(program="shop.py") for _ in range(3)]
        world.live(HOUR, *beside)
        for app in beside:
            app.goodbye()
        world.live(7 * HOUR)
        monkeypatch.setattr(folding, "AT_ONCE", 1)
        assert fold(world) == 3
        assert sum(
            end - start for one in rows(world, AliveHour) for start, end in one.pieces
        ) == pytest.approx(HOUR, abs=1)

    def test_a_ticket_of_a_batch_service_closes_on_runs_that_are_folded(self, world: World):
        world.configure(BATCH)
        failing = world.app(program="job.py")
        failing.fail(3)
        failing.goodbye()
        world.live(HOUR)
        run = world.app(program="job.py")
        run.goodbye()
        world.live(DAY)
        assert fold(world) == 2
        world.check()
        assert world.tickets()[0].status == "closed"

    def test_hours_in_the_future_are_forgotten_when_the_clock_is_set_back(self, world: World):
        life(world, HOUR)
        world.live(7 * HOUR)
        fold(world)
        with world.store.transaction():
            folding.cut(world.now - 30 * DAY)
        assert rows(world, AliveHour) == []


class TestFoldingOnSqlite(FoldingContract):
    database = "sqlite"


class TestFoldingOnPostgres(FoldingContract):
    database = "postgres"
