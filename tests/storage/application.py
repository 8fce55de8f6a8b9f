"""An application that logs until its standard input ends, then says how much that was.

Usage: application.py SPOOL RATE KINDS ENDPOINT...
"""

from __future__ import annotations

import logging
import select
import sys
import time

from tocsin.handler import TocsinHandler


def main() -> None:
    spool, rate, kinds, *endpoints = sys.argv[1:]
    handler = TocsinHandler(endpoints, "shop", spool=spool, heartbeat=1.0, environment="production")
    log = logging.Logger("shop")
    log.addHandler(handler)
    began, logged = time.monotonic(), 0
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], 0.01)[0]:
        while logged < (time.monotonic() - began) * float(rate):
            kind = f"kind {logged % int(kinds)}"
            log.error("request %d failed", logged, extra={"fingerprint": [kind]})
            logged += 1
    delivered = handler.destination.await_delivery(90.0)
    print(logged, delivered, flush=True)


if __name__ == "__main__":
    main()
