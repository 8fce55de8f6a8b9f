"""Corrections and releases: what is waited for, whose occurrences count, and who closes; both databases."""

from __future__ import annotations

import pytest
from support.world import HOUR, SETTINGS, App, World

from tocsin.daemon import queries
from tocsin.daemon.corrections import recording
from tocsin.daemon.corrections.recording import NewCorrection, Recorded
from tocsin.daemon.queries import WatchFacts
from tocsin.daemon.queries.deployments import all_since
from tocsin.daemon.tickets.deployments import DeploymentError, deployed
from tocsin.daemon.tickets.manual import Manual
from tocsin.daemon.tickets.releases import FixedIn, fixed_in

DAY = 24 * HOUR
OUT = [("1", 10.0), ("2", 20.0), ("3", 30.0)]


def corrected(world: World, release: str | None = None, code: str = "good") -> Recorded:
    change = NewCorrection(1, "orders.py", "bad", code, "", "copilot", fixed_in=release)
    return recording.record(world.store, world.config, [change], project=None, now=world.now)[0]


def out(world: World, release: str) -> list[tuple[str, bool]]:
    return deployed(world.store, "shop", release, "ci", world.now)


def watch_now(world: World) -> WatchFacts:
    found = queries.ticket(world.store, 1, world.config, world.now)
    assert found is not None
    assert found.watch is not None
    return found.watch


def checked(world: World) -> str:
    world.check()
    return str(world.tickets()[0].status)


def mailed(world: World) -> list[str]:
    return [kind for kind, _ in world.mails()]


def failing(world: World, release: str = "1") -> App:
    """A process of the old release, whose error has a ticket; an older release is known too."""
    world.app(release="0").goodbye()
    world.now += 1
    app = world.app(release=release)
    app.fail(3)
    return app


def test_a_named_release_that_is_out_has_the_correction_since_then() -> None:
    assert fixed_in("2", 25.0, OUT) == FixedIn("2", 20.0, frozenset({"1"}))


def test_a_named_release_that_is_not_out_is_waited_for_and_every_other_lacks_it() -> None:
    fix = fixed_in("4", 25.0, OUT)
    assert fix == FixedIn("4", None)
    assert [fix.lacks(one) for one in ("1", "3", None)] == [True, True, True]


def test_without_a_name_the_next_release_has_it() -> None:
    fix = fixed_in(None, 15.0, OUT)
    assert fix == FixedIn("2", 20.0, frozenset({"1"}))
    assert [fix.lacks(one) for one in ("1", "2", "3", None)] == [True, False, False, False]


def test_without_a_next_release_one_is_waited_for() -> None:
    assert fixed_in(None, 35.0, OUT) == FixedIn("", None)


@pytest.mark.parametrize("known", [[], [("1", 10.0)]])
def test_a_service_that_has_no_two_releases_is_not_waited_for(known: list[tuple[str, float]]) -> None:
    assert fixed_in(None, 35.0, known) is None


class ReleaseContract:
    def test_a_correction_waits_for_the_next_release_before_its_watch_begins(self, world: World):
        app = failing(world)
        assert corrected(world).waits_for == ""
        world.live(2 * DAY, app)
        assert checked(world) == "in_progress"
        assert "next release" in watch_now(world).waiting_for
        newer = world.app(release="2", pid=78)
        world.live(DAY - 60, newer)
        assert checked(world) == "in_progress"
        world.live(60, newer)
        assert checked(world) == "closed"

    def test_a_correction_waits_for_the_release_that_was_named(self, world: World):
        failing(world)
        assert corrected(world, "3").waits_for == "3"
        newer = world.app(release="2")
        world.live(DAY, newer)
        assert checked(world) == "in_progress"
        assert "release 3" in watch_now(world).waiting_for
        out(world, "3")
        world.live(DAY, world.app(release="3"))
        assert checked(world) == "closed"

    def test_a_release_that_is_said_to_be_out_begins_the_watch(self, world: World):
        app = failing(world)
        corrected(world)
        world.live(60, app)
        assert out(world, "2") == [("production", True)]
        newer = world.app(release="2")
        world.live(DAY, app, newer)
        assert checked(world) == "closed"

    def test_until_its_release_is_out_the_error_is_no_reappearance_and_mails_nobody(self, world: World):
        app = failing(world)
        corrected(world, "2")
        before = mailed(world)
        for _ in range(3):
            world.live(2 * HOUR, app)
            app.fail(1)
        assert "reappeared" not in world.history(world.tickets()[0])
        assert mailed(world) == before
        assert watch_now(world).quiet_since == world.now

    def test_what_an_older_release_says_restarts_no_watch(self, world: World):
        app = failing(world)
        corrected(world, "2")
        newer = world.app(release="2", pid=78)
        world.live(DAY / 2, app, newer)
        app.fail(1)
        world.live(DAY / 2, app, newer)
        assert checked(world) == "closed"
        assert "reappeared" not in world.history(world.tickets()[0])

    def test_what_an_older_release_says_never_reopens(self, world: World):
        app = failing(world)
        corrected(world, "2")
        newer = world.app(release="2", pid=78)
        world.live(DAY, app, newer)
        assert checked(world) == "closed"
        app.fail(1)
        assert world.tickets()[0].status == "closed"
        assert "old_code_running" in world.history(world.tickets()[0])

    def test_what_the_new_release_says_is_a_reappearance_and_reopens(self, world: World):
        failing(world)
        corrected(world, "2")
        newer = world.app(release="2", pid=78)
        world.live(HOUR, newer)
        newer.fail(1)
        assert "reappeared" in world.history(world.tickets()[0])
        world.live(DAY, newer)
        assert checked(world) == "closed"
        newer.fail(1)
        assert world.tickets()[0].status == "open"

    def test_the_silence_of_an_old_release_says_nothing_of_the_new_one(self, world: World):
        app = failing(world)
        corrected(world, "2")
        out(world, "2")
        world.live(2 * DAY, app)
        assert checked(world) == "in_progress"

    def test_of_a_service_with_one_release_the_watch_begins_at_once(self, world: World):
        app = world.app(release="1")
        app.fail(3)
        assert corrected(world).waits_for is None
        world.live(DAY, app)
        assert checked(world) == "closed"

    def test_a_release_that_never_comes_is_told_once(self, world: World):
        app = failing(world)
        corrected(world)
        for _ in range(2):
            world.live(3 * DAY, app)
            world.check()
        assert mailed(world).count("inconclusive") == 1

    def test_the_same_correction_with_its_release_named_later_waits_for_that_one(self, world: World):
        failing(world)
        corrected(world)
        again = corrected(world, "7")
        assert (again.fresh, again.waits_for) == (False, "7")

    def test_an_error_says_in_which_releases_it_was_seen_and_since_when(self, world: World):
        failing(world)
        first = world.now
        world.now += HOUR
        world.app(release="2").fail(1)
        found = queries.error(world.store, 1)
        assert found is not None
        assert [(one.release, one.last_seen) for one in found.seen_in] == [("1", first), ("2", world.now)]
        assert [one.release for one in found.deployments][-2:] == ["1", "2"]
        assert [one.text for one in found.timeline if one.kind == "deployed"][-2:] == ["1", "2"]

    def test_a_release_is_out_in_each_environment_where_the_service_was_heard(self, world: World):
        world.app(environment="production")
        world.app(environment="staging")
        assert out(world, "2") == [("production", True), ("staging", True)]
        assert out(world, "2") == [("production", False), ("staging", False)]

    def test_a_service_that_was_never_heard_may_have_a_release(self, world: World):
        assert deployed(world.store, "new", "1", "ci", world.now) == [("", True)]

    @pytest.mark.parametrize("words", [("", "1"), ("shop", " "), ("shop", "x" * 201)])
    def test_nonsense_is_refused(self, world: World, words: tuple[str, str]):
        with pytest.raises(DeploymentError):
            deployed(world.store, *words, "ci", world.now)

    def test_the_first_process_of_a_release_that_is_told_late_was_there_when_it_began(self, world: World):
        world.app(release="1")
        world.now += HOUR
        world.app(release="2")
        world.app(release="2", live=False, age=2 * HOUR)
        with world.store.reading():
            assert [one.release for one in all_since(world.store, 0.0)] == ["2", "1"]


class GateContract:
    def critical(self, world: World) -> App:
        app = world.app()
        app.fail(3)
        Manual(world.store, world.config).change(1, "ana", world.now, priority="critical")
        return app

    def test_a_critical_ticket_is_closed_by_hand_and_the_admin_is_mailed_once_that_it_is_ready(
        self, world: World
    ):
        app = self.critical(world)
        world.live(DAY, app)
        for _ in range(3):
            assert checked(world) == "open"
            world.live(HOUR, app)
        assert mailed(world).count("ready") == 1
        assert "person" in watch_now(world).waiting_for
        assert world.history(world.tickets()[0]).count("ready") == 1
        Manual(world.store, world.config).close(1, "ana", world.now)
        assert world.tickets()[0].status == "closed"

    def test_a_reappearance_makes_it_ready_again_later(self, world: World):
        world.configure({**SETTINGS, "watch": {"max_chance": 1.0}})
        app = self.critical(world)
        for _ in range(2):
            world.live(DAY, app)
            world.check()
            app.fail(1)
        assert mailed(world).count("ready") == 2

    def test_the_tickets_of_other_priorities_close_by_themselves_beside_it(self, world: World):
        app = world.app()
        app.fail(3, client="acme")
        app.fail(1, client="martin")
        Manual(world.store, world.config).change(1, "ana", world.now, priority="critical")
        world.live(DAY, app)
        world.check()
        assert [one.status for one in world.tickets()] == ["open", "closed"]
        world.check()
        assert mailed(world).count("ready") == 1
        assert not world.errors()[0].resolved

    def test_without_the_gate_a_critical_ticket_closes_by_itself(self, world: World):
        world.configure({**SETTINGS, "watch": {"critical": "auto"}})
        app = self.critical(world)
        world.live(DAY, app)
        assert checked(world) == "closed"


class TestReleasesOnSqlite(ReleaseContract):
    database = "sqlite"


class TestReleasesOnPostgres(ReleaseContract):
    database = "postgres"


class TestGateOnSqlite(GateContract):
    database = "sqlite"


class TestGateOnPostgres(GateContract):
    database = "postgres"
