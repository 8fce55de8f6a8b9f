"""An application that logs until it is killed and writes down each call that returned.

Usage: worker.py JOURNAL NAME THREADS. Each thread logs texts of its own (an error each, by its fingerprint)
and the same one again and again. Its segments are small and soon deleted.
"""

from __future__ import annotations

import itertools
import logging
import os
import sys
import threading

from tocsin.handler import TocsinHandler
from tocsin.handler.shipping import upkeep
from tocsin.handler.spool import damage, guards, stream


def main(journal: str, name: str, threads: str) -> None:
    upkeep.SEGMENT_BYTES = 32 * 1024
    guards.GRACE = stream.GRACE = damage.GRACE = 0.2
    written = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    handler = TocsinHandler(service=name, heartbeat=1.0)
    log = logging.Logger(name)
    log.addHandler(handler)
    pause = threading.Event()

    def say(text: str) -> None:
        log.error(text, extra={"fingerprint": [text]})
        os.write(written, f"{text}\n".encode())

    def work(who: str) -> None:
        for number in itertools.count():
            say(f"{who}#{number}")
            for _ in range(1 + number % 60):
                say(f"{who} again")
            pause.wait(0.03)

    for number in range(int(threads)):
        threading.Thread(target=work, args=(f"{name}/{number}",)).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
