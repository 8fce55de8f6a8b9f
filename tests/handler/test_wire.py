"""Messages as bytes and back: whatever a peer sends is a message of ours or a WireError."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import CodeLocation, DuplicateReference, Event, Frame, Header, Raised

SESSION = "0123456789abcdef0123456789abcdef"
HEADER = Header(1, SESSION, 0, "shop", None, None, "web1", 7, "3.11", 0.0, 0.0, 10.0, ("ipc://x",))
OBSERVED = wire.Observed(("shop.payments",), (wire.FunctionRuns(3, False, 1532, 1.5, True, "running"),))
WATCHED = wire.Watched((("shop.payments", 40),), (wire.WatchedFunction(3, True, "shop.orders", "Order.pay"),))
FROM_HANDLER = [
    wire.Hello(HEADER, 20, 40, 1.5, True, "db", 3, 12.5),
    wire.Batch(SESSION, 0, 300, [(7, Raw(b"\x90"))], [Raw(b"\x91\x01")], [Raw(b"\xc0")], 2.5, 9, OBSERVED),
    wire.Heartbeat(SESSION, 4, 1.0, OBSERVED),
    wire.Goodbye(SESSION, 4, 1.0, 0.5, OBSERVED),
]
FROM_DAEMON = [
    wire.Welcome(SESSION, "db", 12, 1.0, WATCHED),
    wire.Ack(SESSION, 12, WATCHED),
    wire.Refusal(SESSION, "gap", "from 12 on", False, 12),
]
EVENT = Event(1.0, 40, "shop", "failed", None, "/srv/a.py", "a", "f", 3, key=5)
PLACE = CodeLocation("/srv/a.py", 3, "x=1", "failed")


def batch(start: int, end: int, session: str = SESSION, tail: bytes = b"\xc1") -> bytes:
    """A batch whose range can be read and whose records cannot."""
    head = b"".join(msgspec.msgpack.encode(part) for part in (session, start, end))
    return bytes([wire.VERSION]) + b"\x98\x02" + head + tail


@pytest.mark.parametrize("message", FROM_HANDLER, ids=lambda one: type(one).__name__)
def test_a_handler_s_message_is_read_as_it_was_written(message: wire.FromHandler) -> None:
    assert wire.decode_from_handler(wire.encode(message)) == message


@pytest.mark.parametrize("message", FROM_DAEMON, ids=lambda one: type(one).__name__)
def test_a_daemon_s_message_is_read_as_it_was_written(message: wire.FromDaemon) -> None:
    assert wire.decode_from_daemon(wire.encode(message)) == message


def test_a_message_begins_with_the_protocol_version() -> None:
    assert wire.encode(FROM_DAEMON[1])[0] == wire.VERSION


def test_neither_side_takes_the_other_s_messages() -> None:
    with pytest.raises(wire.WireError):
        wire.decode_from_daemon(wire.encode(FROM_HANDLER[2]))
    with pytest.raises(wire.WireError):
        wire.decode_from_handler(wire.encode(FROM_DAEMON[1]))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_wire_error(data: bytes) -> None:
    for decode in (wire.decode_from_handler, wire.decode_from_daemon):
        with suppress(wire.WireError):
            decode(data)


@given(st.binary(max_size=200))
def test_any_bytes_behind_a_version_are_a_message_or_a_wire_error(data: bytes) -> None:
    for decode in (wire.decode_from_handler, wire.decode_from_daemon):
        with suppress(wire.WireError):
            decode(bytes([wire.VERSION]) + data)


def test_no_bytes_are_no_message() -> None:
    with pytest.raises(wire.WireError, match=r"^an empty message$"):
        wire.decode_from_daemon(b"")


def test_another_version_is_named_with_ours() -> None:
    with pytest.raises(wire.WireError, match=r"^protocol version 9, this side speaks 1$") as caught:
        wire.decode_from_daemon(b"\x09" + wire.encode(FROM_DAEMON[1])[1:])
    assert caught.value.version == 9
    assert caught.value.theirs


def test_what_is_no_message_says_why() -> None:
    with pytest.raises(wire.WireError, match=r"^not a message of ours: .*invalid opcode") as caught:
        wire.decode_from_daemon(bytes([wire.VERSION]) + b"\xc1")
    assert caught.value.theirs
    assert caught.value.version is None


def test_a_message_over_the_limit_is_ours_to_mend() -> None:
    room = wire.MESSAGE_LIMIT - len(wire.encode(wire.Refusal(SESSION, "busy", "x" * 70_000))) + 70_000
    assert len(wire.encode(wire.Refusal(SESSION, "busy", "x" * room))) == wire.MESSAGE_LIMIT
    with pytest.raises(
        wire.WireError, match=r"^a message of 1048577 bytes is over the limit of 1048576$"
    ) as caught:
        wire.encode(wire.Refusal(SESSION, "busy", "x" * (room + 1)))
    assert caught.value.theirs is False


@pytest.mark.parametrize(
    ("value", "decode"),
    [(EVENT, wire.decode_record), (PLACE, wire.decode_record), (DuplicateReference(5, 2.0), wire.decode_record),
     (PLACE, wire.decode_location), (EVENT, wire.decode_event)],
)  # fmt: skip
def test_what_a_spool_holds_is_read_as_it_was_written(value: Any, decode: Callable[[bytes], Any]) -> None:
    assert decode(wire.encode_record(value)) == value
    assert decode(Raw(wire.encode_record(value))) == value


@pytest.mark.parametrize("decode", [wire.decode_record, wire.decode_location, wire.decode_event])
def test_a_record_that_is_none_is_a_wire_error(decode: Callable[[bytes], Any]) -> None:
    with pytest.raises(wire.WireError, match="not a message of ours"):
        decode(b"\xa4text")


def test_text_that_is_no_utf_8_is_a_wire_error() -> None:
    broken = wire.encode_record(EVENT).replace(b"failed", b"fa\xfflds")
    with pytest.raises(wire.WireError, match="not a message of ours"):
        wire.decode_record(broken)


def test_a_lone_surrogate_goes_through_as_its_escape() -> None:
    found = wire.decode_event(wire.encode_record(msgspec.structs.replace(EVENT, message="a\udc80b")))
    assert found == msgspec.structs.replace(EVENT, message="a\\udc80b")


def test_lone_surrogates_are_found_at_any_depth() -> None:
    frame = Frame("/srv/a.py", "a", "f", 1, {"k\udc80": "v\udc81"}, {"n": [1, "\udc82", None, {"x": 2.5}]})
    raised = Raised("E", "t\udc83", (frame,), cause=Raised("C", "plain"))
    found = wire.decode_event(wire.encode_record(msgspec.structs.replace(EVENT, exception=raised)))
    assert found.exception is not None
    assert found.exception.text == "t\\udc83"
    assert found.exception.cause == Raised("C", "plain")
    assert found.exception.frames[0].locals == {"k\\udc80": "v\\udc81"}
    assert found.exception.frames[0].arguments == {"n": [1, "\\udc82", None, {"x": 2.5}]}


def test_a_payload_of_msgpack_is_carried_as_it_is() -> None:
    payload = wire.encode_record(EVENT)
    assert wire.carried(payload) == payload


@pytest.mark.parametrize("payload", [b"\xc1", b"", b"\xa2\xff\xfe", b"\x91" * 5000, b"\x90\x90"])
def test_a_payload_that_is_no_msgpack_is_carried_as_a_byte_string(payload: bytes) -> None:
    assert msgspec.msgpack.decode(wire.carried(payload)) == payload


@pytest.mark.parametrize(("start", "end"), [(0, 1), (0x7F, 0x80), (300, 70_000), (2**32, 2**40)])
def test_the_range_of_a_broken_batch_is_salvaged_with_its_bytes_as_one_record(start: int, end: int) -> None:
    data = batch(start, end)
    found = wire.salvage(data)
    assert found == wire.Batch(SESSION, start, end, [(start, Raw(msgspec.msgpack.encode(data)))])


def test_a_salvaged_batch_can_be_answered_like_any_other() -> None:
    found = wire.salvage(batch(5, 6))
    assert found is not None
    assert wire.decode_from_handler(wire.encode(found)) == found


@pytest.mark.parametrize(
    "data",
    [b"", wire.encode(FROM_HANDLER[2]), batch(5, 5), batch(6, 5), batch(0, 1, "short"), batch(0, 1, "G" * 32),
     b"\x02" + batch(0, 1)[1:]],
)  # fmt: skip
def test_what_is_no_batch_or_an_empty_one_cannot_be_salvaged(data: bytes) -> None:
    assert wire.salvage(data) is None


@pytest.mark.parametrize("message", [FROM_HANDLER[0], FROM_HANDLER[1], FROM_HANDLER[2], FROM_HANDLER[3]])
def test_a_message_of_an_older_handler_says_nothing_of_what_it_did_not_know(
    message: wire.FromHandler,
) -> None:
    fields = msgspec.msgpack.decode(wire.encode(message)[1:])
    older = bytes([wire.VERSION]) + msgspec.msgpack.encode(fields[:-1])
    last = message.__struct_fields__[-1]
    assert wire.decode_from_handler(older) == msgspec.structs.replace(message, **{last: None})


def test_an_older_daemon_reads_a_message_that_says_more() -> None:
    fields = msgspec.msgpack.decode(wire.encode(FROM_HANDLER[2])[1:])
    newer = bytes([wire.VERSION]) + msgspec.msgpack.encode([*fields, "more"])
    assert wire.decode_from_handler(newer) == FROM_HANDLER[2]
