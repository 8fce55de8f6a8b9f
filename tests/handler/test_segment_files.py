"""A session's segments as open files: what is read is the session's, whatever was done to the descriptors."""

from __future__ import annotations

import os
import time
from pathlib import Path

from spools import event

from tocsin.handler.protocol.event import position
from tocsin.handler.spool.files import Spool
from tocsin.handler.spool.segment_files import SegmentFiles


def files_of(spool: Spool) -> SegmentFiles:
    return SegmentFiles(spool.directory, spool.header.session)


def test_a_position_of_a_deleted_segment_leads_to_the_first_one_held(spool: Spool) -> None:
    spool.rotate(time.time())
    files = files_of(spool)
    files.delete(files.segments[0])
    assert files.at(position(0, 50)) == (files.segments[0], 0)


def test_behind_the_newest_segment_is_nothing(spool: Spool) -> None:
    assert files_of(spool).at(position(1, 0)) == (None, 0)


def test_a_descriptor_that_now_is_another_file_is_not_read(spool: Spool, place: Path) -> None:
    files = files_of(spool)
    segment = files.segments[0]
    before = files.whole(segment)
    (place / "foreign").write_bytes(b"the application's")
    foreign = os.open(place / "foreign", os.O_RDONLY)
    number = files._open(segment)
    os.dup2(foreign, number)
    assert files.whole(segment) == before
    assert os.read(number, 100) == b"the application's"
    os.close(number)
    os.close(foreign)


def test_a_segment_that_somebody_removed_is_empty(spool: Spool) -> None:
    files = files_of(spool)
    os.unlink(files.segments[0].path)
    assert (files.size(files.segments[0]), files.whole(files.segments[0])) == (0, b"")


def test_a_frame_is_found_at_its_offset_only(spool: Spool) -> None:
    spool.append(event("0"))
    spool.append(event("1"))
    files = files_of(spool)
    segment = files.segments[0]
    start = files_of(spool).start(segment)
    first = files.frame(segment, start)
    assert first is not None
    second = files.frame(segment, first.end)
    assert second is not None
    assert (second.payload, second.end) == (event("1"), files.size(segment))
    assert files.frame(segment, start + 1) is None


def test_a_rotation_shows_up_when_its_number_is_asked_for(spool: Spool) -> None:
    files = files_of(spool)
    spool.rotate(time.time())
    files.refresh(0)
    assert [segment.number for segment in files.segments] == [0]
    files.refresh(1)
    assert [segment.number for segment in files.segments] == [0, 1]


def test_the_newest_segment_has_none_that_follows(spool: Spool) -> None:
    spool.rotate(time.time())
    files = files_of(spool)
    first, last = files.segments
    assert (files.following(first), files.following(last)) == (last, None)


def test_a_deleted_segment_leaves_neither_file_nor_descriptor(spool: Spool) -> None:
    files = files_of(spool)
    segment = files.segments[0]
    files.size(segment)
    files.delete(segment)
    assert not Path(segment.path).exists()
    assert (files.segments, files._open_files) == ([], {})
