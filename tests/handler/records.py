"""Log records and the events they become."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from tocsin.handler.capture.record import Capture
from tocsin.handler.capture.scrub import Scrubber
from tocsin.handler.protocol.event import PAYLOAD_LIMIT, Event, Raised
from tocsin.handler.protocol.wire import decode_record


def capture(locals: Any = "in_app", client: str | None = None, **settings: Any) -> Capture:
    settings = {"in_app": (), "not_in_app": (), "scrub": Scrubber(), **settings}
    return Capture(locals=locals, client=client, **settings)


CAPTURE = capture()


def record(
    msg: Any = "Order %s failed", args: Any = (17,), error: Any = None, **extra: Any
) -> logging.LogRecord:
    info = (type(error), error, None) if isinstance(error, BaseException) else error
    made = logging.LogRecord("shop.orders", 40, "/srv/app/shop/orders.py", 12, msg, (), info, "place")
    made.args = args
    made.__dict__.update(extra)
    return made


class Cart:
    def total(self, sku: str, prices: dict[str, int], *, discount: float = 0.5) -> float:
        found = prices[sku]
        return found * discount


def event_of(made: logging.LogRecord, by: Capture = CAPTURE) -> Event:
    """The event as the daemon will see it."""
    payload = by.payload(by.summarize(made))
    assert len(payload) <= PAYLOAD_LIMIT
    decoded = decode_record(payload)
    assert isinstance(decoded, Event)
    return decoded


def caught(work: Callable[[], object]) -> BaseException:
    try:
        work()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def raised_by(work: Callable[[], object], by: Capture = CAPTURE) -> Raised:
    exception = event_of(record("failed", (), caught(work)), by).exception
    assert exception is not None
    return exception


def fail(error: BaseException) -> None:
    raise error
