"""How fast the console answers, and what it costs ingest: 20 readers, each a page every 2 s. Prints JSON.

`make bench-console`; the numbers asked for are p50 30 ms, p99 150 ms, 120 MB, and ingest that loses at most 10 %,
with 10,000 errors, 1,000,000 occurrences and 5,000 tickets. Ingest is measured in turns, alone and beside the
readers: filled spools of an ended application, shipped to the daemon whose console it is.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
from digest import Case, emit, finished
from peewee import fn
from support import busy_database
from support.daemon_process import DaemonProcess
from support.waiting import until

from tocsin.daemon.accounts import browser_sessions, users
from tocsin.daemon.store.database import Store, open_store
from tocsin.daemon.store.models import HourCount

PAGES = ("list", "error", "ticket")
EVERY = 2.0
Took = dict[str, list[float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--errors", type=int, default=10_000)
    parser.add_argument("--occurrences", type=int, default=1_000_000)
    parser.add_argument("--tickets", type=int, default=5_000)
    parser.add_argument("--readers", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--events", type=int, default=20_000, help="shipped in each turn")
    parser.add_argument("--turns", type=int, default=5, help="alone, and as many beside the readers")
    directory = Path(tempfile.mkdtemp(prefix="tocsin-console-"))
    try:
        print(json.dumps(measure(directory, **vars(parser.parse_args())), indent=2))
    finally:
        shutil.rmtree(directory)


def measure(
    directory: Path,
    errors: int,
    occurrences: int,
    tickets: int,
    readers: int,
    seconds: float,
    events: int,
    turns: int,
) -> dict[str, object]:
    """Every number, by name."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    store = open_store(f"sqlite:///{directory / 'tocsin.db'}")
    now = time.time()
    busy_database.fill(store, errors, occurrences, tickets, now)
    token = browser_sessions.begin_user(store, users.add(store, "ada@example.org", now), now)
    store.close()
    daemon = DaemonProcess(
        directory,
        f'[daemon]\nlisten = ["ipc://{directory}/s"]\nstate_dir = "{directory}"\n'
        f'[report]\nevery = "1h"\n[console]\nlisten = "127.0.0.1:{port}"\n',
    )
    # While no daemon runs: an application would ship to it at once.
    for name in (f"{how}{turn}" for turn in range(turns) for how in ("alone", "beside")):
        case = Case(name, "many", 2048, False, events)
        finished([emit(directory, case, directory / name, events, "--leave")])
    crowd = Crowd(port, token, errors, tickets, readers)
    with daemon:
        assert until(lambda: answers(port)), daemon.written()
        with crowd.reading() as quiet:
            time.sleep(seconds)
        rates = in_turns(directory, crowd, events, turns)
        memory = psutil.Process(console_of(daemon)).memory_info().rss / 1e6
    return {
        "errors": errors, "occurrences": occurrences, "tickets": tickets, "readers": readers,
        "memory_mb": round(memory, 1), **{page: spread(quiet[page]) for page in PAGES},
        "beside_ingest": spread([one for page in PAGES for one in rates.took[page]]),
        "ingest": {
            "events_per_second_alone": [round(rate) for rate in rates.alone],
            "events_per_second_beside": [round(rate) for rate in rates.beside],
            "lost_percent": round(100 * (1 - statistics.median(rates.beside) / statistics.median(rates.alone)), 1),
        },
    }  # fmt: skip


class Rates:
    """Events a second, turn by turn, and the pages' seconds beside ingest."""

    def __init__(self) -> None:
        self.alone: list[float] = []
        self.beside: list[float] = []
        self.took: Took = {page: [] for page in PAGES}


def in_turns(directory: Path, crowd: Crowd, events: int, turns: int) -> Rates:
    """Ships as many events alone as beside the readers, in turns: what else the machine does meets both."""
    rates = Rates()
    for turn in range(turns):
        rates.alone.append(shipped(directory, f"alone{turn}", events))
        with crowd.reading() as took:
            rates.beside.append(shipped(directory, f"beside{turn}", events))
        for page in PAGES:
            rates.took[page] += took[page]
    return rates


def shipped(directory: Path, name: str, events: int) -> float:
    """Events a second, from an ended application's spool to committed."""
    spool = directory / name
    with closing(open_store(f"sqlite:///{directory / 'tocsin.db'}", migrate=False)) as store:
        before = counted(store)
        began = time.monotonic()
        subprocess.run(
            [sys.executable, "-m", "tocsin.handler", "ship", spool], stdout=subprocess.DEVNULL, check=True
        )
        took = time.monotonic() - began
        done = counted(store) - before
    assert done == events, f"{done} counted of {events}"
    return events / took


def counted(store: Store) -> int:
    with store.reading():
        return int(HourCount.select(fn.SUM(HourCount.count)).scalar())


def console_of(daemon: DaemonProcess) -> int:
    """The pid of the console that the daemon has started."""
    assert daemon.process is not None
    children = psutil.Process(daemon.process.pid).children()
    return int(next(one.pid for one in children if "console" in one.cmdline()))


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


class Crowd:
    """Readers who begin at moments of their own."""

    def __init__(self, port: int, token: str, errors: int, tickets: int, readers: int) -> None:
        self._port = port
        self._token = token
        self._numbers = {"error": errors, "ticket": tickets}
        self._readers = readers

    @contextmanager
    def reading(self) -> Iterator[Took]:
        """They read inside; how long each page took, when it has ended."""
        took: Took = {page: [] for page in PAGES}
        over = threading.Event()
        faults: list[str] = []
        threads = [
            threading.Thread(target=self._read, args=(seed, over, took, faults))
            for seed in range(self._readers)
        ]
        for thread in threads:
            thread.start()
        try:
            yield took
        finally:
            over.set()
            for thread in threads:
                thread.join()
        assert not faults, faults[:3]

    def _read(self, seed: int, over: threading.Event, took: Took, faults: list[str]) -> None:
        chance = random.Random(seed)
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        over.wait(EVERY * chance.random())
        while not over.is_set():
            page = chance.choice(PAGES)
            path = {
                "list": f"/errors?page={chance.randint(1, 3)}",
                "error": f"/errors/{chance.randint(1, self._numbers['error'])}",
                "ticket": f"/tickets/{chance.randint(1, self._numbers['ticket'])}",
            }[page]
            begun = time.monotonic()
            connection.request("GET", path, headers={"Cookie": f"tocsin={self._token}"})
            answer = connection.getresponse()
            answer.read()
            took[page].append(time.monotonic() - begun)
            if answer.status != 200:
                faults.append(f"{path}: {answer.status}")
            over.wait(max(0.0, EVERY - (time.monotonic() - begun)))


def spread(seconds: list[float]) -> dict[str, float]:
    """Milliseconds."""
    cuts = statistics.quantiles(seconds, n=100)
    return {"pages": len(seconds), "p50_ms": round(1000 * cuts[49], 1), "p99_ms": round(1000 * cuts[98], 1)}


if __name__ == "__main__":
    main()
