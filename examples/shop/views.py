"""What the shop answers to each request."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from shop import orders, payments, shipping, vouchers
from shop.figures import Figures


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    body: bytes
    shop: sqlite3.Connection
    figures: Figures


Answer = tuple[int, object]
View = Callable[..., Answer]


def products(request: Request) -> Answer:
    rows = request.shop.execute("SELECT sku, name, price, stock FROM products ORDER BY sku")
    return 200, [dict(row) for row in rows]


def place_order(request: Request) -> Answer:
    wanted = json.loads(request.body)
    number = orders.place(
        request.shop, wanted["customer"], wanted["country"], wanted["sku"], int(wanted["quantity"])
    )
    return 201, {"order": number}


def show_label(request: Request, order_id: str) -> Answer:
    order = orders.find(request.shop, int(order_id))
    if order is None:
        return 404, {"error": "no such order"}
    return 200, shipping.label(order)


def ship(request: Request, order_id: str) -> Answer:
    order = orders.find(request.shop, int(order_id))
    if order is None:
        return 404, {"error": "no such order"}
    taken = shipping.hand_over(order)
    orders.mark(request.shop, order.id, "shipped" if taken else "refused")
    return 200, {"shipped": taken}


def pay(request: Request, order_id: str) -> Answer:
    payment = json.loads(request.body)
    accepted = payments.charge(int(order_id), payment["card"], int(payment["amount"]))
    return (200 if accepted else 402), {"accepted": accepted}


def deliveries(request: Request) -> Answer:
    delivery = json.loads(request.body)
    return 200, {"products": orders.restock(request.shop, delivery["lines"])}


def voucher(request: Request, code: str) -> Answer:
    return 200, {"cents": vouchers.worth(code)}


def ask_figures(request: Request, day: str) -> Answer:
    request.figures.ask(day)
    return 202, {"day": day}


ROUTES: list[tuple[str, re.Pattern[str], View]] = [
    ("GET", re.compile(r"/products"), products),
    ("POST", re.compile(r"/orders"), place_order),
    ("GET", re.compile(r"/orders/(\d+)/label"), show_label),
    ("POST", re.compile(r"/orders/(\d+)/ship"), ship),
    ("POST", re.compile(r"/orders/(\d+)/payment"), pay),
    ("POST", re.compile(r"/deliveries"), deliveries),
    ("GET", re.compile(r"/vouchers/([A-Z0-9-]+)"), voucher),
    ("POST", re.compile(r"/figures/(\d{4}-\d\d-\d\d)"), ask_figures),
]


def answer(request: Request) -> Answer:
    """The answer of the first route that fits."""
    for method, pattern, view in ROUTES:
        match = pattern.fullmatch(request.path)
        if method == request.method and match:
            return view(request, *match.groups())
    return 404, {"error": "no such page"}
