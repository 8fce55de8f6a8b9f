"""An application under test: a real handler; logs its error when told to, on standard input.

Its code runs all the time. Lines: `one`, `on` (again and again from now on), `off`. It says `done` after each; the
input's end ends it.
"""

from __future__ import annotations

import logging
import sys
import threading

from tocsin.handler import TocsinHandler

PAUSE = 0.2


def sell(article: str) -> None:
    prices = {"tea": 3}
    try:
        prices[article]
    except KeyError:
        logging.exception("no price for %s", article)


def main() -> None:
    logging.getLogger().addHandler(TocsinHandler(service=sys.argv[1], heartbeat=0.2, uncaught=False))
    failing, selling = threading.Event(), threading.Lock()

    def again_and_again() -> None:
        pause = threading.Event()
        while not pause.wait(PAUSE):
            with selling:
                sell("coffee" if failing.is_set() else "tea")

    threading.Thread(target=again_and_again, daemon=True).start()
    for line in sys.stdin:
        with selling:
            if line.strip() == "one":
                sell("coffee")
            elif line.strip() == "on":
                failing.set()
            else:
                failing.clear()
        print("done", flush=True)


if __name__ == "__main__":
    main()
