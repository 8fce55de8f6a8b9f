"""Tracebacks that end in the next batch, or never: kept with their session, then one event."""

from __future__ import annotations

import msgspec
from msgspec import Raw
from support.world import an_error

from tocsin.daemon.ingest import broken_off, printed_lines
from tocsin.daemon.store.models import Session
from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import CodeLocation

LINES = ["Traceback (most recent call last):", '  File "/srv/a.py", line 1, in run', "    work()"]
END = "ValueError: no work"


def records(*lines: str, start: int = 0) -> list[broken_off.Record]:
    """Lines as paramiko logs them: one function, one thread, one moment."""
    events = [
        an_error(line, at=1000.0 + (start + i) / 10_000, logger="ssh", thread="T", function="_log")
        for i, line in enumerate(lines)
    ]
    return [(start + i, Raw(wire.encode_record(event))) for i, event in enumerate(events)]


def session() -> Session:
    return Session(id="s", events=0, clock_offset=0.0, broken_off=None)


def messages(found: list[broken_off.Record]) -> list[str]:
    return [wire.decode_event(raw).message for _, raw in found]


def test_records_that_are_no_traceback_stay_as_they_are() -> None:
    one, plain = session(), records("a plain error")
    assert broken_off.joined(one, plain, [], {}).records is plain
    assert one.broken_off is None


def test_an_unfinished_traceback_waits_with_its_session() -> None:
    one = session()
    assert broken_off.joined(one, records(*LINES), [], {}).records == []
    assert one.broken_off is not None


def test_its_rest_in_the_next_batch_makes_it_one_event() -> None:
    one = session()
    broken_off.joined(one, records(*LINES), [], {})
    found = broken_off.joined(one, records(END, "another line", start=3), [], {}).records
    assert len(found) == 2
    assert messages(found)[0] == "\n".join([*LINES, END])


def test_lines_that_became_part_of_another_event_are_counted_with_the_session() -> None:
    one = session()
    broken_off.joined(one, records(*LINES, END, "another line"), [], {})
    assert one.events == 3


def test_one_whose_rest_may_still_come_is_not_given_up() -> None:
    one = session()
    broken_off.joined(one, records(*LINES), [], {})
    kept = one.broken_off
    assert broken_off.given_up(one, 1000.0 + printed_lines.STALE, ends=False).records == []
    assert one.broken_off == kept


def test_after_a_while_without_its_rest_it_is_an_event_as_far_as_it_came() -> None:
    one = session()
    broken_off.joined(one, records(*LINES), [], {})
    assert len(broken_off.given_up(one, 1001.0 + printed_lines.STALE, ends=False).records) == 1
    assert one.broken_off is None


def test_when_its_session_ends_it_is_an_event_at_once() -> None:
    one = session()
    broken_off.joined(one, records(*LINES), [], {})
    assert len(broken_off.given_up(one, 1000.0, ends=True).records) == 1
    assert one.broken_off is None


def test_what_is_known_of_its_code_waits_with_it_without_the_source_around() -> None:
    one = session()
    place = CodeLocation("/srv/a.py", 1, module="a", in_app=True, first=1, source=("work()",))
    broken_off.joined(one, records(*LINES), [], {("/srv/a.py", 1): place})
    found = broken_off.joined(one, records(END, start=3), [], {})
    assert found.locations == {("/srv/a.py", 1): CodeLocation("/srv/a.py", 1, module="a", in_app=True)}


def test_one_kept_before_locations_were_is_read() -> None:
    one = session()
    lines = [bytes(raw) for _, raw in records(*LINES)]
    one.broken_off = msgspec.msgpack.encode([(lines, 2, False)])
    found = broken_off.joined(one, records(END, start=3), [], {})
    assert messages(found.records) == ["\n".join([*LINES, END])]
