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
