"""A program that logs 20 errors and ends in the way its argument names. Usage: program.py END [nothing].

With `nothing` it has no handler of ours: how long its end takes by itself. It prints when its end began.
"""

from __future__ import annotations

import atexit
import logging
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tocsin.handler import TocsinHandler

NAME = sys.argv[1].replace(" ", "-")
log = logging.getLogger("program")
log.addHandler(logging.NullHandler())
log.propagate = False


def install() -> None:
    if "nothing" not in sys.argv:
        log.addHandler(TocsinHandler(service="program"))


def say(first: int, last: int) -> None:
    for number in range(first, last):
        text = f"{NAME}#{number}"
        log.error(text, extra={"fingerprint": [text]})


def child(method: str) -> None:
    if method != "fork":
        install()
    say(10, 20)


class Last:
    """Logs when the interpreter takes the modules apart; holds what it needs for that."""

    def __init__(self) -> None:
        self.log, self.text = log, f"{NAME}#19"

    def __del__(self) -> None:
        self.log.error(self.text, extra={"fingerprint": [self.text]})


def fail() -> None:
    raise ValueError


def spawn(method: str) -> None:
    process = multiprocessing.get_context(method).Process(target=child, args=(method,))
    process.start()
    process.join()


def fork() -> None:
    if os.fork() == 0:
        say(10, 20)
        os._exit(0)
    os.wait()


def keep() -> None:
    sys.modules["kept"] = Last()  # type: ignore[assignment]


ENDS: dict[str, tuple[int, Callable[[], object]]] = {
    "return": (20, lambda: None),
    "sys.exit": (20, lambda: sys.exit(3)),
    "uncaught exception": (20, fail),
    "os._exit": (20, lambda: os._exit(0)),
    "SIGTERM": (20, lambda: os.kill(os.getpid(), signal.SIGTERM)),
    "SIGINT": (20, lambda: os.kill(os.getpid(), signal.SIGINT)),
    "SIGKILL": (20, lambda: os.kill(os.getpid(), signal.SIGKILL)),
    "os.fork": (10, fork),
    "fork": (10, lambda: spawn("fork")),
    "spawn": (10, lambda: spawn("spawn")),
    "forkserver": (10, lambda: spawn("forkserver")),
    "thread pool": (10, lambda: ThreadPoolExecutor(2).submit(say, 10, 20)),
    "atexit before ours": (19, lambda: None),
    "atexit after ours": (19, lambda: atexit.register(say, 19, 20)),
    "__del__ at shutdown": (19, keep),
}


def main() -> None:
    count, end = ENDS[sys.argv[1]]
    if sys.argv[1] == "atexit before ours":
        atexit.register(say, 19, 20)
    install()
    say(0, count)
    print(time.time(), flush=True)
    end()


if __name__ == "__main__":
    main()
