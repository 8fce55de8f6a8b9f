"""Orders and the stock they are taken from."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Order:
    id: int
    customer: str
    country: str
    sku: str
    quantity: int
    grams: int


def place(shop: sqlite3.Connection, customer: str, country: str, sku: str, quantity: int) -> int:
    """Takes the goods from the stock and writes the order down; returns its number."""
    shop.execute("UPDATE products SET stock = stock - ? WHERE sku = ?", (quantity, sku))
    row = shop.execute(
        "INSERT INTO orders (customer, country, sku, quantity, day) VALUES (?, ?, ?, ?, ?) RETURNING id",
        (customer, country, sku, quantity, date.today().isoformat()),
    ).fetchone()
    return int(row["id"])


def find(shop: sqlite3.Connection, order_id: int) -> Order | None:
    """The order of that number."""
    row = shop.execute(
        "SELECT o.id, o.customer, o.country, o.sku, o.quantity, p.grams * o.quantity AS grams"
        " FROM orders o JOIN products p USING (sku) WHERE o.id = ?",
        (order_id,),
    ).fetchone()
    return Order(**row) if row else None


def mark(shop: sqlite3.Connection, order_id: int, status: str) -> None:
    """Sets the order's status."""
    shop.execute("UPDATE orders SET status = ? WHERE id = ?", (status, order_id))


def restock(shop: sqlite3.Connection, delivery: list[dict[str, object]]) -> int:
    """Adds a supplier's delivery to the stock; returns how many products it held."""
    shop.executemany("UPDATE products SET stock = stock + :quantity WHERE sku = :sku", delivery)
    return len(delivery)
