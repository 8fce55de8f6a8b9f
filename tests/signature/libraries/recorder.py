"""What our handler makes of each record, with what the source says, one base64 line each in $TOCSIN_RECORDS.

Children of the program write into the same file.
"""

import atexit
import base64
import logging
import os
import sys
import time

import msgspec

from tocsin.handler.capture.code_locations import CodeLocations
from tocsin.handler.capture.mentions import mentions
from tocsin.handler.capture.record import Capture
from tocsin.handler.capture.scrub import Scrubber
from tocsin.handler.protocol.wire import decode_event


class Recorder(logging.Handler):
    """On the root logger. `enough`: after so many records, of children too, the program is asked to end.

    The source is looked up at the program's end, as a thread of its own does it later in a live one, or at once.
    """

    def __init__(self, enough=0, end=lambda: None, at_once=False):
        super().__init__(logging.ERROR)
        self.capture = Capture(locals="none", in_app=(), not_in_app=(), scrub=Scrubber(()), client=None)
        self.places = CodeLocations(
            started_at=time.time() + 60, in_app=(), not_in_app=(), sys_path=tuple(sys.path), live=True
        )
        self.file = os.open(os.environ["TOCSIN_RECORDS"], os.O_CREAT | os.O_APPEND | os.O_RDWR)
        self.pid, self.enough, self.end, self.at_once = os.getpid(), enough, end, at_once
        self.seen = []
        atexit.register(self.write)

    def emit(self, record):
        self.seen.append(decode_event(self.capture.payload(self.capture.summarize(record))))
        if self.at_once:
            self.write()
        if self.pid == os.getpid() and self.enough and self.written() >= self.enough:
            self.enough = 0
            self.end()

    def write(self):
        for event in self.seen:
            places = [self.places.of_mention(one) for one in mentions(event)]
            os.write(self.file, base64.b64encode(msgspec.msgpack.encode((event, places))) + b"\n")
        self.seen.clear()

    def written(self):
        return os.pread(self.file, os.fstat(self.file).st_size, 0).count(b"\n")


def record(**more):
    logging.basicConfig(level=logging.INFO, handlers=[Recorder(**more)], force=True)
