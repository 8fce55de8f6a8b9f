"""Asks a scrubber again what it was asked for exceptions, and takes the time. Needs the handler only.

`python scrubbing.py ROUNDS` reads the questions from standard input (`grouping` writes them) and prints microseconds.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from tocsin.handler.capture.scrub import Scrubber

REPEATS = 20
Calls = list[tuple[str, Any]]
"""(method, argument) of what was asked for one exception."""


def median(rounds: int, works: Iterable[Callable[[], object]]) -> float:
    """Microseconds: of each work the best round, of the works the median."""
    works = list(works)
    best = [float("inf")] * len(works)
    for _ in range(rounds):
        for index, work in enumerate(works):
            began = time.perf_counter_ns()
            for _ in range(REPEATS):
                work()
            best[index] = min(best[index], (time.perf_counter_ns() - began) / REPEATS / 1000)
    return round(statistics.median(best), 2)


def scrubbing(rounds: int, calls: list[Calls]) -> float:
    scrub = Scrubber(())

    def work(of: Calls) -> Callable[[], None]:
        bound = [(getattr(scrub, name), value) for name, value in of]

        def run() -> None:
            for method, value in bound:
                method(value)

        return run

    return median(rounds, map(work, calls))


if __name__ == "__main__":
    print(scrubbing(int(sys.argv[1]), json.load(sys.stdin)))
