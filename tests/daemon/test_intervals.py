"""Arithmetic of time, at its edges: the property tests in test_evidence compare it with a model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.daemon.store.intervals import REACH, Timeline, clipped, extended, intersection, length, union

moments = st.integers(0, 40).map(float)


def test_intervals_that_touch_are_one():
    assert union([(0.0, 1.0), (1.0, 2.0)]) == [(0.0, 2.0)]


def test_a_gap_is_bridged_up_to_its_length_exactly():
    assert union([(0.0, 1.0), (3.0, 4.0)], gap=2.0) == [(0.0, 4.0)]
    assert union([(0.0, 1.0), (3.5, 4.0)], gap=2.0) == [(0.0, 1.0), (3.5, 4.0)]


def test_no_gap_is_bridged_unless_asked_for():
    assert union([(0.0, 1.0), (1.5, 2.0)]) == [(0.0, 1.0), (1.5, 2.0)]


def test_an_interval_inside_another_adds_nothing():
    assert union([(0.0, 9.0), (2.0, 3.0)]) == [(0.0, 9.0)]


def test_the_newest_interval_is_the_one_that_grows():
    assert union([(0.0, 1.0), (5.0, 6.0), (6.0, 8.0)]) == [(0.0, 1.0), (5.0, 8.0)]


def test_intervals_that_only_touch_have_nothing_in_common():
    assert intersection([(0.0, 1.0)], [(1.0, 2.0)]) == []


def test_one_long_interval_meets_several_short_ones():
    assert intersection([(0.0, 9.0)], [(1.0, 2.0), (3.0, 4.0)]) == [(1.0, 2.0), (3.0, 4.0)]
    assert intersection([(1.0, 2.0), (3.0, 4.0)], [(0.0, 9.0)]) == [(1.0, 2.0), (3.0, 4.0)]


def test_intervals_that_end_together_are_both_left_behind():
    assert intersection([(0.0, 2.0), (3.0, 4.0)], [(1.0, 2.0), (3.0, 5.0)]) == [(1.0, 2.0), (3.0, 4.0)]


def test_what_lies_between_two_moments_is_cut_off_at_both():
    lives = [(0.0, 1.0), (2.0, 4.0), (5.0, 5.0), (6.0, 9.0), (10.0, 12.0)]
    assert clipped(lives, 3.0, 7.0) == intersection(lives, [(3.0, 7.0)]) == [(3.0, 4.0), (6.0, 7.0)]


def test_the_length_of_nothing_is_nothing():
    assert length([]) == 0.0


def test_a_heartbeat_extends_what_it_can_reach_and_begins_again_beyond():
    period = 5.0
    assert extended([(0.0, 10.0)], [10.0 + REACH * period], period) == [(0.0, 25.0)]
    assert extended([(0.0, 10.0)], [26.0], period) == [(0.0, 10.0), (26.0, 26.0)]


def test_what_only_touches_the_bounds_is_clipped_to_nothing():
    assert clipped([(5.0, 9.0)], 0.0, 5.0) == []
    assert clipped([(0.0, 5.0)], 5.0, 9.0) == []


@given(st.lists(st.tuples(moments, moments).map(sorted).map(tuple)), moments, moments)
def test_a_timeline_measures_what_going_through_its_intervals_measures(found, one, other):
    merged, (since, until) = union(found), sorted((one, other))
    assert Timeline(merged).within(since, until) == pytest.approx(length(clipped(merged, since, until)))
