"""What a benchmark's application logs: real exceptions, 8 frames deep, through a real handler.

Run as a process of its own: `python workload.py CASE COUNT --spool DIR ...`; it prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tocsin.handler import TocsinHandler
from tocsin.handler.spool.recent_events import RecentEvents

KINDS = 200
DEPTH = 8
_FUNCTION = """
def fail_{number}(depth, payload, rows):
    note_{number} = {{"step": depth, "customer": "c-%d" % depth, "items": rows[:4]}}
    if depth:
        return fail_{number}(depth - 1, payload, rows)
    order = "order-%d" % len(rows)
    raise {kind}("{number} cannot be handled", order)
"""
_TYPES = ("KeyError", "ValueError", "LookupError", "RuntimeError")


class Forgetful(RecentEvents):
    """Every event is told in full."""

    def page(self, segment: int, now: float) -> dict[int, int]:
        return {}


def functions(directory: Path, kinds: int = KINDS) -> list[Callable[..., None]]:
    """`kinds` functions in a module file of their own, each failing in its own way."""
    path = directory / "shop_code.py"
    source = "".join(_FUNCTION.format(number=i, kind=_TYPES[i % len(_TYPES)]) for i in range(kinds))
    if not path.exists():
        path.write_text(source, "utf-8")
    names: dict[str, object] = {"__name__": "shop_code", "__file__": str(path)}
    exec(compile(source, str(path), "exec"), names)  # a module as good as imported, whatever the directory
    return [names[f"fail_{i}"] for i in range(kinds)]  # type: ignore[misc]


def logger_of(case: str, directory: Path, size: int) -> Callable[[logging.Logger, int], None]:
    """What logs the n-th error of a case."""
    if case == "messages":
        return lambda log, n: log.error(f"order {n} of customer c-{n % 977} cannot be shipped: {n * 7} left")
    fails = functions(directory)
    payload = "x" * 100
    rows = [f"line {i} " * 6 for i in range(8)]
    extra = {f"field_{i}": "value " * 12 for i in range(max((size - 1500) // 90, 0) // (DEPTH + 1))}

    def fail(log: logging.Logger, n: int) -> None:
        one = fails[n % KINDS if case == "many" else 0]
        try:
            one(DEPTH - 2, {**extra, "text": payload}, rows)
        except Exception:
            log.exception("request failed")

    return fail


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("case", choices=("one", "many", "messages"))
    parser.add_argument("count", type=int)
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--spool", required=True)
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--code", required=True)
    parser.add_argument("--rate", type=float, default=0.0, help="errors a second; 0: as fast as it goes")
    parser.add_argument("--no-repeats", action="store_true")
    parser.add_argument("--leave", action="store_true", help="die at once, the spool stays behind")
    options = parser.parse_args()
    handler = TocsinHandler(options.endpoint, "shop", spool=options.spool, spool_limit="8GB")
    if options.no_repeats:
        handler.destination._recent = Forgetful()
    log = logging.Logger("shop")
    log.addHandler(handler)
    fail = logger_of(options.case, Path(options.code), options.size)
    began, spent = time.monotonic(), time.process_time()
    for n in range(options.count):
        fail(log, n)
        if options.rate and n % 20 == 19:
            ahead = began + (n + 1) / options.rate - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
    took, cpu = time.monotonic() - began, time.process_time() - spent
    ended = time.monotonic()
    if not options.leave:
        handler.destination.await_delivery(60.0)
    behind = time.monotonic() - ended
    print(json.dumps({"seconds": took, "cpu": cpu, "behind": behind}), flush=True)
    if options.leave:
        os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
