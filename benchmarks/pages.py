"""How fast the pages follow: a full set, one change, the first page in Chromium. Prints JSON.

`make bench-pages`; the numbers asked for are 60 s, 2 s and 150 ms of CPU, 500 KB and 1 s.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import threading
import time
from pathlib import Path

from playwright.sync_api import sync_playwright
from support import busy_database

from tocsin.daemon import config as configuration
from tocsin.daemon.store.database import Store, open_store
from tocsin.daemon.store.models import ErrorLog, KeyValue, Ticket
from tocsin.reports.writer import ReportWriter

CHANGES = 9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--errors", type=int, default=10_000)
    parser.add_argument("--occurrences", type=int, default=1_000_000)
    parser.add_argument("--tickets", type=int, default=5_000)
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="tocsin-pages-"))
    try:
        print(json.dumps(measure(directory, **vars(options)), indent=2))
    finally:
        shutil.rmtree(directory)


def measure(directory: Path, errors: int, occurrences: int, tickets: int) -> dict[str, object]:
    """Every number, by name; seconds unless the name says otherwise."""
    config = configuration.parse(
        {
            "daemon": {"state_dir": str(directory)},
            "report": {"dir": str(directory / "report")},
            "database": {"url": f"sqlite:///{directory / 'tocsin.db'}"},
        },
        {},
    )
    store = open_store(config.database.url)
    now = time.time()
    busy_database.fill(store, errors, occurrences, tickets, now)
    reports = ReportWriter(store, config)
    done = threading.Event()
    waits: list[float] = []
    writer = threading.Thread(target=write_meanwhile, args=(store, done, waits))
    writer.start()
    begun, used = time.monotonic(), time.thread_time()
    written = reports.write(now)
    full, full_cpu = time.monotonic() - begun, time.thread_time() - used
    done.set()
    writer.join()
    found = {
        "errors": errors,
        "occurrences": occurrences,
        "tickets": tickets,
        "files": written,
        "full_set_seconds": round(full, 2),
        "full_set_cpu_seconds": round(full_cpu, 2),
        "writes_meanwhile": len(waits),
        "longest_write_meanwhile_ms": round(1000 * max(waits), 1),
        **changes(store, reports, now),
        **opened(config.report_dir / "admin" / "index.html"),
    }
    store.close()
    return found


def write_meanwhile(store: Store, done: threading.Event, waits: list[float]) -> None:
    """Commits as the daemon does while the pages are written: how long did each commit take?"""
    while not done.is_set():
        begun = time.monotonic()
        with store.transaction():
            KeyValue.insert(key="bench", value=str(begun)).on_conflict_replace().execute()
        waits.append(time.monotonic() - begun)
        done.wait(0.1)
    store.disconnect()


def changes(store: Store, reports: ReportWriter, now: float) -> dict[str, float]:
    """An occurrence more and a ticket's new state, several times."""
    cpu, wall = [], []
    reports.write(now + 1)
    for step in range(CHANGES):
        with store.transaction():
            ErrorLog.update(occurrences=ErrorLog.occurrences + 1, last_seen=now + step, resolved=False).where(
                ErrorLog.id == 500 + step
            ).execute()
            Ticket.update(priority="critical").where(Ticket.id == 700 + step).execute()
        begun, used = time.monotonic(), time.process_time()
        reports.write(now + 2 + step, budget=1.0)
        cpu.append(1000 * (time.process_time() - used))
        wall.append(1000 * (time.monotonic() - begun))
    return {
        "change_cpu_ms_median": round(statistics.median(cpu), 1),
        "change_cpu_ms_max": round(max(cpu), 1),
        "change_wall_ms_median": round(statistics.median(wall), 1),
        "change_wall_ms_max": round(max(wall), 1),
    }


def opened(page: Path) -> dict[str, float]:
    """The size of the first page and how long Chromium takes until it has loaded."""
    path = shutil.which("chromium")
    size = {"monitoring_kb": round(page.stat().st_size / 1000, 1)}
    if path is None:
        return size
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page()
        times = []
        for _ in range(5):
            tab.goto(page.as_uri())
            times.append(tab.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd"))
        browser.close()
    return {**size, "monitoring_opens_ms_median": round(statistics.median(times), 1)}


if __name__ == "__main__":
    main()
