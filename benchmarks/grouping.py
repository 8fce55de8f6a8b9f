"""What finding secrets costs a log call, and what signing costs the daemon: JSON, in about ten seconds.

`make bench-grouping`, or: python benchmarks/grouping.py [ROUNDS] [--before COMMIT]. The scrubber is asked again
what it was asked for real exceptions, 8 frames deep, of 200 kinds; with `--before` so is that of another commit.
Microseconds; for each kind the best of the rounds, of the kinds the median.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from scrubbing import Calls, median, scrubbing
from workload import KINDS, logger_of

from tocsin.daemon.grouping.sign import sign
from tocsin.handler.capture.code_locations import CodeLocations
from tocsin.handler.capture.mentions import mentions
from tocsin.handler.capture.record import Capture
from tocsin.handler.capture.scrub import Scrubber
from tocsin.handler.protocol.event import CodeLocation, Event
from tocsin.handler.protocol.wire import decode_event

ROOT = Path(__file__).parents[1]
ASKED = ("secret_name", "text", "searched", "code", "literal", "pairs")
"""What capture asks of a scrubber while the application waits, as far as earlier ones know it, too."""


class Asked(Scrubber):
    """A scrubber that remembers what it was asked from outside."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Calls = []
        self._inside = False

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in ASKED:
            return found

        def asked(value: Any, **more: Any) -> Any:
            if self._inside:
                return found(value, **more)
            self.calls.append((name, value))
            self._inside = True
            try:
                return found(value, **more)
            finally:
                self._inside = False

        return asked


class Captured(logging.Handler):
    """What our handler makes of each record: the event, the scrubber's calls, what the source says."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = Asked()
        self.capture = Capture(locals="in_app", in_app=(), not_in_app=(), scrub=self.asked, client=None)
        self.places = CodeLocations(
            started_at=time.time() + 60, in_app=(), not_in_app=(), sys_path=(), live=True
        )
        self.seen: list[tuple[Event, Calls, list[CodeLocation]]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.asked.calls = []
        event = decode_event(self.capture.payload(self.capture.summarize(record)))
        self.seen.append((event, self.asked.calls, [self.places.of_mention(one) for one in mentions(event)]))


def captured(case: str, size: int) -> list[tuple[Event, Calls, list[CodeLocation]]]:
    handler = Captured()
    log = logging.Logger("shop")
    log.addHandler(handler)
    with tempfile.TemporaryDirectory() as directory:
        fail = logger_of(case, Path(directory), size)
        for number in range(KINDS):
            fail(log, number)
    return handler.seen


def scrubbing_before(rounds: int, commit: str, calls: list[Calls]) -> float:
    """The same calls, asked of another commit's scrubber in a process of its own."""
    with tempfile.TemporaryDirectory() as directory:
        (package := Path(directory, "tocsin")).mkdir()
        archive = subprocess.run(
            ["git", "archive", commit, "handler"], cwd=ROOT, capture_output=True, check=True
        )
        subprocess.run(["tar", "-x", "-C", package], input=archive.stdout, check=True)
        done = subprocess.run(
            [sys.executable, str(ROOT / "benchmarks" / "scrubbing.py"), str(rounds)],
            input=json.dumps(calls).encode(),
            env={**os.environ, "PYTHONPATH": directory},
            capture_output=True,
            check=True,
        )
    return float(done.stdout)


def signing(rounds: int, seen: list[tuple[Event, Calls, list[CodeLocation]]]) -> dict[str, float]:
    ways: dict[str, dict[str, Any]] = {"version 1": {"version": 1}, "version 2": {}, "both": {"older": True}}
    found = [(event, {(one.path, one.line): one for one in places}) for event, _, places in seen]
    return {
        name: median(rounds, [lambda one=one, more=more: sign(*one, **more) for one in found])  # type: ignore[misc]
        for name, more in ways.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("rounds", type=int, nargs="?", default=10)
    parser.add_argument("--before", metavar="COMMIT", help="also measure the scrubber of this commit")
    options = parser.parse_args()
    exceptions, messages = captured("many", 2048), captured("messages", 0)
    calls = [of for _, of, _ in exceptions]
    scrub = {"now": scrubbing(options.rounds, calls)}
    if options.before:
        scrub["before"] = scrubbing_before(options.rounds, options.before, calls)
        scrub["more"] = round(scrub["now"] - scrub["before"], 2)
    report = {
        "python": sys.version.split()[0],
        "scrubbing an exception": scrub,
        "signing an exception": signing(options.rounds, exceptions),
        "signing a message": signing(options.rounds, messages),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
