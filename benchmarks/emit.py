"""What one log call costs the thread that makes it: ours beside its peers, in one run, as JSON.

`make bench`, or: python benchmarks/emit.py [ROUNDS]. Each peer runs in a process of its own, in turns, so
that a busy moment of the machine meets all alike. Microseconds are the median of the rounds, and a ratio is the
median of the rounds' own ratios. No daemon runs: the handler writes its spool and looks for a daemon; what shipping
costs is measured by `shipping`.
"""

from __future__ import annotations

import gc
import json
import logging
import logging.handlers
import os
import queue
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import running
import sentry_sdk
import zmq
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.transport import Transport

from tocsin.handler import TocsinHandler, bind, unbind
from tocsin.handler.protocol import wire

CALLS = 2000
SLOW_CALLS = 100
FRAMES = 8
VARIABLES = 40
"""Of 100 characters each, in the innermost frame of `wide`."""
FIVE = {"order_id": 4711, "step": "payment", "attempt": 2, "country": "France", "amount": 12.5}
AWAY = 100_000
"""Errors logged while no daemon is there, for the growth of memory."""


class Nothing(Transport):
    """Sentry's transport that sends nothing."""

    def capture_envelope(self, envelope: Any) -> None:
        return


class Discard(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        return


def logger_with(handler: logging.Handler | None) -> logging.Logger:
    log = logging.Logger("bench")
    if handler is not None:
        log.addHandler(handler)
    return log


def ours(directory: str) -> logging.Logger:
    return logger_with(TocsinHandler(f"ipc://{directory}/s", "bench", spool=f"{directory}/spool"))


def queued(directory: str) -> logging.Logger:
    waiting: queue.Queue[logging.LogRecord] = queue.Queue()
    logging.handlers.QueueListener(waiting, Discard()).start()
    return logger_with(logging.handlers.QueueHandler(waiting))


def sentry(directory: str) -> logging.Logger:
    sentry_sdk.init(
        "http://key@localhost/1",
        transport=Nothing,
        integrations=[LoggingIntegration(level=None, event_level=logging.ERROR)],
    )
    return logger_with(logging.NullHandler())


PEERS: dict[str, Callable[[str], logging.Logger]] = {
    "null": lambda directory: logger_with(logging.NullHandler()),
    "queue": queued,
    "tocsin": ours,
    "sentry": sentry,
}


def deep(level: int, order: dict[str, Any], note: str) -> None:
    """Raises under `FRAMES` frames, each with a few local variables."""
    total = len(note) + level
    name = f"customer {total}"
    if level == 0:
        raise ValueError(f"{note}: {name} has no address")
    deep(level - 1, {**order, "level": level}, note)


def plain(log: logging.Logger, number: int) -> None:
    log.error("order %d of %s could not be shipped", number, "martin")


def plain_again(log: logging.Logger, number: int) -> None:
    log.error("order %d of %s could not be shipped", 7, "martin")


def raised(log: logging.Logger, number: int) -> None:
    try:
        deep(FRAMES - 2, {"id": number, "price": 12.5}, f"order {number}")
    except ValueError:
        log.exception("order %d of %s could not be shipped", number, "martin")


def raised_again(log: logging.Logger, number: int) -> None:
    raised(log, 7)


def told(log: logging.Logger, number: int) -> None:
    """While five values are bound (`measured`), with five more in `extra`."""
    log.error("order %d of %s could not be shipped", number, "martin", extra=FIVE)


def _wide() -> Callable[[int], None]:
    lines = [f"    v{i} = (f'text {i} of {{number}} ' + FILLING)[:100]" for i in range(VARIABLES)]
    names = {"FILLING": "some words of an ordinary text " * 4, "__name__": __name__}
    exec(
        compile(
            "\n".join(["def wide(number):", *lines, "    raise ValueError(f'{number} is wide')"]),
            __file__,
            "exec",
        ),
        names,
    )
    return names["wide"]  # type: ignore[return-value]


_raise_wide = _wide()


def down(level: int, number: int) -> None:
    if level == 0:
        _raise_wide(number)
    down(level - 1, number)


def wide(log: logging.Logger, number: int) -> None:
    try:
        down(FRAMES - 3, number)
    except ValueError:
        log.exception("order %d of %s could not be shipped", number, "martin")


def only_raised(log: logging.Logger, number: int) -> None:
    try:
        deep(FRAMES - 2, {"id": number, "price": 12.5}, f"order {number}")
    except ValueError:
        return


CASES: dict[str, Callable[[logging.Logger, int], None]] = {
    "plain": plain,
    "plain_repeated": plain_again,
    "exception": raised,
    "exception_repeated": raised_again,
    "exception_wide": wide,
    "bound_and_extra": told,
    "raising_alone": only_raised,
}


def measured(
    case: Callable[[logging.Logger, int], None], log: logging.Logger, calls: int, first: int
) -> float:
    """Microseconds per call, after a pause in which the peers' own threads come to rest."""
    gc.collect()
    threading.Event().wait(0.05)
    if case is told:
        bind(**{f"bound_{name}": value for name, value in FIVE.items()})
    begun = time.perf_counter()
    for number in range(first, first + calls):
        case(log, number)
    taken = (time.perf_counter() - begun) / calls * 1e6
    unbind()
    return taken


def peer(name: str, rounds: int) -> Iterator[dict[str, float]]:
    """One round per line read from standard input."""
    with tempfile.TemporaryDirectory() as directory:
        log = PEERS[name](directory)
        calls = SLOW_CALLS if name == "sentry" else CALLS
        for one in range(rounds):
            sys.stdin.readline()
            # A number is never used twice: what is not meant to be a repetition is none.
            yield {case: measured(run, log, calls, one * calls) for case, run in CASES.items()}
        os._exit(0)


def compared(rounds: int) -> dict[str, list[dict[str, float]]]:
    """Microseconds by peer, round and case."""
    processes = {
        name: subprocess.Popen(
            [sys.executable, __file__, "peer", name, str(rounds)], stdin=-1, stdout=-1, text=True
        )
        for name in PEERS
    }
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in PEERS}
    for _ in range(rounds):
        for name, process in processes.items():
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("\n")
            process.stdin.flush()
            taken[name].append(json.loads(process.stdout.readline()))
    for process in processes.values():
        process.communicate()
    return taken


def ratio(taken: dict[str, list[dict[str, float]]], case: str) -> float:
    """Of what ours costs to what `QueueHandler` costs."""
    rounds = zip(taken["tocsin"], taken["queue"], strict=True)
    return round(statistics.median(mine[case] / theirs[case] for mine, theirs in rounds), 2)


def resident() -> float:
    """Megabytes of this process."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6


def away() -> dict[str, float]:
    """How memory grows while the daemon is away; 99th percentile of the log calls, in microseconds."""
    with tempfile.TemporaryDirectory() as directory:
        log = ours(directory)
        for number in range(2000):
            plain(log, number)
        before = resident()
        times = []
        for number in range(AWAY):
            begun = time.perf_counter_ns()
            plain(log, number)
            times.append((time.perf_counter_ns() - begun) // 1000)
        grown = resident() - before - sys.getsizeof(times) / 1e6
        times.sort()
        print(
            json.dumps({"errors": AWAY, "grown_mb": round(grown, 1), "p99_us": times[AWAY * 99 // 100]}),
            flush=True,
        )
        os._exit(0)


def shipping() -> dict[str, float]:
    """Processor time of the shipping thread per event, with a peer that acknowledges at once."""
    with tempfile.TemporaryDirectory() as directory:
        handler = TocsinHandler(f"ipc://{directory}/s", "bench", spool=f"{directory}/spool")
        log = logger_with(handler)
        for number in range(CALLS):
            plain(log, number)
            raised(log, number)
        own = time.thread_time()
        total = time.process_time()
        answering = subprocess.Popen([sys.executable, __file__, "acknowledge", f"ipc://{directory}/s"])
        done = handler.destination.await_delivery(60)
        used = (time.process_time() - total) - (time.thread_time() - own)
        answering.kill()
        answering.wait()
        print(
            json.dumps({"events": 2 * CALLS, "us_per_event": round(used / CALLS / 2 * 1e6, 1), "all": done}),
            flush=True,
        )
        os._exit(0)


def acknowledge(endpoint: str) -> None:
    """A daemon that keeps nothing."""
    socket = zmq.Context().socket(zmq.ROUTER)
    socket.bind(endpoint)
    while True:
        sender, data = socket.recv_multipart()
        message = wire.decode_from_handler(data)
        answer: wire.FromDaemon
        if isinstance(message, wire.Hello):
            answer = wire.Welcome(message.header.session, "bench", 0, time.time())
        elif isinstance(message, wire.Batch):
            answer = wire.Ack(message.session, message.end)
        else:
            continue
        socket.send_multipart([sender, wire.encode(answer)])


def alone(part: str) -> dict[str, float]:
    """A part of the benchmark in a process of its own."""
    ended = subprocess.run([sys.executable, __file__, part], stdout=-1, text=True, check=True)
    found: dict[str, float] = json.loads(ended.stdout)
    return found


def tails() -> dict[str, float]:
    """The 99th percentile of a log call of an exception, by its median, in the thread's own time: the machine's
    pauses are not ours.
    """
    with tempfile.TemporaryDirectory() as directory:
        log = ours(directory)
        found = {}
        for name in ("exception", "exception_wide"):
            times = []
            for number in range(CALLS):
                begun = time.thread_time_ns()
                CASES[name](log, number)
                times.append(time.thread_time_ns() - begun)
            times.sort()
            found[name] = round(times[CALLS * 99 // 100] / times[CALLS // 2], 1)
        print(json.dumps(found), flush=True)
        os._exit(0)


PROMISES = {
    "plain": (1.0, 0.65),
    "exception": (0.4, 0.2),
    "exception_repeated": (0.1, 0.05),
    "exception_wide": (0.5, 0.5),
    "bound_and_extra": (2.5, 1.0),
}
"""By case: at most so much of what `QueueHandler` costs is promised, and so much is aimed at."""


def verdicts(
    taken: dict[str, list[dict[str, float]]],
    cost: dict[str, dict[str, float]],
    grown: float,
    tail: dict[str, float],
) -> dict[str, dict[str, float]]:
    """What is promised and what is aimed at, each beside the measured value."""
    repeated = cost["tocsin"]["plain_repeated"] - cost["null"]["plain_repeated"]
    return {
        **{
            f"{case} / QueueHandler": {"is": ratio(taken, case), "limit": limit, "aim": aim}
            for case, (limit, aim) in PROMISES.items()
        },
        **{f"{case}, p99 / median": {"is": found, "limit": 6.0, "aim": 3.0} for case, found in tail.items()},
        "repeated plain - NullHandler, us": {"is": round(repeated, 1), "limit": 8.0},
        "memory grown, MB": {"is": grown, "limit": 8.0},
    }


def main(rounds: int) -> None:
    busy = os.getloadavg()[0]
    taken = compared(rounds)
    cost = {
        name: {case: round(statistics.median(one[case] for one in ones), 1) for case in CASES}
        for name, ones in taken.items()
    }
    grown, shipped, tail = alone("away"), alone("shipping"), alone("tails")
    report = {
        "python": sys.version.split()[0],
        "load_before": round(busy, 1),
        "microseconds": cost,
        "daemon_away": grown,
        "shipping_thread": shipped,
        "counting_runs": alone("running"),
        "promises": verdicts(taken, cost, grown["grown_mb"], tail),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    part = sys.argv[1] if len(sys.argv) > 1 else "15"
    if part == "peer":
        for line in peer(sys.argv[2], int(sys.argv[3])):
            print(json.dumps(line), flush=True)
    elif part == "acknowledge":
        acknowledge(sys.argv[2])
    elif part == "running":
        print(json.dumps(running.measured()))
    elif part in ("away", "shipping", "tails"):
        {"away": away, "shipping": shipping, "tails": tails}[part]()
    else:
        main(int(part))
