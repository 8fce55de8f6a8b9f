"""Plain logging, `dictConfig`, several worker processes: each has a handler of its own after the fork.

Run it:

    python dict_config.py
"""

from __future__ import annotations

import logging.config
import multiprocessing

import tocsin.handler

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {
        "tocsin": {"class": "tocsin.handler.TocsinHandler", "level": "ERROR", "service": "invoicing"}
    },
    "root": {"handlers": ["tocsin"]},
}
log = logging.getLogger("invoices")


def work(worker: int) -> None:
    """Five invoices of one client fail."""
    with tocsin.handler.bind(client="acme", worker=worker):
        for number in range(5):
            log.error("invoice %d has no address", number)


def main() -> None:
    """Four workers."""
    logging.config.dictConfig(LOGGING)
    workers = [multiprocessing.Process(target=work, args=(worker,)) for worker in range(4)]
    for process in workers:
        process.start()
    for process in workers:
        process.join()


if __name__ == "__main__":
    main()
