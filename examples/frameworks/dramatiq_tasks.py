"""Dramatiq workers with several processes: each ships its own errors. Messages go through Redis.

Run the workers, and send them a message:

    dramatiq --processes 3 --threads 2 dramatiq_tasks
    python -c 'from dramatiq_tasks import weigh; weigh.send("acme", 17)'
"""

from __future__ import annotations

import logging
import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker

import tocsin.handler

logging.getLogger().addHandler(tocsin.handler.TocsinHandler(service="scales"))
dramatiq.set_broker(RedisBroker(url=os.environ.get("REDIS_URL", "redis://127.0.0.1:6379")))

WEIGHTS: dict[int, float] = {}


@dramatiq.actor(max_retries=0)
def weigh(client: str, parcel: int) -> None:
    """Raises, and Dramatiq logs it."""
    with tocsin.handler.bind(client=client):
        print(f"Parcel {parcel} weighs {WEIGHTS[parcel]} kg")
