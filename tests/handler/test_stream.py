"""A session's segments as batches: each record once, from any position, and what is gone is counted."""

from __future__ import annotations

import os
import time

import pytest
from spools import dead, event, messages, stream_of

from tocsin.handler.process import monotonic
from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import AggregatedEvents, CodeLocation, DuplicateReference, Lost, position
from tocsin.handler.spool import damage, frames
from tocsin.handler.spool import stream as stream_module
from tocsin.handler.spool.files import Spool
from tocsin.handler.spool.segments import segments
from tocsin.handler.spool.stream import Stream


def offsets(data: bytes) -> list[int]:
    at, out = 0, []
    while found := frames.read(data, at):
        out.append(found.offset)
        at = found.end
    return [*out, len(data)]


def live_stream(spool: Spool) -> Stream:
    """A reader beside the writer, as in the shipping thread."""
    return Stream(spool.directory, spool.header.session, spool=spool)


def test_cutting_the_last_frame_anywhere_costs_that_event_only_and_says_so(spool: Spool) -> None:
    for number in range(3):
        spool.append(event(f"{number}"))
    path = dead(spool)
    whole = path.read_bytes()
    *_, start, end = offsets(whole)
    for cut in range(start + 1, end):
        path.write_bytes(whole[:cut])
        stream = stream_of(spool)
        assert messages(stream) == (["0", "1"], 1)
        stream.close()


def test_flipping_any_bit_of_a_frame_costs_that_event_only_and_says_so(spool: Spool) -> None:
    for number in range(3):
        spool.append(event(f"{number}"))
    path = dead(spool)
    whole = path.read_bytes()
    _, _, start, end, _ = offsets(whole)
    for bit in range(start * 8, end * 8, 3):
        broken = bytearray(whole)
        broken[bit // 8] ^= 1 << bit % 8
        path.write_bytes(broken)
        stream = stream_of(spool)
        assert messages(stream) == (["0", "2"], 1)
        stream.close()


def test_an_emptied_segment_before_others_is_told_as_lost(spool: Spool) -> None:
    spool.append(event("0"))
    spool.append(event("1"))
    spool.rotate(time.time())
    spool.append(event("2"))
    path = dead(spool)
    path.write_bytes(b"")
    assert messages(stream_of(spool)) == (["2"], 2)


def test_garbage_between_frames_costs_nothing(spool: Spool) -> None:
    spool.append(event("0"))
    os.pwrite(spool.fd, b"\xffTgarbage", 0)
    spool.append(event("1"))
    dead(spool)
    assert messages(stream_of(spool)) == (["0", "1"], 0)


def test_a_repeat_after_a_rotation_finds_its_definition_in_the_segment_before(spool: Spool) -> None:
    spool.append(event("told", key=7))
    spool.rotate(time.time())
    spool.append(wire.encode_record(DuplicateReference(7, 2.0)))
    dead(spool)
    stream = stream_of(spool)
    where = next(at for at, _ in stream.batch(0, 0, 0.0, most=1).frames) + 1
    batch = stream.batch(where, 1 << 32, 0.0)
    assert [wire.decode_event(raw).message for raw in batch.definitions] == ["told"]


def test_a_repeat_whose_event_is_gone_is_told_as_lost(spool: Spool) -> None:
    spool.append(wire.encode_record(DuplicateReference(7, 2.0)))
    dead(spool)
    assert messages(stream_of(spool)) == ([], 1)


def test_a_place_that_the_dead_owner_noted_further_on_is_the_one_that_is_shipped(spool: Spool) -> None:
    spool.append(event("0"))
    spool.rotate(time.time())
    spool.append(event("1"))
    spool.note(wire.encode_record(CodeLocation("/a.py", 1, statement="work()")))
    dead(spool)
    batch = stream_of(spool).batch(0, 0, 0.0)
    assert batch is not None
    assert [wire.decode_location(raw).statement for raw in batch.places] == ["work()"]


def test_positions_go_on_over_segments_and_an_acknowledged_segment_is_deleted(spool: Spool) -> None:
    spool.append(event("0"))
    spool.rotate(time.time())
    spool.append(event("1"))
    dead(spool)
    stream = stream_of(spool)
    batch = stream.batch(0, 0, 0.0)
    assert [at >> 32 for at, _ in batch.frames] == [0, 1]
    stream.forget(batch.end)
    assert [one.number for one in segments(spool.directory, spool.header.session)] == [1]


def test_what_is_written_after_a_rotation_is_read_on(spool: Spool) -> None:
    stream = live_stream(spool)
    spool.append(event("0"))
    first = stream.batch(0, 0, 0.0)
    assert first is not None
    spool.rotate(time.time())
    spool.append(event("1"))
    second = stream.batch(first.end, first.end, 0.0)
    assert second is not None
    assert [wire.decode_event(payload).message for _, payload in second.frames] == ["1"]


def test_a_write_in_flight_is_not_read_past_however_long_it_takes(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.pwrite(spool.fd, frames.encode(2, event("0"))[:-1], 0)
    stream = live_stream(spool)
    batch = stream.batch(0, 0, 0.0)
    assert batch is not None
    assert stream.batch(batch.end, batch.end, 0.0) is None
    monkeypatch.setattr(damage, "monotonic", lambda: monotonic() + damage.GRACE)
    assert stream.batch(batch.end, batch.end, 0.0) is None


def test_the_fragment_of_a_failed_write_is_passed_once_nobody_completes_it(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.pwrite(spool.fd, b"\xffTgarbage", 0)
    spool.failed_writes.append(2)
    stream = live_stream(spool)
    end = stream.end
    header = stream.batch(0, 0, 0.0)
    assert header is not None
    assert stream.batch(header.end, header.end, 0.0) is None
    monkeypatch.setattr(damage, "monotonic", lambda: monotonic() + damage.GRACE)
    fragment = stream.batch(header.end, header.end, 0.0)
    assert fragment is not None
    assert (fragment.end, fragment.frames) == (end, [])


def test_a_living_sessions_segment_stays_for_its_successors_first_records(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool.append(event("0"))
    spool.rotate(time.time())
    spool.append(event("1"))
    stream = live_stream(spool)
    stream.forget(stream.end)
    assert len(stream.files.segments) == 2
    monkeypatch.setattr(stream_module, "monotonic", lambda: monotonic() + stream_module.GRACE)
    stream.forget(stream.end)
    assert len(stream.files.segments) == 1


def test_aggregated_events_whose_event_is_gone_are_reported_with_their_number(spool: Spool) -> None:
    spool.append(wire.encode_record(AggregatedEvents(7, 3, 1.0, 2.0)))
    dead(spool)
    assert messages(stream_of(spool)) == ([], 3)


def test_a_key_of_a_deleted_segment_is_not_known_any_more(spool: Spool) -> None:
    spool.append(event("0", key=7))
    spool.rotate(time.time())
    spool.append(wire.encode_record(DuplicateReference(7, 2.0)))
    dead(spool)
    stream = stream_of(spool)
    assert stream.batch(0, 0, 0.0) is not None
    stream.forget(position(1, 0))
    assert stream._definitions._at == {}
    batch = stream.batch(position(1, 0), position(1, 0), 0.0)
    assert batch is not None
    assert wire.decode_record(batch.frames[0][1]) == Lost("undefined", 1)


def test_before_is_the_number_of_events_in_deleted_segments(spool: Spool) -> None:
    for number in range(3):
        spool.append(event(f"{number}"))
    spool.rotate(time.time())
    dead(spool)
    stream = stream_of(spool)
    stream.forget(position(1, 0))
    assert (stream.oldest, stream.before) == (position(1, 0), 3)
