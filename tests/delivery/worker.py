"""An application that logs until it is killed and writes down each call that returned.

Usage: worker.py JOURNAL NAME THREADS [POINT]. Each thread logs texts of its own (an error each, by
its fingerprint) and the same one again and again. POINT names the place where the process kills itself.
"""

from __future__ import annotations

import itertools
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from tocsin.handler import TocsinHandler
from tocsin.handler.shipping import adoption, upkeep
from tocsin.handler.spool import claim, damage, descriptors, files, guards, segment_files, stream


def dying(function: Callable[..., Any], *, before: bool) -> Callable[..., Any]:
    """`function`, with SIGKILL before or after it."""

    def call(*arguments: Any, **named: Any) -> Any:
        if before:
            os.kill(os.getpid(), signal.SIGKILL)
        function(*arguments, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    return call


POINTS: dict[str, tuple[Any, str, bool]] = {
    "before rotation": (files.Spool, "rotate", True),
    "in rotation": (descriptors.ReservedDescriptor, "point", True),
    "after rotation": (files.Spool, "rotate", False),
    "before deletion": (segment_files.SegmentFiles, "delete", True),
    "after deletion": (segment_files.SegmentFiles, "delete", False),
    "at adoption": (adoption.Adopted, "__init__", False),
    "before an adopted one's files go": (adoption.Adopted, "finish", True),
    "in the deletion of an adopted one": (claim.Claim, "release", True),
    "after an adopted one's files went": (adoption.Adopted, "finish", False),
}


def main(journal: str, name: str, threads: str, point: str = "") -> None:
    upkeep.SEGMENT_BYTES = 32 * 1024
    guards.GRACE = stream.GRACE = damage.GRACE = 0.2
    written = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    handler = TocsinHandler(service=name, heartbeat=1.0)
    if point:
        where, attribute, before = POINTS[point]
        setattr(where, attribute, dying(getattr(where, attribute), before=before))
    log = logging.Logger(name)
    log.addHandler(handler)
    pause = threading.Event()

    def say(text: str) -> None:
        log.error(text, extra={"fingerprint": [text]})
        os.write(written, f"{text}\n".encode())

    def work(who: str) -> None:
        for number in itertools.count():
            say(f"{who}#{number}")
            for _ in range(1 + number % 60):
                say(f"{who} again")
            pause.wait(0.03)

    for number in range(int(threads)):
        threading.Thread(target=work, args=(f"{name}/{number}",)).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
