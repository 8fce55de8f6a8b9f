"""structlog: what it logs goes through `logging`, with all that is bound. `client` names the client.

Run it:

    python structlog_app.py
"""

from __future__ import annotations

import logging
import threading

import structlog

from tocsin.handler import TocsinHandler

logging.basicConfig(handlers=[TocsinHandler(service="deliveries"), logging.StreamHandler()])
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.filter_by_level,
        structlog.stdlib.render_to_log_kwargs,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
)
log = structlog.get_logger("deliveries")


def deliver(van: int) -> None:
    """Five parcels of one client do not arrive."""
    structlog.contextvars.bind_contextvars(client="acme", van=van)
    for parcel in range(5):
        log.error("parcel not delivered", parcel=parcel)


def main() -> None:
    """Four vans, each a thread."""
    vans = [threading.Thread(target=deliver, args=(van,)) for van in range(4)]
    for thread in vans:
        thread.start()
    for thread in vans:
        thread.join()


if __name__ == "__main__":
    main()
