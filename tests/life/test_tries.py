"""Tries of coding agents: one at a time, renewed, ended with what they made or without anything; both databases."""

from __future__ import annotations

import threading

import pytest
from msgspec import structs
from support.world import SETTINGS, World

from tocsin.daemon import queries
from tocsin.daemon.corrections import tries
from tocsin.daemon.corrections.claims import ClaimError, claim
from tocsin.daemon.corrections.recording import CorrectionError, NewCorrection
from tocsin.daemon.corrections.tries import (
    LEASE,
    BudgetSpent,
    NoTry,
    TriedEnough,
    TryEnd,
    TryError,
    TryLost,
)
from tocsin.daemon.corrections.try_reasons import TEXTS, Because, UnknownReason, because, reason
from tocsin.daemon.language import language
from tocsin.daemon.tickets.manual import ManualError
from tocsin.daemon.tickets.merge import merge

PASSED = {"test_status": "passed", "test_results": {"status": "passed", "reproduced": True}}
CHANGE = NewCorrection(1, "orders.py", "return 1", "return 2", "", "robot", **PASSED)
DAY = 86400.0


def begun(world: World, error_id: int = 1, runner: str = "a:1", **more: object) -> int:
    world.now += 1
    row = tries.begin(
        world.store, world.config, error_id, agent="robot", runner=runner, by="ana", now=world.now, **more
    )
    return int(row.id)


def ended(world: World, number: int, state: str = "failed", runner: str = "a:1", **more: object) -> None:
    world.now += 1
    tries.end(world.store, world.config, number, runner, TryEnd(state, **more), world.now)


def states(world: World) -> list[str]:
    """Oldest first."""
    return [row.state for row in queries.tries(world.store)][::-1]


class TryContract:
    @pytest.fixture(autouse=True)
    def failing(self, world: World) -> None:
        world.app().fail(3)
        world.app().fail(3, function="weigh")

    def test_a_tried_error_is_nobody_elses_until_the_lease_ends(self, world: World):
        begun(world)
        with pytest.raises(TryError, match="robot is at error 1 "):
            begun(world, runner="b:2")
        with pytest.raises(ClaimError):
            claim(world.store, 1, "somebody", world.now)
        begun(world, 2, runner="b:2")
        world.now += LEASE
        begun(world, runner="b:2")
        assert states(world) == ["abandoned", "running", "running"]

    def test_a_sign_of_its_runner_keeps_it(self, world: World):
        number = begun(world)
        world.now += LEASE - 10
        tries.renew(world.store, number, "a:1", "test", world.now)
        world.now += LEASE - 10
        with pytest.raises(TryError, match="runner a:1"):
            begun(world, runner="b:2")

    def test_of_many_that_begin_at_once_one_does(self, world: World):
        won, refused = [], []

        def go(name: str) -> None:
            try:
                row = tries.begin(
                    world.store, world.config, 1, agent="robot", runner=name, by="ana", now=world.now
                )
                won.append(row.runner)
            except TryError as error:
                refused.append(error)
            finally:
                world.store.disconnect()

        threads = [threading.Thread(target=go, args=(f"runner {n}",)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(won), len(refused)) == (1, 5)

    def test_what_it_made_is_recorded_with_its_end(self, world: World):
        ended(world, begun(world), "corrected", changes=[CHANGE], branch="tocsin/error-1", revision="abc")
        (correction,) = queries.corrections(world.store, 1)
        assert (correction.applied_by, correction.test_status) == ("robot", "passed")
        (row,) = queries.tries(world.store)
        assert (row.state, row.branch, row.revision) == ("corrected", "tocsin/error-1", "abc")
        assert queries.claims(world.store, now=world.now) == []
        assert "validated" in world.history(world.tickets()[0])

    def test_an_end_that_is_refused_ends_nothing(self, world: World):
        number = begun(world)
        nothing = structs.replace(CHANGE, new_code="return 1")
        with pytest.raises(CorrectionError, match="correction 2"):
            ended(world, number, "corrected", changes=[CHANGE, nothing])
        assert (states(world), queries.corrections(world.store)) == (["running"], [])

    def test_who_lost_the_try_records_nothing(self, world: World):
        number = begun(world)
        world.now += LEASE
        begun(world, runner="b:2")
        with pytest.raises(TryLost, match="is over"):
            ended(world, number, "corrected", changes=[CHANGE])
        with pytest.raises(TryLost):
            tries.renew(world.store, number, "a:1", "test", world.now)
        with pytest.raises(NoTry):
            tries.renew(world.store, 99, "a:1", "test", world.now)
        assert queries.corrections(world.store) == []

    def test_after_two_that_failed_a_person_is_asked(self, world: World):
        ended(world, begun(world), reasons=[because("empty")])
        ended(world, begun(world), "refused")
        with pytest.raises(TriedEnough, match="error 1 was tried 2 times"):
            begun(world)
        begun(world, again=True)

    def test_what_broke_or_was_abandoned_is_no_failed_try(self, world: World):
        ended(world, begun(world), "broken")
        ended(world, begun(world), "broken")
        begun(world)
        world.now += LEASE
        begun(world)
        assert states(world) == ["broken", "broken", "abandoned", "running"]

    def test_a_correction_begins_the_count_again(self, world: World):
        ended(world, begun(world))
        ended(world, begun(world), "corrected", changes=[CHANGE])
        ended(world, begun(world))
        begun(world)

    def test_the_days_budget_is_everybodys(self, world: World):
        world.configure({**SETTINGS, "agent": {"per_day": 2}})
        ended(world, begun(world), "broken")
        ended(world, begun(world, 2, runner="b:2"), "broken", runner="b:2")
        with pytest.raises(BudgetSpent, match=r"agent\.per_day = 2"):
            begun(world)
        world.now += DAY
        begun(world)

    def test_somebodys_claim_keeps_agents_away(self, world: World):
        claim(world.store, 1, "bob", world.now)
        with pytest.raises(ClaimError, match="claimed by bob"):
            begun(world)

    def test_an_unknown_error_is_refused(self, world: World):
        with pytest.raises(ManualError, match="no error 99"):
            begun(world, 99)

    def test_its_reasons_read_in_both_languages(self, world: World):
        ended(world, begun(world), reasons=[because("protected", path="a.cfg", pattern="*.cfg")])
        (why,) = queries.tries(world.store)[0].reasons
        assert why == "a.cfg is protected (agent.protected: *.cfg)"
        assert why.said("fr").startswith("a.cfg est protégé")

    def test_the_tries_of_merged_errors_are_the_other_ones(self, world: World):
        ended(world, begun(world, 2))
        merge(world.store, world.config, 2, 1, "ana", world.now)
        assert [row.error_id for row in queries.tries(world.store)] == [1]


class TestSqlite(TryContract):
    database = "sqlite"


class TestPostgres(TryContract):
    database = "postgres"


@pytest.mark.parametrize(
    "given",
    [Because("%(x)s"), Because("empty", {"x": "y"}), Because("link"), Because("protected", {"path": "a"})],
    ids=lambda one: one.code,
)
def test_a_reason_that_is_not_known_is_refused(given: Because) -> None:
    with pytest.raises(UnknownReason):
        reason(given)


def test_a_fact_is_never_a_template() -> None:
    assert reason(because("link", path="%(y)s %s {0}")).startswith("%(y)s %s {0} is a link")


@pytest.mark.parametrize("text", TEXTS.values())
def test_every_reason_has_its_french(text: str) -> None:
    assert language("fr").gettext(text) != text
