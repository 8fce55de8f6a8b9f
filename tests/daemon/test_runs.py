"""What the runs of a function say of its error's silence."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.daemon import ticket_wording
from tocsin.daemon.language import language
from tocsin.daemon.tickets.runs import (
    Counted,
    KindRuns,
    Reported,
    Runs,
    chance,
    known,
    not_exercised,
    times_until,
    together,
)

PLACE = Counted(False, "shop.orders", "price", begun=1572, before=40, failed=1)
CALLER = Counted(True, "shop.views", "checkout", begun=90, before=80, failed=2)
COUNTS = [Reported(False), Reported(True)]
counts = st.integers(0, 10**12)


def ran(since: int, before: int = 40, failed: int = 1, **more: str) -> Runs:
    return Runs("shop.orders.price", since, before, failed, **more)


def test_the_runs_of_the_function_are_told_before_and_since() -> None:
    assert known([PLACE, CALLER], [COUNTS]) == ran(1532)


def test_where_the_function_is_gone_its_callers_runs_are_told() -> None:
    gone = Counted(False, "shop.orders", "price", 0, 0, 0)
    process = [Reported(False, "no_function"), Reported(True)]
    assert known([gone, CALLER], [process]) == Runs("shop.views.checkout", 10, 80, 2, caller=True)


def test_a_process_that_has_not_imported_the_module_has_not_run_it() -> None:
    fresh = Counted(False, "shop.orders", "price", 0, 0, 0)
    found = known([fresh], [[Reported(False)], [Reported(False, "not_loaded")]])
    assert isinstance(found, Runs)
    assert (found.since, found.unknown) == (0, "")


@pytest.mark.parametrize("why", ["no_monitoring", "no_tool", "running", "no_function"])
def test_one_process_that_does_not_count_makes_the_runs_a_least(why: str) -> None:
    found = known([PLACE], [[Reported(False)], [Reported(False, why)]])
    assert found == ran(1532, unknown=why)


def test_a_process_that_says_nothing_may_have_run_it() -> None:
    assert known([PLACE], [[Reported(False)], []]) == ran(1532, unknown="not_told")


@pytest.mark.parametrize("why", ["no_monitoring", "running"])
def test_where_nobody_counts_it_is_said_why(why: str) -> None:
    assert known([Counted(False, "shop", "f", 0, 0, 0)], [[Reported(False, why)]]) == why


def test_of_an_error_without_a_function_nothing_is_known() -> None:
    assert known([], [COUNTS]) == "not_told"


def test_more_failures_than_runs_are_as_many() -> None:
    twice = Counted(False, "shop", "retry", begun=3, before=3, failed=9)
    found = known([twice], [COUNTS])
    assert isinstance(found, Runs)
    assert found.failed == 3


def test_a_place_that_has_not_run_is_not_exercised() -> None:
    assert not_exercised(ran(0), 1)
    assert not not_exercised(ran(1), 1)


def test_where_runs_are_not_known_nothing_is_asked_of_them() -> None:
    assert not not_exercised("no_monitoring", 1)
    assert not not_exercised(ran(0, unknown="no_monitoring"), 1)


def test_the_chance_of_clean_runs_follows_from_those_before() -> None:
    assert chance(ran(40, before=40, failed=1)) == 0.5
    assert chance(ran(40, before=40, failed=3)) == 0.125


def test_failures_of_one_hour_are_one() -> None:
    burst = Runs("shop.orders.price", 40, 40, 9, failing_hours=1)
    assert chance(burst) == 0.5
    assert times_until(burst, 0.25) == pytest.approx(3)


def test_only_where_several_failures_came_in_one_hour_that_is_said() -> None:
    nine = Counted(False, "shop", "f", begun=80, before=40, failed=9, failing_hours=2)
    each = Counted(False, "shop", "f", begun=80, before=40, failed=2, failing_hours=2)
    assert [known([one], [COUNTS]).facts.get("failing_hours") for one in (nine, each)] == [2, None]  # type: ignore[union-attr]


@pytest.mark.parametrize("runs", ["no_monitoring", ran(1000, failed=0), ran(1000, before=0, failed=0)])
def test_without_a_counted_failure_the_chance_cannot_be_told(runs: Runs | str) -> None:
    assert chance(runs) is None


@given(counts, counts, counts)
def test_the_chance_is_one_at_first_and_never_grows_with_clean_runs(
    since: int, more: int, before: int
) -> None:
    first, later = chance(ran(since, before + 1)), chance(ran(since + more, before + 1))
    assert first is not None
    assert later is not None
    assert 0 <= later <= first <= 1
    assert chance(ran(0, before + 1)) == 1


@given(st.integers(1, 10**5), st.integers(1, 50), st.integers(1, 10**6), st.floats(0.001, 0.999))
def test_after_as_many_times_the_runs_the_chance_is_small_enough_and_not_before(
    before: int, failed: int, since: int, at_most: float
) -> None:
    times = times_until(ran(since, before + failed, failed), at_most)
    assert math.pow((before + failed) / (before + failed + times * since), failed) == pytest.approx(at_most)


def test_of_code_that_has_not_run_nobody_knows_when_the_chance_is_small_enough() -> None:
    assert times_until(ran(0), 0.5) == math.inf
    assert times_until(ran(40, failed=0), 0.5) == math.inf


BOTH = {"web": ran(90, before=90, failed=1), "worker": ran(0, before=10, failed=10)}


def test_runs_in_several_kinds_of_process_add_up_and_each_is_told() -> None:
    found = together(BOTH)
    assert isinstance(found, Runs)
    assert (found.since, found.before, found.failed) == (90, 100, 11)
    assert found.kinds == [KindRuns("web", 90, 90, 1), KindRuns("worker", 0, 10, 10)]


def test_a_kind_in_which_the_code_has_not_run_says_nothing_of_its_failures() -> None:
    assert chance(together(BOTH)) == 0.5
    assert not_exercised(together(BOTH), 1)


def test_each_kind_makes_the_silence_less_likely() -> None:
    assert chance(together({**BOTH, "worker": ran(10, before=10, failed=1)})) == 0.25


def test_a_kind_that_cannot_count_makes_the_runs_of_all_a_least() -> None:
    found = together({**BOTH, "worker": "no_monitoring"})
    assert isinstance(found, Runs)
    assert (found.since, found.unknown) == (90, "no_monitoring")
    assert not not_exercised(found, 100)


def test_where_no_kind_counts_it_is_said_why() -> None:
    assert together({"web": "no_monitoring", "worker": "not_told"}) == "no_monitoring"


def test_the_stated_chance_holds_over_many_errors_that_nobody_corrected() -> None:
    """One watch of each error: from its k-th counted failure on, for as many runs as bring the chance down to x."""
    choice = random.Random(14)
    for at_most in (0.05, 0.2, 0.5, 0.8):
        silent = watches = 0
        for _ in range(6000):
            rate = 10 ** choice.uniform(-4, -1.5)
            failed = choice.randint(1, 4)
            before = sum(1 + int(choice.expovariate(-math.log1p(-rate))) for _ in range(failed))
            needed = math.ceil(times_until(ran(1, before, failed), at_most))
            watches += 1
            silent += 1 + int(choice.expovariate(-math.log1p(-rate))) > needed
        assert silent / watches == pytest.approx(at_most, abs=0.025)


@pytest.mark.parametrize(
    ("facts", "english", "french"),
    [
        (ran(1532).facts | {"corrected": True},
         "shop.orders.price ran 1,532 times since the correction, failed 0; before: 1 in 40",
         "shop.orders.price : 1\u202f532 exécutions depuis la correction, 0 échec ; avant : 1 sur 40"),
        (ran(1, 30, 0).facts,
         "shop.orders.price ran 1 time since the error was last seen, failed 0; before: 30 times",
         "shop.orders.price : 1 exécution depuis la dernière occurrence, 0 échec ; avant : 30 fois"),
        (Runs("f", 5, 0, 0, estimated=True, unknown="no_monitoring").facts,
         "f ran 5 times since the error was last seen, failed 0; partly an estimate; "
         "not counted everywhere: Python older than 3.12 cannot count them",
         "f : 5 exécutions depuis la dernière occurrence, 0 échec ; en partie une estimation ; "
         "pas comptées partout : un Python antérieur à 3.12 ne sait pas les compter"),
        (together(BOTH).facts,  # type: ignore[union-attr]
         "shop.orders.price ran 90 times since the error was last seen, failed 0; before: 1 in 9; "
         "in web: 90; in worker: 0",
         "shop.orders.price : 90 exécutions depuis la dernière occurrence, 0 échec ; avant : 1 sur 9 ; "
         "dans web : 90 ; dans worker : 0"),
        ({"unknown": "no_monitoring"},
         "runs are not known: Python older than 3.12 cannot count them",
         "exécutions inconnues : un Python antérieur à 3.12 ne sait pas les compter"),
        ({}, "", ""),
    ],
)  # fmt: skip
def test_runs_are_told_in_the_readers_language(facts: dict[str, object], english: str, french: str) -> None:
    assert (ticket_wording.runs(facts), ticket_wording.runs(facts, language("fr"))) == (english, french)
