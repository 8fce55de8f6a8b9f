"""Runs in each Python: raises everything in `shop.orders`, logs it, writes events and places as msgpack."""

import logging
import sys
import time

import msgspec

from tocsin.handler.capture.code_locations import CodeLocations
from tocsin.handler.capture.mentions import mentions
from tocsin.handler.capture.record import Capture
from tocsin.handler.capture.scrub import Scrubber
from tocsin.handler.protocol.wire import decode_event

started_at = time.time()

from shop import orders  # noqa: E402


class Recorder(logging.Handler):
    def __init__(self):
        super().__init__()
        self.capture = Capture(locals="in_app", in_app=(), not_in_app=(), scrub=Scrubber(()), client=None)
        self.places = CodeLocations(
            started_at=started_at, in_app=(), not_in_app=(), sys_path=tuple(sys.path), live=True
        )
        self.seen = []

    def emit(self, record):
        event = decode_event(self.capture.payload(self.capture.summarize(record)))
        places = [self.places.of_mention(one) for one in mentions(event)]
        self.seen.append((event, places))


recorder = Recorder()
logger = logging.getLogger("shop")
logger.addHandler(recorder)
logger.propagate = False


def main():
    named = {}
    for call in orders.RAISING:
        recorder.seen.clear()
        try:
            call()
        except Exception:
            logger.exception("raised")
            named[call.__name__] = recorder.seen[0]
    recorder.seen.clear()
    orders.say()
    for number, found in enumerate(recorder.seen):
        named[f"say{number}"] = found
    sys.stdout.buffer.write(msgspec.msgpack.encode(named))


main()
