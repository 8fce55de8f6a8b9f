"""What events add up to."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from tocsin.daemon.grouping.sign import NamedLocation, Signature
from tocsin.daemon.ingest.tally import (
    MOMENTS_OF_MANY,
    SAMPLES_AT_ONCE,
    Occurrences,
    Sampled,
    Sum,
    merged_moments,
    thin,
)
from tocsin.handler.protocol.event import Event

moments = st.lists(st.floats(0, 1e6, allow_nan=False), min_size=1, max_size=60).map(sorted)


@given(moments, st.integers(1, 30))
def test_thinning_leaves_the_asked_number_with_the_first_and_the_newest(found, keep):
    dropped = thin(found, keep)
    left = [m for i, m in enumerate(found) if i not in dropped]
    assert len(left) == min(keep, len(found))
    assert left[-1] == found[-1]
    if keep > 1:
        assert left[0] == found[0]


def test_thinning_drops_from_the_crowd_not_from_the_lonely():
    assert thin([0.0, 100.0, 101.0, 102.0, 500.0, 900.0], 5) in ([1], [2], [3])


@given(moments, moments)
def test_moments_known_and_added_are_told_in_order(known, added):
    merged = merged_moments([[m, ""] for m in known], [(m, "") for m in added])
    assert [m for m, _ in merged] == sorted(known + added)


def occurrences(*pairs):
    """(moment, how many) of each record."""
    found = Occurrences()
    for at, count in pairs:
        found.add(at, count)
    return found


def test_an_occurrence_is_one_unless_more_is_said():
    found = Occurrences()
    found.add(5.0)
    assert (found.count, found.moments, found.many) == (1, [5.0], [])


def test_records_that_stand_for_many_count_as_many():
    assert occurrences((5.0, 1), (6.0, 40)).count == 41


def test_a_record_that_stands_for_none_is_none():
    assert occurrences((5.0, 1), (99.0, 0)).last_at == 5.0


def test_the_first_and_the_last_moment_are_of_any_record():
    found = occurrences((5.0, 1), (9.0, 1), (3.0, 2), (7.0, 2))
    assert (found.first_at, found.last_at) == (3.0, 9.0)
    other = occurrences((5.0, 1), (4.0, 1), (8.0, 2))
    assert (other.first_at, other.last_at) == (4.0, 8.0)


def test_occurrences_of_one_hour_are_counted_together():
    assert occurrences((3600.0, 1), (7199.0, 1), (5000.0, 3)).hours() == {1: 5}


def test_occurrences_are_counted_by_their_hours():
    found = occurrences((3599.0, 1), (3600.0, 1), (3601.0, 1), (3602.0, 5), (7200.0, 7))
    assert found.hours() == {0: 1, 1: 7, 2: 7}


def test_two_moments_at_an_hour_s_edge_are_of_two_hours():
    assert occurrences((3599.0, 1), (3600.0, 1)).hours() == {0: 1, 1: 1}


def test_a_clock_before_the_epoch_has_hours_too():
    assert occurrences((-1.0, 1), (-3600.0, 1)).hours() == {-1: 2}
    assert occurrences((-1.0, 1), (-2.0, 3), (0.0, 1)).hours() == {-1: 4, 0: 1}


def test_hours_are_whole_numbers():
    for found in (occurrences((3700.0, 1)), occurrences((10.0, 1), (3700.0, 2))):
        assert all(type(hour) is int for hour in found.hours())


def test_every_occurrence_has_its_moment():
    assert sorted(occurrences((5.0, 1), (6.0, 3)).each()) == [5.0, 6.0, 6.0, 6.0]


def test_a_record_of_very_many_is_told_as_often_as_any_threshold_asks_for():
    assert len(list(occurrences((6.0, MOMENTS_OF_MANY)).each())) == 1000
    assert len(list(occurrences((6.0, MOMENTS_OF_MANY + 1)).each())) == 1000


def signature(name="a"):
    return Signature(name, "c", [], "title", NamedLocation("a.py", 1, "a", "f"))


def event(at):
    return Event(at, 40, "shop", f"at {at}", None, "a.py", "a", "f", 1)


def sample(at, session_id="s1"):
    return Sampled(
        event(at), signature(f"of {at}"), Raw(b""), {("a.py", int(at)): None}, session_id, 0, at, ""
    )


def total():
    return Sum(signature(), event(0.0), {}, "s0")


def test_a_sum_begins_with_what_is_known_of_its_first_event():
    found = Sum(signature(), event(0.0), {("a.py", 1): None}, "s0")
    assert (found.signature, found.event) == (signature(), event(0.0))
    assert (found.locations, found.session_id) == ({("a.py", 1): None}, "s0")
    assert (found.hits, found.samples) == ({}, [])


def test_the_occurrences_of_a_client_in_a_session_are_counted_in_one_place():
    found = total()
    assert found.hit("ann", "s1") is found.hit("ann", "s1")
    others = [found.hit("bob", "s1"), found.hit("ann", "s2")]
    assert found.hit("ann", "s1") not in others
    assert list(found.hits) == [("ann", "s1"), ("bob", "s1"), ("ann", "s2")]


def test_a_sum_is_that_of_all_clients_and_sessions():
    found = total()
    found.hit("ann", "s1").add(5.0, 2)
    found.hit("bob", "s2").add(3.0)
    assert (found.count, found.first_at, found.last_at) == (3, 3.0, 5.0)


def test_every_occurrence_of_a_sum_has_its_moment_and_client():
    found = total()
    found.hit("ann", "s1").add(5.0, 2)
    found.hit("", "s2").add(3.0)
    assert list(found.moments()) == [(5.0, "ann"), (5.0, "ann"), (3.0, "")]


def test_the_first_full_events_and_the_newest_are_kept():
    found = total()
    for at in range(10):
        found.add_sample(sample(float(at)))
    assert [one.at for one in found.samples] == [0.0, 1.0, 2.0, 9.0]
    assert len(found.samples) == SAMPLES_AT_ONCE


def test_as_many_full_events_as_there_is_room_for_are_all_kept():
    found = total()
    for at in range(3):
        found.add_sample(sample(float(at)))
    assert [one.at for one in found.samples] == [0.0, 1.0, 2.0]


def test_a_full_event_is_wanted_while_there_is_room():
    found = total()
    for at in (9.0, 8.0):
        found.add_sample(sample(at))
    assert found.should_sample(1.0)


def test_without_room_a_full_event_is_wanted_unless_a_newer_one_is_there():
    found = total()
    for at in (9.0, 8.0, 7.0):
        found.add_sample(sample(at))
    assert not found.should_sample(8.9)
    assert found.should_sample(9.0)


def test_the_first_of_all_full_events_is_wanted_whatever_its_moment():
    assert total().should_sample(-1e18)


def test_a_sum_shows_its_newest_event():
    found = total()
    found.add_sample(sample(5.0, "s1"))
    found.add_sample(sample(9.0, "s2"))
    found.add_sample(sample(7.0, "s3"))
    assert (found.event, found.signature.fine) == (event(9.0), "of 9.0")
    assert (found.locations, found.session_id) == ({("a.py", 9): None}, "s2")


def test_of_two_events_of_one_moment_the_later_one_is_shown():
    found = total()
    found.add_sample(sample(5.0, "s1"))
    found.add_sample(sample(5.0, "s2"))
    assert found.session_id == "s2"


def test_moments_known_are_read_as_they_are_stored():
    assert merged_moments([["2.5", "ann"]], [(1.0, "bob")]) == [(1.0, "bob"), (2.5, "ann")]


def test_nothing_is_dropped_of_what_there_is_room_for():
    assert thin([1.0, 2.0, 3.0], 3) == []


def test_one_moment_at_least_stays_and_it_is_the_newest():
    assert thin([1.0, 2.0, 3.0], 0) == [1, 0]
    assert thin([1.0, 2.0, 3.0], 1) == [1, 0]


def test_of_two_moments_the_newer_one_stays():
    assert thin([1.0, 2.0], 1) == [0]


def test_a_quarter_of_what_stays_is_the_newest_however_crowded():
    found = [0.0, 100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 600.1, 600.2]
    assert thin(found, 8) == [6]


def test_of_few_that_stay_only_the_very_newest_is_safe_from_its_crowd():
    assert thin([0.0, 10.0, 11.0, 12.0], 3) == [2]


def test_the_crowd_is_thinned_one_after_the_other():
    assert thin([0.0, 10.0, 11.0, 12.0, 30.0, 90.0, 200.0], 5) == [2, 1]
