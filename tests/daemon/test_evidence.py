"""What silence is worth."""

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tocsin.daemon.store.intervals import extended, intersection, length, union
from tocsin.daemon.tickets.chance import Before, of_silence
from tocsin.daemon.tickets.evidence import (
    NotSeen,
    Process,
    Restart,
    Rule,
    Silence,
    Verdict,
    Waiting,
    WaitingFor,
    held_back,
    is_written_off,
    judge,
)

DAY = 86400.0
RULE = Rule(duration=DAY, min_seen=0.9, max_chance=1.0, unseen_after=3 * DAY)
whole = st.integers(0, 200)
intervals = st.lists(st.tuples(whole, whole).map(lambda p: (float(min(p)), float(max(p)))), max_size=8)


def covered(pairs):
    """The half-steps inside the intervals: a model of them that can be compared."""
    return {x for x in range(0, 200) if any(a <= x and x + 1 <= b for a, b in pairs)}


@given(intervals)
def test_a_union_covers_what_its_parts_cover_and_does_not_overlap(parts):
    merged = union(parts)
    assert covered(merged) == covered(parts)
    assert all(a[1] < b[0] for a, b in pairwise(merged))


@given(intervals, intervals)
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


RARE = Before(1.0, 71.0)
"""An error that came in one hour of three days."""


def test_a_silence_that_is_likely_anyway_waits_longer_when_a_chance_is_set():
    rule = Rule(duration=DAY, min_seen=0.9, max_chance=0.5, unseen_after=30 * DAY)
    assert judge(silence(before=RARE), rule, DAY).verdict is Verdict.WAIT
    long = silence(before=RARE, seen=[(0.0, 3 * DAY)], last_seen_alive=3 * DAY)
    found = judge(long, rule, 3 * DAY)
    assert (found.verdict, found.chance) == (Verdict.CLOSE, of_silence(RARE, 72.0))


def test_a_largest_chance_asks_nothing_of_an_error_that_was_corrected():
    rule = Rule(duration=DAY, min_seen=0.9, max_chance=0.05, unseen_after=30 * DAY)
    found = judge(silence(before=RARE, corrected=True), rule, DAY)
    assert (found.verdict, found.chance) == (Verdict.CLOSE, of_silence(RARE, 24.0))


def test_a_clock_set_back_behind_the_last_occurrence_counts_nothing():
    found = judge(silence(quiet_since=2 * DAY), RULE, DAY)
    assert (found.verdict, found.quiet_seconds, found.seen_seconds) == (Verdict.WAIT, 0.0, 0.0)


def test_a_clock_set_back_takes_nothing_off_what_was_seen():
    found = judge(silence(quiet_since=2 * DAY, seen=[(0.0, 3 * DAY)]), RULE, DAY)
    assert (found.quiet_seconds, found.seen_seconds) == (0.0, 0.0)


def test_length_adds_up():
    assert length([(0.0, 1.5), (3.0, 4.0)]) == 2.5


def test_what_a_closing_waits_for_is_stored_without_what_says_nothing():
    assert Waiting(WaitingFor.RUN).facts == {"kind": "run"}
    assert Waiting(WaitingFor.BACKLOG, 7, "web1").facts == {"kind": "backlog", "pid": 7, "host": "web1"}


def test_quiet_time_is_what_passed_while_a_daemon_was_up():
    found = judge(silence(up=[(0.0, 100.0), (500.0, 600.0)]), RULE, 550.0)
    assert found.quiet_seconds == 150.0


def test_a_closing_waits_for_nothing():
    assert judge(silence(), RULE, DAY).waiting is None


def test_a_failed_validation_is_what_is_waited_for_whatever_else_is_missing():
    found = judge(silence(failed_tests=True), RULE, 1.0)
    assert found.waiting == Waiting(WaitingFor.PASSING_TESTS)


def test_a_batch_service_waits_for_a_run():
    rule = Rule(duration=DAY, min_seen=0.9, max_chance=1.0, unseen_after=3 * DAY, batch=True)
    assert judge(silence(seen=[]), rule, DAY).waiting == Waiting(WaitingFor.RUN)


def test_an_application_hardly_seen_is_what_is_waited_for():
    assert judge(silence(seen=[(0.0, 60.0)]), RULE, DAY).waiting == Waiting(WaitingFor.SEEN_ALIVE)


def test_a_likely_silence_is_what_is_waited_for():
    rule = Rule(duration=DAY, min_seen=0.9, max_chance=0.05, unseen_after=30 * DAY)
    assert judge(silence(before=RARE), rule, DAY).waiting == Waiting(WaitingFor.CHANCE)


def test_a_chance_that_cannot_be_told_is_waited_for_where_one_is_set():
    rule = Rule(duration=DAY, min_seen=0.9, max_chance=0.05, unseen_after=30 * DAY)
    found = judge(silence(before=None), rule, DAY)
    assert (found.waiting, found.chance) == (Waiting(WaitingFor.CHANCE), None)


def test_a_chance_of_exactly_the_limit_closes():
    rule = Rule(duration=DAY, min_seen=0.9, max_chance=of_silence(RARE, 24.0), unseen_after=30 * DAY)
    assert judge(silence(before=RARE), rule, DAY).verdict is Verdict.CLOSE


def test_the_bare_clock_rule_reckons_the_chance_with_all_quiet_time():
    rule = Rule(duration=DAY, min_seen=0.9, max_chance=1.0, unseen_after=3 * DAY, by_clock=True)
    assert judge(silence(seen=[], before=RARE), rule, DAY).chance == of_silence(RARE, 24.0)


def test_the_chance_is_reckoned_with_the_time_the_application_was_seen():
    found = judge(silence(seen=[(0.0, 0.5 * DAY)], before=RARE), RULE, DAY)
    assert found.chance == of_silence(RARE, 12.0)


LOST = Restart(WaitingFor.LOSS, DAY / 2)


def test_a_known_loss_restarts_the_silence():
    found = judge(silence(restarts=[LOST]), RULE, 1.4 * DAY)
    assert (found.verdict, found.waiting) == (Verdict.WAIT, Waiting(WaitingFor.LOSS))
    long = silence(restarts=[LOST], seen=[(0.0, 2 * DAY)])
    assert judge(long, RULE, 1.5 * DAY).verdict is Verdict.CLOSE


def test_a_loss_before_the_silence_restarts_nothing():
    assert judge(silence(restarts=[Restart(WaitingFor.LOSS, -5.0)]), RULE, DAY).verdict is Verdict.CLOSE


def test_the_kind_of_process_that_is_not_seen_is_what_is_waited_for():
    found = judge(silence(seen=[], not_seen=NotSeen("celery worker")), RULE, DAY)
    assert found.waiting == Waiting(WaitingFor.PROGRAM, name="celery worker")


def test_a_kind_of_process_that_is_not_seen_for_long_makes_the_watch_inconclusive():
    found = judge(silence(seen=[], not_seen=NotSeen("celery worker"), last_seen_alive=3 * DAY), RULE, 3 * DAY)
    assert found.verdict is Verdict.UNSEEN


def test_a_logger_that_cannot_be_heard_is_what_is_waited_for():
    found = judge(silence(seen=[], not_seen=NotSeen("gunicorn", "shop", [(0.0, DAY)])), RULE, DAY)
    assert (found.waiting, found.untold_seconds) == (Waiting(WaitingFor.LOGGER, name="shop"), DAY)


def test_the_bare_clock_rule_is_never_inconclusive():
    rule = Rule(duration=9 * DAY, min_seen=0.9, max_chance=1.0, unseen_after=DAY, by_clock=True)
    assert judge(silence(seen=[], last_seen_alive=None), rule, 5 * DAY).verdict is Verdict.WAIT


def test_the_time_not_seen_counts_from_the_last_sign_of_life():
    rule = Rule(duration=9 * DAY, min_seen=0.9, max_chance=1.0, unseen_after=2 * DAY)
    assert judge(silence(last_seen_alive=DAY), rule, 3 * DAY).verdict is Verdict.UNSEEN
    assert judge(silence(last_seen_alive=DAY + 1), rule, 3 * DAY).verdict is Verdict.WAIT


def test_the_time_not_seen_counts_from_the_beginning_of_the_silence():
    rule = Rule(duration=9 * DAY, min_seen=0.9, max_chance=1.0, unseen_after=2 * DAY)
    found = judge(silence(quiet_since=2 * DAY, seen=[], last_seen_alive=DAY), rule, 3 * DAY + 1)
    assert found.verdict is Verdict.WAIT


def test_the_time_not_seen_counts_only_while_a_daemon_was_up():
    rule = Rule(duration=9 * DAY, min_seen=0.9, max_chance=1.0, unseen_after=2 * DAY)
    found = judge(
        silence(up=[(0.0, DAY), (3 * DAY, 4 * DAY)], seen=[], last_seen_alive=0.0), rule, 4 * DAY - 1
    )
    assert found.verdict is Verdict.WAIT


def test_a_sign_of_life_at_this_moment_leaves_no_time_unseen():
    rule = Rule(duration=9 * DAY, min_seen=0.9, max_chance=1.0, unseen_after=0.5)
    assert judge(silence(last_seen_alive=DAY), rule, DAY).verdict is Verdict.WAIT


def test_what_is_held_back_too_long_makes_the_watch_inconclusive():
    process = Process(7, "web1", 0.0, 9.0, 1.0, 100)
    seen = silence(held_back=process, seen=[(0.0, 9 * DAY)], last_seen_alive=9 * DAY)
    assert judge(seen, RULE, 3 * DAY - 1).verdict is Verdict.WAIT
    assert judge(seen, RULE, 3 * DAY).verdict is Verdict.UNSEEN


def test_the_earliest_closing_is_when_the_watch_has_lasted():
    found = judge(silence(up=[(0.0, 100.0)], seen=[(0.0, 100.0)]), RULE, 100.0)
    assert found.earliest_close == DAY


def test_the_earliest_closing_waits_until_the_application_was_seen_enough():
    found = judge(silence(up=[(0.0, DAY)], seen=[(0.0, 0.5 * DAY)]), RULE, DAY)
    assert math.isclose(found.earliest_close, DAY + 0.4 * DAY)


def test_the_earliest_closing_waits_until_the_silence_is_unlikely():
    rule = Rule(duration=DAY, min_seen=0.9, max_chance=of_silence(RARE, 48.0), unseen_after=30 * DAY)
    found = judge(silence(up=[(0.0, DAY)], before=RARE), rule, DAY)
    assert math.isclose(found.earliest_close, 2 * DAY)


def test_the_bare_clock_and_batches_ask_for_no_more_than_the_time():
    for kind in ("by_clock", "batch"):
        rule = Rule(DAY, 0.9, 0.05, 30 * DAY, **{kind: True})
        found = judge(silence(up=[(0.0, 100.0)], seen=[], before=RARE), rule, 100.0)
        assert found.earliest_close == DAY


def test_no_chance_at_all_or_a_certain_one_says_nothing_of_the_earliest_closing():
    for chance in (0.0, 1.0):
        rule = Rule(DAY, 0.9, chance, 30 * DAY)
        found = judge(silence(up=[(0.0, 100.0)], seen=[(0.0, 100.0)], before=RARE), rule, 100.0)
        assert found.earliest_close == DAY


def test_an_earliest_closing_that_has_passed_is_now():
    both = [(0.0, 2 * DAY)]
    assert judge(silence(up=both, seen=both), RULE, 2 * DAY).earliest_close == 2 * DAY


def test_the_daemon_is_up_for_the_half_minute_after_its_last_note():
    quiet = silence(up=[(0.0, 100.0)], seen=[(0.0, 100.0)])
    assert judge(quiet, RULE, 130.0).earliest_close == DAY
    assert judge(quiet, RULE, 131.0).earliest_close == 131.0 + DAY - 100.0


def test_without_any_note_of_a_daemon_the_time_counts_from_now():
    assert judge(silence(up=[], seen=[]), RULE, 50.0).earliest_close == 50.0 + DAY


UP = [(0.0, 100.0), (200.0, 900.0)]
"""A daemon that was down from 100 to 200."""


def process(**known):
    usual = {"pid": 1, "host": "web1", "started_at": 0.0, "last_heard": 95.0, "interval": 5.0}
    return Process(**{**usual, **known})


def test_a_process_whose_last_word_was_a_backlog_holds_something_back():
    one = process(backlog=1, last_heard=300.0, ended_at=300.0)
    assert held_back([process(last_heard=300.0), one], UP, 150.0) is one


def test_a_process_not_heard_since_a_daemon_went_down_may_hold_something_back():
    assert held_back([process()], UP, 150.0) == process()


def test_a_process_heard_again_holds_nothing_back():
    assert held_back([process(last_heard=250.0)], UP, 150.0) is None


def test_a_process_that_said_goodbye_holds_nothing_back():
    assert held_back([process(ended_at=95.0)], UP, 150.0) is None


def test_a_process_silent_for_long_before_the_daemon_went_down_was_not_alive_then():
    assert held_back([process(last_heard=85.0)], UP, 150.0) is not None
    assert held_back([process(last_heard=84.0)], UP, 150.0) is None


def test_a_process_heard_in_the_moment_the_daemon_went_down_was_alive():
    assert held_back([process(last_heard=100.0)], UP, 150.0) is not None
    assert held_back([process(last_heard=100.5)], UP, 150.0) is None


def test_a_daemon_up_again_before_the_silence_began_has_heard_all():
    assert held_back([process()], UP, 200.0) is None
    assert held_back([process()], UP, 199.0) is not None


def test_a_process_gone_long_before_the_silence_holds_nothing_of_it():
    gone = process(backlog=1, last_heard=50.0)
    assert held_back([gone], UP, 150.0, gone_after=100.0) is gone
    assert held_back([gone, process()], UP, 151.0, gone_after=100.0) == process()


def test_what_another_process_has_shipped_is_held_back_no_more():
    assert held_back([process(emptied=True)], UP, 150.0) is None
    assert held_back([process(emptied=True, backlog=1)], UP, 150.0) is not None


def test_a_process_unheard_long_enough_is_written_off():
    assert is_written_off(process(last_heard=0.0), [(0.0, 100.0)], 100.0)
    assert not is_written_off(process(last_heard=0.5), [(0.0, 100.0)], 100.0)


def test_time_without_a_daemon_writes_nobody_off():
    assert not is_written_off(process(last_heard=0.0), [(0.0, 40.0), (1000.0, 1040.0)], 100.0)


def test_a_process_that_somebody_wrote_off_needs_no_time():
    assert is_written_off(process(last_heard=99.0, gone=True), [(0.0, 100.0)], 100.0)
