"""A batch while it is put together: it fits into one message, and whoever reads it needs nothing beside it."""

from __future__ import annotations

from typing import Any, cast

import msgspec
import pytest
from msgspec import Raw
from spools import event

from tocsin.handler.capture.code_locations import CodeLocations
from tocsin.handler.capture.mentions import Mention
from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import CodeLocation, DuplicateReference, Lost
from tocsin.handler.spool import draft as draft_module
from tocsin.handler.spool import known_locations
from tocsin.handler.spool.definitions import Definitions
from tocsin.handler.spool.draft import Draft
from tocsin.handler.spool.files import Spool
from tocsin.handler.spool.frames import Found
from tocsin.handler.spool.known_locations import KnownLocations
from tocsin.handler.spool.segment_files import SegmentFiles


class Source:
    """Stands for the reader of source code: answers each time with another statement."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked = 0
        self.error = error

    def of_mention(self, mention: Mention) -> CodeLocation:
        if self.error:
            raise self.error
        self.asked += 1
        return CodeLocation(mention.path, mention.line, statement=f"answer {self.asked}")


def locations(spool: Spool, source: Any = None) -> KnownLocations:
    """A living session's."""
    files = SegmentFiles(spool.directory, spool.header.session)
    return KnownLocations(files, spool, cast(CodeLocations, source))


def drafted(spool: Spool, *payloads: bytes) -> Draft:
    """A draft that took these records, one after another."""
    files = SegmentFiles(spool.directory, spool.header.session)
    made = Draft(0, Definitions(files), locations(spool))
    for number, payload in enumerate(payloads, 1):
        made.apply(0, Found(number, number + 1, number, payload))
    return made


def statement(location: Raw) -> str:
    return wire.decode_location(location).statement or ""


def test_a_record_of_a_newer_handler_goes_as_it_is(spool: Spool) -> None:
    unknown = msgspec.msgpack.encode([99, "later"])
    assert [bytes(payload) for _, payload in drafted(spool, unknown).frames] == [unknown]


def test_bytes_that_would_break_the_message_are_wrapped(spool: Spool) -> None:
    (_, payload), *_ = drafted(spool, b"\xc1").frames
    assert msgspec.msgpack.decode(payload) == b"\xc1"


def test_an_event_of_the_batch_itself_is_no_definition_beside_it(spool: Spool) -> None:
    reference = wire.encode_record(DuplicateReference(7, 2.0))
    batch = drafted(spool, event("0", key=7), reference).batch("session", 0, 0.0)
    assert ([bytes(payload) for _, payload in batch.frames][1:], batch.definitions) == ([reference], [])


def test_a_key_that_nobody_defines_is_reported_as_lost(spool: Spool) -> None:
    (_, payload), *_ = drafted(spool, wire.encode_record(DuplicateReference(7, 2.0))).frames
    assert wire.decode_record(payload) == Lost("undefined", 1)


def test_each_location_goes_once_in_a_batch(spool: Spool) -> None:
    one, two = drafted(spool, event("0")), drafted(spool, event("0"), event("1"))
    assert two.size - one.size == len(event("1")) + 10
    assert len(two.batch("session", 0, 0.0).places) == 1


def test_a_batch_that_fills_a_message_takes_no_more_locations(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draft_module, "BATCH_MOST", 0)
    assert len(drafted(spool, event("0"), event("1", line=2)).batch("s", 0, 0.0).places) == 1


def test_a_batch_is_full_from_so_many_bytes_on(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    made = drafted(spool, event("0"))
    monkeypatch.setattr(draft_module, "BATCH_BYTES", made.size)
    assert made.full
    monkeypatch.setattr(draft_module, "BATCH_BYTES", made.size + 1)
    assert not made.full


def test_a_location_stays_what_it_was_when_first_read(spool: Spool) -> None:
    known = locations(spool, Source())
    assert [statement(known.find(Mention("/a.py", 1, "a"))) for _ in range(2)] == ["answer 1"] * 2


def test_a_source_that_fails_leaves_the_locations_name(spool: Spool) -> None:
    location = wire.decode_location(locations(spool, Source(ValueError())).find(Mention("/a.py", 1, "a")))
    assert (location.path, location.line, location.module) == ("/a.py", 1, "a")


def test_a_living_session_remembers_so_many_locations_then_reads_again(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_locations, "_MOST", 2)
    known = locations(spool, Source())
    for line in (1, 2, 3):
        known.find(Mention("/a.py", line))
    assert statement(known.find(Mention("/a.py", 1))) == "answer 4"


def test_a_location_is_noted_once_in_a_segment_and_again_in_the_next(spool: Spool) -> None:
    known = locations(spool)
    location = known.find(Mention("/a.py", 1, "a"))
    sizes = []
    for number in (0, 0):
        known.note(Mention("/a.py", 1), location, number)
        sizes.append(known._files.size(known._files.segments[0]))
    assert sizes[0] == sizes[1] > 0
    spool.rotate(1.0)
    known._files.refresh(1)
    begun = known._files.size(known._files.segments[1])
    known.note(Mention("/a.py", 1), location, 1)
    assert known._files.size(known._files.segments[1]) > begun
