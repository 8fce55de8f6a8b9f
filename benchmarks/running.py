"""What counting a function's runs costs the application, in microseconds; needs CPython 3.12 or newer.

`make bench` has it, or: python benchmarks/running.py. Each figure is the best of many rounds of one run.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from tocsin.handler.protocol.wire import WATCHED_FUNCTIONS, WatchedFunction
from tocsin.handler.running.counts import RunCounts
from tocsin.handler.running.monitor import CALLS

ROUNDS = 300
AT_ONCE = CALLS - 100
"""Calls of a round: fewer than those after which counting is interrupted."""
HEARTBEAT = 15.0


def place(number: int) -> int:
    return number + 1


def other(number: int) -> int:
    return number + 1


def per_call(function: Callable[[int], int]) -> float:
    """Microseconds of one call, in a loop whose own cost is in it."""
    begun = time.perf_counter_ns()
    for number in range(AT_ONCE):
        function(number)
    return (time.perf_counter_ns() - begun) / AT_ONCE / 1000


def best(function: Callable[[int], int], before: Callable[[], object] = lambda: None) -> float:
    found = []
    for _ in range(ROUNDS):
        before()
        found.append(per_call(function))
    return min(found)


class Counting:
    """Functions of this module are counted; time is given: a heartbeat passes when a round asks for it."""

    def __init__(self, *names: str) -> None:
        self.counts = RunCounts(HEARTBEAT)
        self.now = time.monotonic()
        begun = time.perf_counter_ns()
        self.counts.watch(
            [WatchedFunction(number, False, __name__, name) for number, name in enumerate(names)]
        )
        self.naming = (time.perf_counter_ns() - begun) / 1000

    def heartbeat(self) -> float:
        """Microseconds of what happens once a heartbeat: the look at each function, and what is told of them."""
        self.now += HEARTBEAT
        begun = time.perf_counter_ns()
        self.counts.check(self.now)
        self.counts.told()
        return (time.perf_counter_ns() - begun) / 1000


def use_up(times: int = CALLS) -> None:
    for number in range(times):
        place(number)


def measured() -> dict[str, Any]:
    """All figures, and the promises."""
    if not hasattr(sys, "monitoring"):
        return {"not counted": "this Python has no sys.monitoring"}
    plain, unwatched = best(place), best(other)
    one = Counting("place")
    counted = best(place, one.heartbeat)
    beside = best(other)
    use_up()
    interrupted = best(place)
    names = [f"function_{number}" for number in range(WATCHED_FUNCTIONS)]
    exec("\n".join(f"def {name}(): pass" for name in names), globals())
    one.counts.end()
    many = Counting("place", *names[1:])
    beats = []
    for _ in range(ROUNDS):
        use_up()  # One of them has to be taken up again.
        beats.append(many.heartbeat() / WATCHED_FUNCTIONS)
    many.counts.end()
    a_beat = min(beats) + CALLS * (counted - plain)
    return {
        "call": round(plain, 4),
        "call, counted": round(counted, 4),
        "call, counting interrupted": round(interrupted, 4),
        "call of another function": round(unwatched, 4),
        "call of another function, beside": round(beside, 4),
        "naming a function, once": round(many.naming / WATCHED_FUNCTIONS, 1),
        "heartbeat and function": round(min(beats), 1),
        "call after all is given back": round(best(place), 4),
        "promises": {
            "counted - not counted": {"is": round(counted - plain, 3), "limit": 0.5},
            "heartbeat and function, calls included": {"is": round(a_beat), "limit": 1000},
            "not watched - before": {"is": round(beside - unwatched, 3), "limit": 0.02},
        },
    }


if __name__ == "__main__":
    print(json.dumps(measured(), indent=2))
