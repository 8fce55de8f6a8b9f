"""Logs far beyond the spool's limit, with no daemon, and dies of SIGKILL. Usage: overfull.py RECORDS END.

Prints how many log calls have returned. END: `dies` by itself, or `reports` what was only counted and dies of
the failpoint in that.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading

from tocsin.handler import TocsinHandler
from tocsin.handler.shipping import shipper

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
    if sys.argv[2] == "reports":
        shipper.REPORT = 0.0
        pause.wait()
    os.kill(os.getpid(), signal.SIGKILL)
