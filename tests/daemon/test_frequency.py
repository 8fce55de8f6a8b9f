"""Ten times as frequent: the rule holds whatever the counts are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.daemon.tickets.frequency import LEAST, LEAST_HOURS, WEEK_HOURS, Increase, increase, is_news

HOUR = 3600.0
NOW_HOUR = 500_000
counts = st.lists(st.integers(0, 1000), min_size=LEAST_HOURS, max_size=WEEK_HOURS)
factors = st.floats(2.0, 100.0)
minutes = st.floats(0.0, 0.999)


def found(
    before: list[int], came: tuple[int, int], factor: float = 10.0, past: float = 0.5
) -> Increase | None:
    """The verdict when `before` came in the hours before the recent two, of which `past` of the last is over."""
    first = NOW_HOUR - 1 - len(before)
    hourly = dict(enumerate([*before, *came], start=first))
    return increase(hourly, first * HOUR, (NOW_HOUR + past) * HOUR, factor)


def test_ten_times_as_frequent_is_told_with_both_rates():
    assert found([2] * 24, (30, 15)) == Increase(2.0, 30.0)


@pytest.mark.parametrize(
    ("before", "came"),
    [([2] * 24, (28, 0)), ([0] * 24, (LEAST - 1, 0)), ([1] * (LEAST_HOURS - 1), (500, 500)),
     (([0] * 23 + [60]) * 7, (60, 0))],
    ids=["nearly ten times", "few in all", "hardly known", "a burst that always came"],
)  # fmt: skip
def test_what_is_no_increase_is_not_told(before, came):
    assert found(before, came) is None


def test_an_error_that_never_came_in_a_week_and_then_floods_is_told():
    assert found([0] * WEEK_HOURS, (LEAST, 0)) is not None


def test_what_is_older_than_a_week_does_not_count():
    hourly = {NOW_HOUR - 1 - WEEK_HOURS - 1: 10**9, NOW_HOUR: 50}
    assert increase(hourly, 0.0, (NOW_HOUR + 0.5) * HOUR, 10.0) is not None


@given(counts, st.integers(0, 5000), factors, minutes)
def test_a_rate_that_stays_is_never_told(before, each, factor, past):
    assert found([each] * len(before), (each, int(each * past)), factor, past) is None


@given(counts, st.integers(0, 10**6), st.integers(0, 10**6), factors, minutes)
def test_what_is_told_is_as_many_times_more_as_it_must_be(before, last, running, factor, past):
    verdict = found(before, (last, running), factor, past)
    if verdict is not None:
        assert verdict.recent >= factor * sum(before) / len(before)
        assert last + running >= LEAST


@given(counts, st.integers(0, 10**5), st.integers(0, 10**5), st.integers(0, 10**5), minutes)
def test_more_of_it_never_takes_it_back(before, last, running, more, past):
    if found(before, (last, running), past=past) is not None:
        assert found(before, (last, running + more), past=past) is not None


@given(counts, st.integers(0, 10**5), st.integers(0, 10**5), st.integers(1, 100), minutes)
def test_an_error_that_is_as_many_times_larger_throughout_is_told_likewise(
    before, last, running, times, past
):
    if sum(before) and found(before, (last, running), past=past) is not None:
        larger = [count * times for count in before]
        assert found(larger, (last * times, running * times), past=past) is not None


@given(counts, st.integers(0, 10**5), st.integers(0, 10**5), minutes, st.randoms())
def test_the_order_of_the_hours_before_does_not_matter(before, last, running, past, chance):
    mixed = [*before]
    chance.shuffle(mixed)
    assert found(before, (last, running), past=past) == found(mixed, (last, running), past=past)


@given(st.floats(1, 1e6), st.floats(1, 1e6), factors)
def test_it_is_said_again_only_when_it_is_as_many_times_more_than_was_said(recent, said, factor):
    assert is_news(Increase(1.0, recent), said, factor) == (recent >= factor * said)
    assert is_news(Increase(1.0, recent), None, factor)
