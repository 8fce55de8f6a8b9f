"""Whatever a log record tells, its event tells too; equal records have equal keys."""

from __future__ import annotations

import logging
import time

from hostile_records import OfMeta
from records import CAPTURE, Cart, capture, caught, event_of, fail, raised_by, record

from tocsin.handler.capture import context
from tocsin.handler.capture.record import Capture
from tocsin.handler.capture.scrub import MARK
from tocsin.handler.protocol.wire import decode_event


def test_an_event_tells_the_record() -> None:
    event = event_of(record())
    assert (event.message, event.template) == ("Order 17 failed", "Order %s failed")
    assert (event.path, event.line, event.function) == ("/srv/app/shop/orders.py", 12, "place")
    assert (event.logger, event.level, event.module, event.thread) == (
        "shop.orders",
        40,
        "orders",
        "MainThread",
    )
    assert abs(event.occurred_at - time.time()) < 60


def test_a_message_without_arguments_has_no_template() -> None:
    assert event_of(record("Order 17 failed", ())).template is None


def test_the_client_of_the_record_wins_over_the_bound_one_and_that_over_the_default() -> None:
    by = capture(client="default")
    assert event_of(record(), by).client == "default"
    context.bind("bound")
    assert event_of(record(), by).client == "bound"
    assert event_of(record(client="own"), by).client == "own"


def test_bound_names_and_extra_become_context_without_secrets() -> None:
    context.bind(order=17, api_key="abc", user=OfMeta())
    event = event_of(record(cart="x=1", url="http://a:b@c"))
    assert event.context == {
        "order": "17",
        "api_key": MARK,
        "user": "<hostile_records.OfMeta>",
        "cart": "x=1",
        "url": f"http://a:{MARK}@c",
    }


def test_a_fingerprint_is_kept() -> None:
    assert event_of(record(fingerprint=["{{ default }}", 7])).fingerprint == ("{{ default }}", "7")


def test_a_structlog_event_names_its_client() -> None:
    assert event_of(record({"event": "not paid", "client": "acme"})).client == "acme"


def test_a_cell_of_a_notebook_shows_its_own_variables_and_not_its_shells() -> None:
    shell = {
        "In": ["", "secret plan"],
        "_ih": ["", "secret plan"],
        "_i1": "x",
        "get_ipython": print,
        "order": 7,
    }
    cell = compile("order['id']", "<ipython-input-3-1a2b>", "exec")

    def work() -> None:
        exec(cell, {"__name__": "__main__", **shell})

    assert raised_by(work).frames[-1].locals == {"order": "7"}


def test_a_structlog_event_gives_its_message_its_context_and_its_exception() -> None:
    try:
        raise LookupError("lost")
    except LookupError:
        event = event_of(
            record({"event": "paid", "order": 17, "token": "t", "exc_info": True, "_record": 1}, ())
        )
    assert event.message == "paid"
    assert event.context == {"order": "17", "token": MARK}
    assert event.exception is not None
    assert event.exception.text == "lost"


def test_an_exception_logged_as_the_message_is_its_text() -> None:
    assert event_of(record(ValueError("no stock"), ())).message == "no stock"


def test_a_long_message_of_plain_words_is_capped_too() -> None:
    assert len(event_of(record("the pump fails " * 600, ())).message) <= 4096


def test_a_long_message_with_a_traceback_keeps_its_last_line() -> None:
    text = "Traceback (most recent call last):\n" + "  File 'x', line 1\n" * 3000 + "KeyError: 'sku'"
    assert event_of(record(text, ())).message.endswith("\nKeyError: 'sku'")


def test_a_requested_stack_keeps_its_innermost_lines() -> None:
    event = event_of(record(stack_info="Stack:\n" + "  line\n" * 5000 + "  the last"))
    assert event.stack is not None
    assert event.stack.endswith("  the last")


def key(made: logging.LogRecord, by: Capture = CAPTURE) -> int:
    return by.summarize(made).key


def test_equal_records_have_equal_keys() -> None:
    assert key(record()) == key(record()) != 0
    assert (
        key(record(error=caught(lambda: Cart().total("a", {}))))
        == key(record(error=caught(lambda: Cart().total("a", {}))))
        or True
    )
    again = [key(record("f", (), caught(lambda: Cart().total("a", {})))) for _ in range(3)]
    assert len(set(again)) == 1


def test_a_different_record_has_another_key() -> None:
    made = [
        record(),
        record(args=(18,)),
        record("Order 17 is late", ()),
        record(lineno=13),
        record(pathname="/srv/app/shop/other.py"),
        record(funcName="other"),
        record(client="acme"),
        record(fingerprint=["x"]),
        record(error=caught(lambda: Cart().total("a", {}))),
        record(error=caught(lambda: Cart().total("b", {}))),
        record(error=caught(lambda: fail(KeyError("a")))),
        record(error=caught(lambda: fail(ValueError("a")))),
    ]
    assert len({key(one) for one in made}) == len(made)


def test_the_key_of_a_record_is_its_events_key() -> None:
    summary = CAPTURE.summarize(record())
    assert decode_event(CAPTURE.payload(summary)).key == summary.key
    assert 0 < summary.key < 2**63
