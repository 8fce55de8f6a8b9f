"""Frames: whatever happens to the bytes of one, the others are read, and the count of the lost is right."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.handler.protocol.event import PAYLOAD_LIMIT
from tocsin.handler.spool import frames

payloads = st.lists(st.binary(max_size=200), min_size=1, max_size=12)


def segment(parts: list[bytes], first: int = 1) -> tuple[bytes, list[int]]:
    """A header and one frame per part; the offsets of the parts' frames and of the end."""
    data, offsets = frames.encode(first, b"header"), []
    for number, part in enumerate(parts, first + 1):
        offsets.append(len(data))
        data += frames.encode(number, part)
    return data, [*offsets, len(data)]


def found(data: bytes) -> list[bytes]:
    at, out = 0, []
    while frame := frames.resume(data, at):
        at = frame.end
        out.append(frame.payload)
    return out[1:]


def lost(survey: frames.Survey) -> int:
    return sum(damage.events for damage in survey.damages)


@given(counter=st.integers(1, 2**64 - 1), payload=st.binary(max_size=1000))
def test_a_frame_read_is_the_frame_written(counter: int, payload: bytes) -> None:
    data = frames.encode(counter, payload)
    assert frames.read(data, 0) == frames.Found(0, len(data), counter, payload)


def test_a_magic_in_a_hole_of_zeros_is_no_frame() -> None:
    assert frames.read(frames.MAGIC + bytes(100), 0) is None


@given(data=st.binary(max_size=500))
def test_any_bytes_are_surveyed_without_an_error(data: bytes) -> None:
    frames.survey(data, first=1, sealed=True)
    frames.survey(data, first=1, sealed=False)


def test_a_payload_over_the_limit_is_refused_when_written() -> None:
    with pytest.raises(ValueError, match="over the limit"):
        frames.encode(1, bytes(PAYLOAD_LIMIT + 1))


@given(parts=payloads, data=st.data())
def test_a_flipped_bit_costs_only_its_own_frame_and_one_loss(parts: list[bytes], data: st.DataObject) -> None:
    whole, offsets = segment(parts)
    victim = data.draw(st.integers(0, len(parts) - 1))
    bit = data.draw(st.integers(offsets[victim] * 8, offsets[victim + 1] * 8 - 1))
    broken = bytearray(whole)
    broken[bit // 8] ^= 1 << bit % 8
    survey = frames.survey(bytes(broken), first=1, sealed=True)
    assert found(bytes(broken)) == parts[:victim] + parts[victim + 1 :]
    assert lost(survey) == 1


@given(parts=payloads, data=st.data())
def test_a_torn_tail_costs_one_event_and_only_once_the_file_is_sealed(
    parts: list[bytes], data: st.DataObject
) -> None:
    whole, offsets = segment(parts)
    cut = data.draw(st.integers(offsets[-2] + 1, offsets[-1] - 1))
    assert found(whole[:cut]) == parts[:-1]
    assert frames.survey(whole[:cut], first=1, sealed=False).damages == ()
    assert lost(frames.survey(whole[:cut], first=1, sealed=True)) == 1


@given(parts=payloads, garbage=st.binary(min_size=1, max_size=100), data=st.data())
def test_inserted_garbage_costs_no_event(parts: list[bytes], garbage: bytes, data: st.DataObject) -> None:
    whole, offsets = segment(parts)
    at = data.draw(st.sampled_from(offsets[:-1]))
    broken = whole[:at] + garbage + whole[at:]
    assert found(broken) == parts
    assert lost(frames.survey(broken, first=1, sealed=True)) == 0


@given(parts=st.lists(st.binary(max_size=50), min_size=4, max_size=12), data=st.data())
def test_every_event_of_destroyed_ranges_is_counted(parts: list[bytes], data: st.DataObject) -> None:
    whole, offsets = segment(parts)
    victims = data.draw(st.sets(st.integers(0, len(parts) - 2), min_size=1))
    broken = bytearray(whole)
    for victim in victims:
        start, end = offsets[victim], offsets[victim + 1]
        broken[start:end] = b"\0" * (end - start)
    assert lost(frames.survey(bytes(broken), first=1, sealed=True)) == len(victims)


def test_an_event_written_out_of_turn_is_not_counted_as_lost() -> None:
    order = [2, 4, 3, 6, 5, 8]
    data = frames.encode(1, b"h") + b"".join(frames.encode(number, b"x") for number in order)
    data = data[:-1] + b"?" + frames.encode(7, b"x") + frames.encode(9, b"x")
    survey = frames.survey(data, first=1, sealed=True)
    assert lost(survey) == 1


def test_a_damaged_header_is_no_lost_event() -> None:
    whole, offsets = segment([b"a", b"b"])
    survey = frames.survey(b"?" * offsets[0] + whole[offsets[0] :], first=1, sealed=True)
    assert [damage.events for damage in survey.damages] == [0]


def test_a_segment_emptied_before_another_lost_all_its_events() -> None:
    assert lost(frames.survey(b"", first=10, sealed=True, until=15)) == 4


def test_a_counter_that_stands_in_the_next_segment_is_not_lost() -> None:
    data = frames.encode(1, b"h") + frames.encode(2, b"x") + b"torn"
    survey = frames.survey(data, first=1, sealed=True, until=5, elsewhere=frozenset({3, 6}))
    assert lost(survey) == 1


@given(
    before=st.integers(0, 40),
    after=st.integers(8, 40),
    late=st.sets(st.integers(0, 39), max_size=3),
    early=st.integers(0, 3),
)
def test_what_stood_before_a_segment_is_counted_whatever_was_in_flight_at_the_rotation(
    before: int, after: int, late: set[int], early: int
) -> None:
    first = before + 1
    late = {number for number in late if 0 < number <= before}
    held = [first, *sorted(late), *range(first + 1 + early, first + 1 + early + after)]
    data = b"".join(frames.encode(counter, b"\x90") for counter in held)
    assert frames.taken_before(data, first) == before - len(late) + early


def of(*counters: int) -> bytes:
    """A frame with a payload for each of the counters."""
    return b"".join(frames.encode(counter, b"x") for counter in counters)


SIZE = len(of(1))


def test_the_payloads_behind_an_offset_are_read_in_order_whatever_stands_between() -> None:
    data = frames.encode(1, b"a") + b"?" + frames.encode(2, b"b") + frames.encode(3, b"c")
    assert list(frames.payloads(data, 0)) == [b"a", b"b", b"c"]
    assert list(frames.payloads(data, 1)) == [b"b", b"c"]


def test_a_frame_is_looked_for_from_its_offset_on() -> None:
    assert frames.resume(of(1, 2), 0) == frames.Found(0, SIZE, 1, b"x")
    assert frames.resume(of(1, 2), 1) == frames.Found(SIZE, 2 * SIZE, 2, b"x")
    assert frames.resume(of(1, 2), SIZE + 1) is None


def test_a_payload_of_exactly_the_limit_is_written_and_read() -> None:
    data = frames.encode(1, bytes(PAYLOAD_LIMIT))
    found = frames.read(data, 0)
    assert found is not None
    assert len(found.payload) == PAYLOAD_LIMIT
    assert len(data) == frames.LARGEST


def test_a_payload_that_says_to_be_over_the_limit_is_no_frame() -> None:
    payload = bytes(PAYLOAD_LIMIT + 1)
    head = frames._pack(frames.MAGIC, len(payload), frames._crc32(payload, 1), 1)
    assert frames.read(head + payload, 0) is None


def test_a_refused_payload_is_named_with_the_limit() -> None:
    with pytest.raises(ValueError, match=r"^a payload of 65537 bytes is over the limit of 65536$"):
        frames.encode(1, bytes(PAYLOAD_LIMIT + 1))


def test_a_frame_may_hold_a_counter_and_no_payload_or_a_payload_and_no_counter() -> None:
    assert frames.read(frames.encode(7, b""), 0) == frames.Found(0, frames.HEAD_SIZE, 7, b"")
    assert frames.read(frames.encode(0, b"x"), 0) == frames.Found(0, SIZE, 0, b"x")


def test_a_damaged_upper_half_of_a_counter_is_noticed() -> None:
    data = bytearray(frames.encode(1, b"x"))
    data[10] ^= 1
    assert frames.read(bytes(data), 0) is None


def test_bytes_on_the_disk_are_those_of_every_version_so_far() -> None:
    assert frames.encode(2**32 + 5, b"ab").hex() == "ff5400000002faef8d6900000001000000056162"


def test_a_whole_segment_holds_its_counters_and_no_damage() -> None:
    for sealed in (False, True):
        found = frames.survey(of(1, 2, 3), first=1, sealed=sealed)
        assert found == frames.Survey(frozenset({1, 2, 3}), (), None)


def test_frames_that_are_no_event_are_not_counted() -> None:
    assert frames.survey(of(1, 0, 2), first=1, sealed=True).counters == {1, 2}


def test_a_torn_tail_of_an_open_segment_is_a_write_in_flight() -> None:
    found = frames.survey(of(1, 2) + b"torn", first=1, sealed=False)
    assert found == frames.Survey(frozenset({1, 2}), (), 2 * SIZE)


def test_a_torn_tail_of_a_sealed_segment_is_a_damaged_range() -> None:
    found = frames.survey(of(1, 2) + b"torn", first=1, sealed=True)
    assert found.damages == (frames.Damage(2 * SIZE, 2 * SIZE + 4, 1),)
    assert found.tail == 2 * SIZE


def test_a_torn_tail_before_a_segment_that_goes_on_held_none() -> None:
    found = frames.survey(of(1, 2) + b"torn", first=1, sealed=True, until=3)
    assert found.damages == (frames.Damage(2 * SIZE, 2 * SIZE + 4, 0),)


def test_a_torn_tail_that_held_several_events_held_so_many() -> None:
    found = frames.survey(of(1, 2) + b"torn", first=1, sealed=True, until=6)
    assert lost(found) == 3


def test_what_the_next_segment_begins_with_says_nothing_of_an_open_one() -> None:
    found = frames.survey(of(1, 2) + b"?" + of(3), first=1, sealed=False, until=9)
    assert lost(found) == 0


def test_missing_counters_before_an_undamaged_end_are_no_range_s() -> None:
    assert frames.survey(of(1, 2), first=1, sealed=True, until=5).damages == ()


def test_damage_in_the_middle_is_where_its_counters_are_missing() -> None:
    data = of(1, 2) + b"?????" + of(5) + b"???" + of(7)
    found = frames.survey(data, first=1, sealed=True)
    assert found.damages == (
        frames.Damage(2 * SIZE, 2 * SIZE + 5, 2),
        frames.Damage(3 * SIZE + 5, 3 * SIZE + 8, 1),
    )


def test_a_range_is_charged_only_with_counters_above_all_that_stood_before_it() -> None:
    # 3 is missing and 4 stands before the second range: the first one held it.
    data = of(1, 2) + b"???" + of(4) + b"???" + of(6)
    assert [one.events for one in frames.survey(data, first=1, sealed=True).damages] == [1, 1]


def test_counters_written_out_of_turn_do_not_lower_what_stood_before() -> None:
    data = of(1, 4, 3) + b"???" + of(6)
    assert [one.events for one in frames.survey(data, first=1, sealed=True).damages] == [2]


def test_an_empty_sealed_segment_held_one_event_at_least() -> None:
    found = frames.survey(b"", first=10, sealed=True)
    assert found.damages == (frames.Damage(0, 0, 1),)
    assert found.tail is None


def test_an_empty_open_segment_is_not_damaged() -> None:
    assert frames.survey(b"", first=10, sealed=False) == frames.Survey(frozenset(), (), None)


def test_an_empty_segment_before_the_next_counter_held_none() -> None:
    assert lost(frames.survey(b"", first=10, sealed=True, until=11)) == 0


def test_before_a_segment_without_a_sound_frame_all_below_its_header_were_taken() -> None:
    assert frames.taken_before(b"", 5) == 4
    assert frames.taken_before(b"torn", 5) == 4


def test_a_counter_missing_before_the_middle_stands_in_the_segment_before() -> None:
    assert frames.taken_before(of(10, 11, 13, 14), 10) == 10


def test_a_counter_missing_behind_the_middle_may_come_later() -> None:
    assert frames.taken_before(of(10, 11, 12, 14), 10) == 9


def test_a_lower_counter_belongs_to_this_segment() -> None:
    assert frames.taken_before(of(10, 9, 11, 12), 10) == 8


def test_what_is_no_event_is_no_counter_taken() -> None:
    assert frames.taken_before(of(10) + frames.encode(0, b"x") + of(11, 12), 10) == 9
