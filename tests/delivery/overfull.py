"""Logs far beyond the spool's limit, with no daemon, and kills itself. Usage: overfull.py RECORDS POINT.

Prints how many log calls have returned. POINT: `at once`, `before the telling` or `after the telling` of what
was only counted.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from typing import Any

from tocsin.handler import TocsinHandler
from tocsin.handler.shipping import shipper
from tocsin.handler.spool.files import Spool


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dying_note(self: Spool, payload: bytes) -> None:
    if sys.argv[2] == "before the telling":
        die()
    note(self, payload)
    die()


note = Spool.note

if __name__ == "__main__":
    shipper.REPORT = 1e9
    handler = TocsinHandler(service="overfull", spool_limit="64KB")
    log = logging.Logger("overfull")
    log.addHandler(handler)
    pause = threading.Event()
    handler.destination.begin()
    session = handler.destination._session
    assert session is not None
    logged = 0
    while session.quota.level < 2:
        log.error("order %d could not be shipped " + "x" * 400, logged)
        logged += 1
        if logged % 100 == 0:
            pause.wait(0.02)
    for _ in range(int(sys.argv[1])):
        log.error("order %d could not be shipped", logged)
        logged += 1
    print(logged, flush=True)
    if sys.argv[2] != "at once":
        Spool.note = dying_note  # type: ignore[method-assign]
        shipper.REPORT = 0.0
        pause.wait()
    die()
