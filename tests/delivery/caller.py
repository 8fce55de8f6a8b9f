"""Logs again and again and says, as JSON, how long that kept others waiting. Usage: caller.py KIND CALLS.

KIND: `thread`, the log calls themselves; `asyncio` and `gevent`, a ticker that shares the thread with them.
"""

from __future__ import annotations

import sys

if sys.argv[1] == "gevent":
    from gevent import monkey

    monkey.patch_all()  # Before anything else is imported.

import asyncio
import json
import logging
import os
import time

import gevent

from tocsin.handler import TocsinHandler

TICK = 0.005
AT_ONCE = 20

log = logging.Logger("caller")


def thread(calls: int) -> float:
    """99th percentile of the calls, in seconds."""
    taken = []
    for number in range(calls):
        begun = time.perf_counter()
        log.error("order %d could not be shipped", number)
        taken.append(time.perf_counter() - begun)
    return sorted(taken)[calls * 99 // 100]


def with_asyncio(calls: int) -> float:
    """The longest that a task had to wait beyond its time, in seconds."""

    async def both() -> float:
        work = asyncio.create_task(logging_task())
        late = 0.0
        while not work.done():
            begun = time.perf_counter()
            await asyncio.sleep(TICK)  # The scenario: the ticker whose lateness is measured.
            late = max(late, time.perf_counter() - begun - TICK)
        return late

    async def logging_task() -> None:
        for number in range(calls):
            log.error("order %d could not be shipped", number)
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)  # The load: gives its turn away as any task does.

    return asyncio.run(both())


def with_gevent(calls: int) -> float:
    """The longest gap between two ticks of a greenlet, in seconds."""

    def logging_greenlet() -> None:
        for number in range(calls):
            log.error("order %d could not be shipped", number)
            if number % AT_ONCE == 0:
                gevent.sleep(0)  # The load: gives its turn away as any greenlet does.

    work = gevent.spawn(logging_greenlet)
    gap = 0.0
    while not work.ready():
        begun = time.perf_counter()
        gevent.sleep(TICK)  # The scenario: the ticker whose lateness is measured.
        gap = max(gap, time.perf_counter() - begun)
    return gap


if __name__ == "__main__":
    log.addHandler(TocsinHandler(service="caller"))
    kinds = {"thread": thread, "asyncio": with_asyncio, "gevent": with_gevent}
    print(json.dumps(kinds[sys.argv[1]](int(sys.argv[2]))), flush=True)
    os._exit(0)
