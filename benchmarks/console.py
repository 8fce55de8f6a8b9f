"""How fast the console answers: list, error and ticket page to 20 readers, each a page every 2 s. Prints JSON.

`make bench-console`; the numbers asked for are p50 30 ms, p99 150 ms and 120 MB, with 10,000 errors, 1,000,000
occurrences and 5,000 tickets.
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
from pathlib import Path

import psutil
from support import busy_database
from support.waiting import until

from tocsin.daemon.accounts import browser_sessions, users
from tocsin.daemon.store.database import open_store

PAGES = ("list", "error", "ticket")
EVERY = 2.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--errors", type=int, default=10_000)
    parser.add_argument("--occurrences", type=int, default=1_000_000)
    parser.add_argument("--tickets", type=int, default=5_000)
    parser.add_argument("--readers", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60.0)
    directory = Path(tempfile.mkdtemp(prefix="tocsin-console-"))
    try:
        print(json.dumps(measure(directory, **vars(parser.parse_args())), indent=2))
    finally:
        shutil.rmtree(directory)


def measure(
    directory: Path, errors: int, occurrences: int, tickets: int, readers: int, seconds: float
) -> dict[str, object]:
    """Every number, by name."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    file = directory / "tocsin.toml"
    file.write_text(f'[daemon]\nstate_dir = "{directory}"\n[console]\nlisten = "127.0.0.1:{port}"\n')
    store = open_store(f"sqlite:///{directory / 'tocsin.db'}")
    now = time.time()
    busy_database.fill(store, errors, occurrences, tickets, now)
    token = browser_sessions.begin_user(store, users.add(store, "ada@example.org", now), now)
    store.close()
    process = subprocess.Popen([sys.executable, "-m", "tocsin.daemon", "--config", file, "console"])
    took: dict[str, list[float]] = {page: [] for page in PAGES}
    try:
        assert until(lambda: answers(port))
        crowd = [
            threading.Thread(target=read, args=(port, token, errors, tickets, seconds, seed, took))
            for seed in range(readers)
        ]
        for reader in crowd:
            reader.start()
        for reader in crowd:
            reader.join()
        memory = psutil.Process(process.pid).memory_info().rss / 1e6
    finally:
        process.terminate()
        process.wait(20)
    return {
        "errors": errors, "occurrences": occurrences, "tickets": tickets, "readers": readers,
        "memory_mb": round(memory, 1), **{page: spread(took[page]) for page in PAGES},
    }  # fmt: skip


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def read(
    port: int, token: str, errors: int, tickets: int, seconds: float, seed: int, took: dict[str, list[float]]
) -> None:
    """One reader's pages: it begins at a moment of its own."""
    chance, ends = random.Random(seed), time.monotonic() + seconds
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    time.sleep(EVERY * chance.random())
    while time.monotonic() < ends:
        page = chance.choice(PAGES)
        path = {
            "list": f"/errors?page={chance.randint(1, 3)}",
            "error": f"/errors/{chance.randint(1, errors)}",
            "ticket": f"/tickets/{chance.randint(1, tickets)}",
        }[page]
        begun = time.monotonic()
        connection.request("GET", path, headers={"Cookie": f"tocsin={token}"})
        answer = connection.getresponse()
        answer.read()
        took[page].append(time.monotonic() - begun)
        assert answer.status == 200, (path, answer.status)
        time.sleep(max(0.0, EVERY - (time.monotonic() - begun)))


def spread(seconds: list[float]) -> dict[str, float]:
    """Milliseconds."""
    cuts = statistics.quantiles(seconds, n=100)
    return {"pages": len(seconds), "p50_ms": round(1000 * cuts[49], 1), "p99_ms": round(1000 * cuts[98], 1)}


if __name__ == "__main__":
    main()
