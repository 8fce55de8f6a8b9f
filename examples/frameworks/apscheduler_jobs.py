"""APScheduler: it logs the exception of a job that failed, whose client is the one bound in it.

Run it:

    python apscheduler_jobs.py
"""

from __future__ import annotations

import logging
from datetime import datetime

from apscheduler.schedulers.blocking import BlockingScheduler

import tocsin.handler

LEVELS: dict[int, float] = {}


def measure(tank: int) -> None:
    """No tank has a level."""
    with tocsin.handler.bind(client="acme", tank=tank):
        print(f"Tank {tank}: {LEVELS[tank]}")


def main() -> None:
    """Twenty tanks, measured now and every ten minutes."""
    logging.basicConfig(handlers=[tocsin.handler.TocsinHandler(service="tanks"), logging.StreamHandler()])
    scheduler = BlockingScheduler(job_defaults={"misfire_grace_time": 60})
    for tank in range(20):
        scheduler.add_job(measure, "interval", minutes=10, args=[tank], next_run_time=datetime.now())
    scheduler.start()


if __name__ == "__main__":
    main()
