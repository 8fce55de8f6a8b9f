"""Whatever a log record holds, it becomes one bounded event, and no foreign code runs unasked."""

from __future__ import annotations

import time

import pytest
from hostile_records import HOSTILE
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from records import CAPTURE, event_of, record

from tocsin.handler.protocol.event import PAYLOAD_LIMIT, Event
from tocsin.handler.protocol.wire import decode_record


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_record_becomes_one_bounded_event(kind: str, opened: list[str]) -> None:
    made = HOSTILE[kind]()
    opened.clear()
    start = time.thread_time()
    payload = CAPTURE.payload(CAPTURE.summarize(made))
    assert time.thread_time() - start < 0.5
    assert len(payload) <= PAYLOAD_LIMIT
    decoded = decode_record(payload)
    assert isinstance(decoded, Event)
    assert "\0" not in str(structs.asdict(decoded))
    assert "capture failed" not in decoded.message
    assert "could not be read" not in decoded.message
    assert opened == []


@pytest.mark.parametrize("name", sorted(vars(record())))
def test_a_record_that_lacks_an_attribute_is_an_event(name: str) -> None:
    made = record()
    delattr(made, name)
    assert not {"read", "failed:"} & set(event_of(made).message.split())


def test_a_second_logger_at_the_same_line_has_its_own_name() -> None:
    made, other = record(), record()
    other.name = "shop.audit"
    assert [event_of(one).logger for one in (made, other, made)] == [
        "shop.orders",
        "shop.audit",
        "shop.orders",
    ]


def test_a_message_that_cannot_be_formatted_shows_its_template_and_types() -> None:
    assert event_of(record("%s %s", (1,))).message == "%s %s [not formatted: TypeError; arguments: int]"


def test_a_log_call_at_the_recursion_limit_is_captured() -> None:
    payloads: list[bytes] = []

    def down() -> None:
        try:
            down()
        except RecursionError as error:
            payloads.append(CAPTURE.payload(CAPTURE.summarize(record("deep", (), error))))
            raise

    with pytest.raises(RecursionError):
        down()
    assert len(payloads) > 100
    assert all(len(payload) <= PAYLOAD_LIMIT for payload in payloads)


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_text_survives_the_way_to_the_daemon(message: str, error: str) -> None:
    event = event_of(record(message, (), ValueError(error)))
    event.message.encode()
    assert "\0" not in event.message
