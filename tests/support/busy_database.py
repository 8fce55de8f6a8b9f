"""A database as large as a busy company's after a year: many errors, tickets, hours, corrections."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from tocsin.daemon.store.bodies import encode_body
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import (
    Client,
    Correction,
    ErrorLog,
    History,
    HourCount,
    Run,
    Sample,
    Session,
    Ticket,
    Watch,
)
from tocsin.handler.protocol.event import CodeLocation, Event, Frame, Raised

DAY = 86400.0
HOUR = 3600.0
CLIENTS = 20
STATES = ("open", "in_progress", "monitoring", *["closed"] * 7)
LINES = tuple(f"    value_{number} = compute(order, {number})" for number in range(9))


def fill(store: Store, errors: int, occurrences: int, tickets: int, now: float) -> None:
    """So many of each; `now` in epoch seconds."""
    with store.transaction():
        Run.create(host="web-1", pid=1, started_at=now - DAY, alive_until=now)
        Session.create(
            id="s-1", service="shop", host="web-1", pid=2, python="3.12.1", started_at=now - DAY,
            first_heard=now - DAY, last_heard=now, interval=15.0,
        )  # fmt: skip
        for number in range(CLIENTS):
            Client.create(id=f"c{number}", name=f"Client {number}", folder=f"folder-{number}")
        each = occurrences // errors
        _insert(ErrorLog, (_error(number, each, now) for number in range(1, errors + 1)))
        _insert(HourCount, (row for number in range(1, errors + 1) for row in _hours(number, each, now)))
        _insert(Sample, (_sample(number, now) for number in range(1, errors + 1)))
        _insert(Ticket, (_ticket(number, errors, now) for number in range(1, tickets + 1)))
        _insert(History, (row for number in range(1, tickets + 1) for row in _history(number, now)))
        _insert(Correction, (_correction(number, now) for number in range(1, tickets // 10 + 1)))
        _insert(Watch, ({"error": one, "quiet_since": now - HOUR} for one in range(1, tickets * 3 // 10 + 1)))


def _insert(model: Any, rows: Iterator[dict[str, Any]]) -> None:
    while part := list(islice(rows, 500)):
        model.insert_many(part).execute()


def _last(number: int, now: float) -> float:
    return now - number * 40.0


def _error(number: int, occurrences: int, now: float) -> dict[str, Any]:
    title = f"ValueError: order * of customer * has no field {number}"
    return {
        "signature": f"1:{number:032x}", "coarse": f"1:{number + 10**9:032x}",
        "service": f"shop-{number % 5}", "source": f"/srv/shop/shop/part_{number}.py", "line": 17,
        "title": title, "message": title, "function": f"handle_{number}", "occurrences": occurrences,
        "first_seen": _last(number, now) - 30 * DAY, "last_seen": _last(number, now),
        "resolved": number % 10 == 9,
    }  # fmt: skip


def _hours(number: int, occurrences: int, now: float) -> Iterator[dict[str, Any]]:
    last = int(_last(number, now) // HOUR)
    for ago in range(10):
        yield {
            "error": number, "client_id": f"c{number % CLIENTS}", "hour": last - ago * 7,
            "count": occurrences // 10,
        }  # fmt: skip


def _sample(number: int, now: float) -> dict[str, Any]:
    """Two frames of a framework, three that many errors share, one of this error alone."""
    outer, inner = f"/srv/shop/shop/module_{number % 100}.py", f"/srv/shop/shop/part_{number}.py"
    paths = ["/usr/lib/flask/app.py"] * 2 + [outer] * 3 + [inner]
    frames = tuple(
        Frame(path, "shop.module", f"step_{at}", 12 + at, {"order": "{'id': 4711}"} if at > 1 else None)
        for at, path in enumerate(paths)
    )
    places = [
        CodeLocation(path, 12 + at, None, None, at > 1, 8 + at, _code(path)) for at, path in enumerate(paths)
    ]
    text = f"order 4711 of customer 12 has no field {number}"
    raised = Raised("ValueError", text, frames)
    at = _last(number, now)
    event = Event(at, 40, "shop", text, text, inner, "shop.module", "step_5", 17, exception=raised)
    return {
        "error": number, "session_id": "s-1", "position": number, "occurred_at": at,
        "body": encode_body(event, places),
    }  # fmt: skip


def _code(path: str) -> tuple[str, ...]:
    name = path.rpartition("/")[2].partition(".")[0]
    return tuple(f'    {name}_{number} = compute(order["{name}"], {number})' for number in range(9))


def _ticket(number: int, errors: int, now: float) -> dict[str, Any]:
    status = STATES[number % len(STATES)]
    opened = now - number * 1800.0
    return {
        "client_id": f"c{number % CLIENTS}", "subject": f"ValueError: no field {number}",
        "message": "It broke.", "status": status, "error_signature": f"1:{number:032x}",
        "error": 1 + number % errors, "source": "auto_detection", "created_at": opened,
        "closed_at": opened + DAY if status == "closed" else None,
        "resolution": "corrected" if status == "closed" else None,
        "metadata": {"auto_closed": True} if status == "closed" else {},
    }  # fmt: skip


def _history(number: int, now: float) -> Iterator[dict[str, Any]]:
    for step, action in enumerate(("created", "email_sent", "status_changed")):
        yield {"ticket": number, "action": action, "created_at": now - number * 1800.0 + step}


def _correction(number: int, now: float) -> dict[str, Any]:
    at = now - number * 7200.0
    return {
        "error": number, "file_path": "shop/module.py", "old_code": "\n".join(LINES),
        "new_code": "\n".join(LINES[:5]), "applied_by": ("copilot", "Ada", "Grace")[number % 3],
        "applied_at": at, "recorded_at": at, "test_status": "passed",
    }  # fmt: skip
