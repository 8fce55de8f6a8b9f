"""How likely a silence would have been anyway."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tocsin.daemon.tickets.chance import HOUR, LOOK_BACK, Before, hours_before, of_silence, units_until

units = st.floats(0.0, 5_000.0)
befores = st.builds(Before, units, units)
gaps = st.lists(st.floats(0.0, 1000.0), min_size=1, max_size=40).map(sorted)


@given(befores)
def test_no_silence_at_all_is_certain(before: Before) -> None:
    assert of_silence(before, 0.0) == 1.0


@given(befores, units, units)
def test_a_longer_silence_is_never_more_likely(before: Before, one: float, more: float) -> None:
    rounding = 1 + 1e-9
    assert 0.0 <= of_silence(before, one + more) <= of_silence(before, one) * rounding
    assert of_silence(before, one) <= 1.0


@given(befores, units, st.floats(1.0, 100.0))
def test_an_error_that_came_more_often_makes_a_silence_less_likely(
    before: Before, silence: float, more: float
) -> None:
    often = Before(before.failed + more, before.clean)
    assert of_silence(often, silence) <= of_silence(before, silence)


@given(befores, units, st.floats(1.0, 100.0))
def test_more_clean_hours_before_make_a_silence_more_likely(
    before: Before, silence: float, more: float
) -> None:
    rare = Before(before.failed, before.clean + more)
    assert of_silence(rare, silence) >= of_silence(before, silence) - 1e-12


@given(befores, st.integers(0, 50))
def test_it_is_the_product_of_the_chances_of_each_hour(before: Before, hours: int) -> None:
    expected = 1.0
    for hour in range(hours):
        expected *= (before.clean + 0.5 + hour) / (before.failed + before.clean + 1.0 + hour)
    assert of_silence(before, hours) == pytest.approx(expected, rel=1e-6)


@given(befores, st.floats(0.01, 0.99))
def test_waiting_so_long_makes_it_so_unlikely_and_no_longer_than_needed(
    before: Before, at_most: float
) -> None:
    needed = units_until(before, at_most)
    assume(math.isfinite(needed))
    assert of_silence(before, needed) <= at_most
    assert needed < 1e-6 or of_silence(before, needed * (1 - 1e-6)) >= at_most


@given(befores, gaps, units)
def test_gaps_that_were_there_before_never_make_a_silence_less_likely(
    before: Before, gaps: list[float], silence: float
) -> None:
    assert of_silence(Before(before.failed, before.clean, gaps), silence) >= of_silence(before, silence)


@given(befores, gaps, units, units)
def test_with_gaps_too_a_longer_silence_is_never_more_likely(
    before: Before, gaps: list[float], one: float, more: float
) -> None:
    known = Before(before.failed, before.clean, gaps)
    assert of_silence(known, one + more) <= of_silence(known, one) * (1 + 1e-9)


@given(befores, gaps, st.floats(0.01, 0.99))
def test_with_gaps_too_waiting_so_long_is_enough(before: Before, gaps: list[float], at_most: float) -> None:
    known = Before(before.failed, before.clean, gaps)
    needed = units_until(known, at_most)
    assume(math.isfinite(needed))
    assert of_silence(known, needed) <= at_most


def test_an_error_that_comes_in_bursts_may_keep_away_as_long_as_before() -> None:
    # Four bursts of three hours, two days between them: a day without it is nothing, two weeks are something.
    hours = {48 * burst + hour for burst in range(4) for hour in range(3)}
    before = hours_before(hours, [(0.0, 200 * HOUR)], 0.0, 147 * HOUR)
    assert before is not None
    assert before.gaps == [1.0] * 8 + [46.0] * 3
    assert of_silence(before, 24.0) == pytest.approx(4 / 12)
    assert of_silence(before, 14 * 24.0) < 0.05


def test_a_gap_is_only_as_long_as_the_application_was_seen_alive_in_it() -> None:
    alive = [(100 * HOUR, 102 * HOUR), (108 * HOUR, 112 * HOUR)]
    before = hours_before({100, 110}, alive, 100 * HOUR, 111 * HOUR)
    assert before is not None
    assert before.gaps == [4.0]


@pytest.mark.parametrize("at_most", [0.05, 0.1, 0.2, 0.5])
def test_the_stated_chance_holds_for_errors_that_come_in_bursts(at_most: float) -> None:
    """One random silence of each of many errors: it outlives what is waited for no more often than stated."""
    choice = random.Random(14)
    silent = watched = 0
    for _ in range(1500):
        gap, burst, at, hours = choice.uniform(10, 90), choice.randint(1, 5), 0.0, [0]
        while len(hours) < 40:
            at += choice.expovariate(1 / gap)
            hours += [hour for hour in range(int(at), int(at) + burst) if hour > hours[-1]]
            at = max(at, hours[-1])
        which = choice.randrange(3, 35)
        begun, again = hours[which], hours[which + 1]
        before = hours_before(set(hours[: which + 1]), [(0.0, 1e9)], 0.0, begun * HOUR)
        assert before is not None
        watched += 1
        silent += units_until(before, at_most) < again - begun
    assert silent / watched <= at_most + 2 * math.sqrt(at_most * (1 - at_most) / watched)


def test_three_occurrences_in_one_second_are_no_rate() -> None:
    before = hours_before({100}, [(100 * HOUR, 101 * HOUR)], 100 * HOUR, 100 * HOUR + 1)
    assert before == Before(0.0, 0.0, [])
    assert of_silence(before, 24.0) > 0.1


def test_the_first_hour_is_left_out_and_each_later_one_counts_once() -> None:
    alive = [(100 * HOUR, 110 * HOUR)]
    assert hours_before({100, 103, 105}, alive, 100.5 * HOUR, 110 * HOUR) == Before(2.0, 7.0, [2.0, 3.0])


def test_hours_in_which_the_application_was_not_seen_are_no_clean_ones() -> None:
    alive = [(100 * HOUR, 104 * HOUR), (108 * HOUR, 110 * HOUR)]
    assert hours_before({100}, alive, 100.5 * HOUR, 110 * HOUR) == Before(0.0, 5.0, [])


def test_an_application_that_was_never_seen_alive_tells_nothing() -> None:
    assert hours_before({100}, [], 100 * HOUR, 110 * HOUR) is None
    assert hours_before({100}, [(111 * HOUR, 112 * HOUR)], 100 * HOUR, 110 * HOUR) is None


def test_what_lies_further_back_than_a_month_is_not_looked_at() -> None:
    until = 5_000 * HOUR
    month = LOOK_BACK / HOUR
    assert hours_before({1, 2, 3}, [(0.0, until)], 0.0, until) == Before(0.0, month, [])


@given(st.sets(st.integers(0, 60)), st.integers(0, 60), st.integers(0, 60))
def test_the_hours_before_never_hold_more_than_there_were(failed: set[int], first: int, last: int) -> None:
    assume(first <= last)
    found = hours_before(failed | {first}, [(0.0, 61 * HOUR)], first * HOUR, (last + 1) * HOUR - 1)
    assert found is not None
    assert found.failed + found.clean <= max(last - first, 0) + 1e-9
