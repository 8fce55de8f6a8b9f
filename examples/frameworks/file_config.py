"""Plain logging, `fileConfig`, several threads: they share one handler.

Run it:

    python file_config.py
"""

from __future__ import annotations

import logging.config
import threading
from pathlib import Path

log = logging.getLogger("orders")
prices: dict[str, float] = {}


def work() -> None:
    """Five orders fail."""
    for number in range(5):
        try:
            prices["A1"]
        except KeyError:
            log.exception("order %d has no price", number)


def main() -> None:
    """Four threads."""
    logging.config.fileConfig(Path(__file__).with_name("logging.ini"), disable_existing_loggers=False)
    workers = [threading.Thread(target=work) for _ in range(4)]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()


if __name__ == "__main__":
    main()
