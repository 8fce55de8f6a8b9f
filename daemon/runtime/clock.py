"""The only user of `schedule` and of the system's clock. Knows nothing of what its jobs do.

Each job has a thread and a scheduler of its own, so that one that raises or hangs starves no other. What is
due is decided by the monotonic clock, begun from the stored moment of the last run: a step of the wall clock
or a night with 23 or 25 hours makes no run too many or too few. `schedule` only wakes the thread; it plans in
naive local time, so its jobs are made again when wall and monotonic clock part.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import schedule
from msgspec import Struct

from tocsin.daemon.failure import Failed
from tocsin.daemon.log import log
from tocsin.daemon.runtime.liveness import Beat

STEP = 60.0
"""Seconds by which wall and monotonic clock may part before the wake-ups are planned again."""
WAKE = 1.0
"""Seconds between two wake-ups, at most."""


def now() -> float:
    """This moment: epoch seconds, UTC."""
    return time.time()


class Job(Struct, frozen=True):
    """Work to be done every so many seconds; `first` is the delay before the first time."""

    name: str
    every: float
    work: Callable[[float], object]
    first: float = 0.0


def remaining(every: float, last: float | None, at: float) -> float:
    """Seconds until work last done at `last` is due again; 0 when `last` is unknown or ahead of `at`."""
    if last is None or last > at:
        return 0.0
    return max(0.0, every - (at - last))


class Ticker:
    """When one job is due, by the monotonic clock. The clocks are given, for tests."""

    def __init__(
        self,
        job: Job,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = now,
    ) -> None:
        self._job = job
        self._monotonic = monotonic
        self._wall = wall
        self._due = monotonic() + job.first
        self._apart = wall() - monotonic()
        self._refused = ""
        """What the job says that a person has to mend, while it says so."""
        self._scheduler = schedule.Scheduler()
        self._plan()

    def _plan(self) -> None:
        self._scheduler.clear()
        self._scheduler.every(1).seconds.do(self.wake)

    def tick(self) -> None:
        """Lets schedule wake the job, after planning again when the clocks have parted."""
        apart = self._wall() - self._monotonic()
        if abs(apart - self._apart) > STEP:
            log.warning("clock_step", seconds=round(apart - self._apart), job=self._job.name)
            self._apart = apart
            self._plan()
        self._scheduler.run_pending()

    def wake(self) -> None:
        """Runs the job when it is due; what it raises is logged and the next time stays planned.

        What a person can mend is logged once, in a line, for as long as it stays the same.
        """
        if self._monotonic() < self._due:
            return
        self._due = self._monotonic() + self._job.every
        try:
            self._job.work(self._wall())
            self._refused = ""
        except Failed as error:
            if str(error) != self._refused:
                self._refused = str(error)
                log.error("job_failed", job=self._job.name, error=self._refused)
        except Exception:
            log.exception("job_failed", job=self._job.name)


def start(job: Job, stop: threading.Event, beat: Beat = lambda: None) -> threading.Thread:
    """Runs the job in a thread of its own until `stop` is set; `beat` is called at every turn."""

    def run() -> None:
        ticker = Ticker(job)
        while not stop.wait(min(WAKE, job.every)):
            beat()
            ticker.tick()

    thread = threading.Thread(target=run, name=f"clock-{job.name}", daemon=True)
    thread.start()
    return thread
