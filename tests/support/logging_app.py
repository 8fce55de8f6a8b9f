"""An application under test: a real handler; logs its error when told to, on standard input.

Lines: `one`, `on` (again and again from now on), `off`. It says `done` after each; the input's end ends it.
"""

from __future__ import annotations

import logging
import sys
import threading

from tocsin.handler import TocsinHandler

PAUSE = 0.2


def fail(number: int) -> None:
    prices = {"tea": 3}
    try:
        prices["coffee"]
    except KeyError:
        logging.exception("no price for item %d", number)


def main() -> None:
    logging.getLogger().addHandler(TocsinHandler(service=sys.argv[1], heartbeat=0.2, uncaught=False))
    stop = threading.Event()

    def again_and_again() -> None:
        while not stop.wait(PAUSE):
            fail(1)

    thread: threading.Thread | None = None
    for line in sys.stdin:
        if line.strip() == "one":
            fail(1)
        elif line.strip() == "on":
            stop.clear()
            thread = threading.Thread(target=again_and_again, daemon=True)
            thread.start()
        elif thread is not None:
            stop.set()
            thread.join()
        print("done", flush=True)


if __name__ == "__main__":
    main()
