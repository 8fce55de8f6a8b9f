"""The shop's tables, in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS products (
    sku TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    price INTEGER NOT NULL,
    grams INTEGER NOT NULL,
    stock INTEGER NOT NULL CHECK (stock >= 0)
);
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY,
    customer TEXT NOT NULL,
    country TEXT NOT NULL,
    sku TEXT NOT NULL REFERENCES products (sku),
    quantity INTEGER NOT NULL,
    day TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'new'
);
CREATE TABLE IF NOT EXISTS picks (
    id INTEGER PRIMARY KEY,
    order_id INTEGER NOT NULL,
    sku TEXT NOT NULL,
    kilograms REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS figures (
    day TEXT PRIMARY KEY,
    orders INTEGER NOT NULL,
    average_basket INTEGER NOT NULL
);
"""
CATALOGUE = [
    ("TEA-100", "Darjeeling, 100 g", 890, 120, 100_000),
    ("POT-1L", "Teapot, 1 l", 4500, 1400, 3),
    ("CHEST-40", "Tea chest, 40 kg", 62000, 40500, 100_000),
]


@contextmanager
def connected(data: Path) -> Iterator[sqlite3.Connection]:
    """One transaction: committed at the end, rolled back when it fails."""
    connection = sqlite3.connect(data / "shop.db", timeout=30)
    connection.row_factory = sqlite3.Row
    try:
        with connection:
            yield connection
    finally:
        connection.close()


def prepare(data: Path) -> None:
    """Makes the tables and the catalogue where they are not there yet."""
    data.mkdir(parents=True, exist_ok=True)
    with connected(data) as connection:
        connection.execute("PRAGMA journal_mode = wal")
        connection.executescript(SCHEMA)
        connection.executemany("INSERT OR IGNORE INTO products VALUES (?, ?, ?, ?, ?)", CATALOGUE)
