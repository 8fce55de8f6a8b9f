"""What silence is worth."""

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tocsin.daemon.store.intervals import extended, intersection, length, union
from tocsin.daemon.tickets.evidence import (
    Process,
    Rule,
    Silence,
    Verdict,
    Waiting,
    WaitingFor,
    judge,
    rate_before,
)

DAY = 86400.0
RULE = Rule(duration=DAY, min_seen=0.9, max_chance=1.0, unseen_after=3 * DAY)
whole = st.integers(0, 200)
stretches = st.lists(st.tuples(whole, whole).map(lambda p: (float(min(p)), float(max(p)))), max_size=8)


def covered(pairs):
    """The half-steps inside the stretches: a model of them that can be compared."""
    return {x for x in range(0, 200) if any(a <= x and x + 1 <= b for a, b in pairs)}


@given(stretches)
def test_a_union_covers_what_its_parts_cover_and_does_not_overlap(parts):
    merged = union(parts)
    assert covered(merged) == covered(parts)
    assert all(a[1] < b[0] for a, b in pairwise(merged))


@given(stretches, stretches)
def test_an_intersection_covers_what_both_cover(one, other):
    assert covered(intersection(union(one), union(other))) == covered(one) & covered(other)


@given(st.lists(whole, min_size=1, max_size=20))
def test_signs_of_life_join_within_three_intervals_in_any_order(signs):
    moments = [float(sign) for sign in signs]
    assert extended(extended([], moments[:5], 2.0), moments[5:], 2.0) == union(
        [(m, m) for m in moments], gap=6.0
    )


def silence(**known):
    always = [(0.0, 99 * DAY)]
    usual = {"quiet_since": 0.0, "up": always, "seen": [(0.0, DAY)], "last_seen_alive": DAY}
    return Silence(**{**usual, **known})


def test_a_full_day_quiet_and_seen_closes():
    assert judge(silence(), RULE, DAY).verdict is Verdict.CLOSE


def test_a_second_less_than_the_full_time_waits():
    found = judge(silence(), RULE, DAY - 1)
    assert found.verdict is Verdict.WAIT
    assert found.waiting == Waiting(WaitingFor.DURATION)


def test_less_than_ninety_percent_seen_waits_and_exactly_ninety_closes():
    assert judge(silence(seen=[(0.0, 0.9 * DAY)]), RULE, DAY).verdict is Verdict.CLOSE
    assert judge(silence(seen=[(0.0, 0.9 * DAY - 1)]), RULE, DAY).verdict is Verdict.WAIT


def test_what_was_seen_before_the_silence_does_not_count():
    found = judge(silence(quiet_since=DAY, seen=[(0.0, DAY)]), RULE, 2 * DAY)
    assert found.seen_seconds == 0.0
    assert found.verdict is Verdict.WAIT


def test_an_application_not_seen_for_three_days_makes_the_watch_inconclusive():
    assert judge(silence(seen=[], last_seen_alive=None), RULE, 3 * DAY).verdict is Verdict.UNSEEN
    assert judge(silence(seen=[], last_seen_alive=None), RULE, 3 * DAY - 1).verdict is Verdict.WAIT


def test_a_session_that_may_hold_something_back_stops_the_closing():
    found = judge(silence(held_back=Process(7, "web1", 0.0, 9.0, 1.0, 100)), RULE, DAY)
    assert found.verdict is Verdict.WAIT
    assert found.waiting == Waiting(WaitingFor.BACKLOG, 7, "web1")


def test_a_failed_validation_stops_the_closing_however_long_it_is_quiet():
    found = judge(silence(failed_tests=True, seen=[(0.0, 9 * DAY)], last_seen_alive=9 * DAY), RULE, 9 * DAY)
    assert found.verdict is Verdict.WAIT


def test_the_bare_clock_rule_asks_for_time_only():
    rule = Rule(duration=DAY, min_seen=0.9, max_chance=1.0, unseen_after=3 * DAY, by_clock=True)
    assert judge(silence(seen=[], last_seen_alive=None), rule, DAY).verdict is Verdict.CLOSE


def test_a_batch_service_closes_after_a_run_that_ended_in_order():
    rule = Rule(duration=DAY, min_seen=0.9, max_chance=1.0, unseen_after=3 * DAY, batch=True)
    assert judge(silence(seen=[], runs_ended=0), rule, DAY).verdict is Verdict.WAIT
    assert judge(silence(seen=[], runs_ended=1), rule, DAY).verdict is Verdict.CLOSE


def test_a_silence_that_is_likely_anyway_waits_longer_when_a_chance_is_set():
    rule = Rule(duration=DAY, min_seen=0.9, max_chance=0.05, unseen_after=30 * DAY)
    rare = 1 / DAY
    assert judge(silence(rate=rare), rule, DAY).verdict is Verdict.WAIT
    long = silence(rate=rare, seen=[(0.0, 3 * DAY)], last_seen_alive=3 * DAY)
    assert judge(long, rule, 3 * DAY).verdict is Verdict.CLOSE
    assert math.isclose(judge(long, rule, 3 * DAY).chance, math.exp(-3))


def test_a_clock_set_back_behind_the_last_occurrence_counts_nothing():
    found = judge(silence(quiet_since=2 * DAY), RULE, DAY)
    assert (found.verdict, found.seen_seconds) == (Verdict.WAIT, 0.0)


def test_the_rate_needs_two_moments():
    assert rate_before(1, 0.0, 0.0) is None
    assert rate_before(5, 0.0, 8.0) == 0.5
    assert rate_before(3, 7.0, 7.0) == 2.0


def test_length_adds_up():
    assert length([(0.0, 1.5), (3.0, 4.0)]) == 2.5
