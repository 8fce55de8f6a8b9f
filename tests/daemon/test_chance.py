"""How likely a silence would have been anyway."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tocsin.daemon.tickets.chance import HOUR, LOOK_BACK, Before, hours_before, of_silence, units_until

units = st.floats(0.0, 5_000.0)
befores = st.builds(Before, units, units)


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


def test_three_occurrences_in_one_second_are_no_rate() -> None:
    before = hours_before({100}, [(100 * HOUR, 101 * HOUR)], 100 * HOUR, 100 * HOUR + 1)
    assert before == Before(0.0, 0.0)
    assert of_silence(before, 24.0) > 0.1


def test_the_first_hour_is_left_out_and_each_later_one_counts_once() -> None:
    alive = [(100 * HOUR, 110 * HOUR)]
    assert hours_before({100, 103, 105}, alive, 100.5 * HOUR, 110 * HOUR) == Before(2.0, 7.0)


def test_hours_in_which_the_application_was_not_seen_are_no_clean_ones() -> None:
    alive = [(100 * HOUR, 104 * HOUR), (108 * HOUR, 110 * HOUR)]
    assert hours_before({100}, alive, 100.5 * HOUR, 110 * HOUR) == Before(0.0, 5.0)


def test_an_application_that_was_never_seen_alive_tells_nothing() -> None:
    assert hours_before({100}, [], 100 * HOUR, 110 * HOUR) is None
    assert hours_before({100}, [(111 * HOUR, 112 * HOUR)], 100 * HOUR, 110 * HOUR) is None


def test_what_lies_further_back_than_a_month_is_not_looked_at() -> None:
    until = 5_000 * HOUR
    month = LOOK_BACK / HOUR
    assert hours_before({1, 2, 3}, [(0.0, until)], 0.0, until) == Before(0.0, month)


@given(st.sets(st.integers(0, 60)), st.integers(0, 60), st.integers(0, 60))
def test_the_hours_before_never_hold_more_than_there_were(failed: set[int], first: int, last: int) -> None:
    assume(first <= last)
    found = hours_before(failed | {first}, [(0.0, 61 * HOUR)], first * HOUR, (last + 1) * HOUR - 1)
    assert found is not None
    assert found.failed + found.clean <= max(last - first, 0) + 1e-9
