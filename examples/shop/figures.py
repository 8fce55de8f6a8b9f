"""The daily figures, computed in a thread of their own so that no request waits for them."""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
from pathlib import Path

from shop import database

log = logging.getLogger(__name__)


class Figures(threading.Thread):
    """Computes one asked-for day after the other."""

    def __init__(self, data: Path) -> None:
        super().__init__(name="figures", daemon=True)
        self._data = data
        self._days: queue.Queue[str | None] = queue.Queue()

    def ask(self, day: str) -> None:
        self._days.put(day)

    def finish(self) -> None:
        """Ends the thread when all that was asked for is done."""
        self._days.put(None)
        self.join()

    def run(self) -> None:
        while (day := self._days.get()) is not None:
            try:
                with database.connected(self._data) as shop:
                    write_figures(shop, day)
            except Exception:
                log.exception("no figures for %s", day)


def write_figures(shop: sqlite3.Connection, day: str) -> None:
    """Number of orders of the day and their average value in cents."""
    rows = shop.execute(
        "SELECT o.quantity * p.price AS value FROM orders o JOIN products p USING (sku) WHERE o.day = ?",
        (day,),
    ).fetchall()
    average = sum(row["value"] for row in rows) // len(rows)
    shop.execute("INSERT OR REPLACE INTO figures VALUES (?, ?, ?)", (day, len(rows), average))
