"""Fills a database as a small company would after some days; `text` changes what strangers wrote."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tocsin.daemon.store.bodies import encode_body
from tocsin.daemon.store.models import (
    Client,
    Correction,
    ErrorLog,
    History,
    HourCount,
    KeyValue,
    Loss,
    Mail,
    Quarantined,
    Run,
    Sample,
    Session,
    Ticket,
    Watch,
)
from tocsin.handler.protocol.event import Breadcrumb, CodeLocation, Event, Frame, Raised

NOW = 1_795_356_000.0
"""2026-11-22 14:00 UTC."""
HOUR = 3600.0
DAY = 24 * HOUR

Text = Callable[[str], str]


def plain(text: str) -> str:
    """The text as it is."""
    return text


def fill(text: Text = plain) -> None:
    """Eight errors in every state, six tickets, two clients, four processes, corrections good and bad."""
    _sessions(text)
    _clients(text)
    for number, make in enumerate(
        (
            _key_error,
            _integrity_error,
            _json_error,
            _zero_division,
            _plain_message,
            _structlog,
            _resolved,
            _muted,
        )
    ):
        make(text, number)
    _mails(text)
    KeyValue.create(key="last_check", value=repr(NOW - 12 * 60))
    Run.create(host="web-1", pid=4100, started_at=NOW - 2 * DAY, alive_until=NOW - 4)
    Loss.create(session="s-worker", reason=text("spool full"), count=3)
    Quarantined.create(
        session_id="s-web-1",
        position=7,
        reason=text("not an event"),
        body=b"\x00\xff",
        received_at=NOW - HOUR,
    )


def fill_one(text: Text) -> None:
    """One error with everything that can belong to it: the quick version of `fill`."""
    _sessions(text)
    _clients(text)
    _key_error(text, 0)
    _resolved(text, 1)
    _mails(text)
    Loss.create(session="s-worker", reason=text("spool full"), count=3)


def error(text: Text, number: int, **values: object) -> ErrorLog:
    """One error with sensible defaults; texts of strangers go through `text`."""
    title = str(values.pop("title", "ValueError: bad"))
    fields = {
        "signature": f"1:{number:032x}",
        "coarse": f"1:{number + 100:032x}",
        "service": text("shop"),
        "environment": text("production"),
        "source": text(f"/srv/shop/shop/views{number}.py"),
        "line": 40 + number,
        "module": text("shop.views"),
        "function": text("checkout"),
        "title": text(title),
        "message": text(title),
        "components": [text("KeyError"), [text("shop.views"), text("checkout")]],
        "occurrences": 10,
        "first_seen": NOW - 2 * DAY,
        "last_seen": NOW - 5 * 60,
        "release": text("2026.11.3"),
        **values,
    }
    return ErrorLog.create(**fields)


def count(row: ErrorLog, hours: dict[int, int], client: str = "") -> None:
    """Occurrences by how many hours ago."""
    for ago, number in hours.items():
        HourCount.create(error=row, client_id=client, hour=int(NOW // 3600) - ago, count=number)


def sample(
    row: ErrorLog, event: Event, places: list[CodeLocation], ago: float, session: str = "s-web-1"
) -> None:
    """A stored event, `ago` seconds before now."""
    Sample.create(
        error=row,
        session_id=session,
        position=int(NOW - ago),
        occurred_at=NOW - ago,
        client_id=event.client or "",
        body=encode_body(event, places),
    )


def ticket(
    text: Text, row: ErrorLog, client: str | None, status: str, ago: float, **values: object
) -> Ticket:
    """A ticket opened `ago` seconds before now, with its first history rows."""
    made = Ticket.create(
        **{
            "client_id": client,
            "client_email": text("office@bakery.example") if client else None,
            "subject": text(row.title),
            "message": text(f"{row.title} was logged {row.occurrences} times"),
            "status": status,
            "error_signature": row.signature,
            "error": row,
            "source": "auto_detection",
            "created_at": NOW - ago,
            "metadata": {},
            **values,
        }
    )
    history(text, made, "created", "3 occurrences within 1 h", ago)
    history(text, made, "email_sent", "detection mail to the client", ago - 5)
    return made


def history(text: Text, made: Ticket, action: str, description: str, ago: float, by: str = "system") -> None:
    History.create(
        ticket=made, action=action, description=text(description), created_by=text(by), created_at=NOW - ago
    )


def correction(text: Text, row: ErrorLog, ago: float, **values: object) -> None:
    Correction.create(
        **{
            "error": row,
            "file_path": text("shop/views.py"),
            "old_code": text('    item = cart["item"]\n    total = item.price * count\n'),
            "new_code": text('    item = cart.get("item")\n    if item is None:\n        return empty()\n'),
            "description": text("An empty cart has no item."),
            "applied_by": text("copilot"),
            "applied_at": NOW - ago,
            "recorded_at": NOW - ago,
            "test_status": "passed",
            "test_results": validated(text),
            **values,
        }
    )


def validated(text: Text, status: str = "passed") -> dict[str, object]:
    """What a validation stores: the old code fails as it did then, the new one does not, or does so still."""
    green = {"name": "corrected code", "exit_code": 0, "tail": text("2 passed in 0.05s")}
    still = {"name": "corrected code", "exit_code": 1, "tail": text("KeyError: 'item'\n1 failed in 0.06s")}
    red = {"name": "old code", "exit_code": 1, "tail": text("KeyError: 'item'\n1 failed in 0.06s")}
    command = ["python", "-m", "pytest", "-q", "tests/tocsin_error_1.py"]
    return {
        "error_id": 1,
        "status": status,
        "summary": text("Reproduced: the old code fails as it did then, the corrected one does not."),
        "reproduced": True,
        "runs": [
            {**run, "command": command, "seconds": 0.4}
            for run in (red, green if status == "passed" else still)
        ],
        "checks": [
            {"name": "the corrected files compile", "status": "passed"},
            {"name": "the error does not come back", "status": status, "detail": text("1 recorded call")},
        ],
        "versions": {"python": "3.12.1", "pytest": "9.0.1"},
    }


def _sessions(text: Text) -> None:
    for name, service, ago, extra in (
        ("s-web-1", "shop", 4, {"events": 431}),
        ("s-web-2", "shop", 9, {"events": 40}),
        ("s-worker", "worker", 6, {"backlog": 20480}),
        ("s-batch", "nightly", 9 * HOUR, {"ended_at": NOW - 9 * HOUR}),
    ):
        Session.create(
            **{
                "id": name,
                "service": text(service),
                "environment": text("production"),
                "release": text("2026.11.3"),
                "host": text("web-1.example.org"),
                "pid": 4242,
                "python": text("3.12.1"),
                "started_at": NOW - DAY,
                "first_heard": NOW - DAY,
                "last_heard": NOW - ago,
                "interval": 15.0,
                **extra,
            }
        )


def _clients(text: Text) -> None:
    for key, name in (("bakery", "Bakery Lindqvist"), ("garage", "Garage Moreau")):
        Client.create(
            id=key, name=text(name), email=text(f"office@{key}.example"), language=None, folder=f"{key}-f0a1"
        )


SOURCE = (
    "def checkout(request):",
    '    """Turns the cart into an order."""',
    "    cart = request.session.cart",
    "    count = int(request.form.get('count', 1))",
    '    item = cart["item"]  # the line that fails',
    "    total = item.price * count",
    "    return render(request, 'done.html', total=total)",
)


def _raised(text: Text) -> tuple[Raised, list[CodeLocation]]:
    frames = (
        Frame(
            "/srv/venv/lib/python3.12/site-packages/flask/app.py", "flask.app", "full_dispatch_request", 880
        ),
        Frame("/srv/shop/shop/web.py", text("shop.web"), text("handle"), 88, {"route": text("'/checkout'")}),
        Frame(
            text("/srv/shop/shop/views.py"),
            text("shop.views"),
            text("checkout"),
            42,
            {text("cart"): text("{}"), "count": "2", "request": text("<Request POST /checkout>")},
            {"count": 2},
        ),
    )
    places = [
        CodeLocation(frames[0].path, 880, "rv=self.dispatch_request(ctx)", None, False, 878,
              ("    try:", "        request_started.send(self)", "        rv = self.dispatch_request(ctx)")),
        CodeLocation(frames[1].path, 88, None, None, True, 86,
              ("def handle(route, request):", "    view = VIEWS[route]", "    return view(request)")),
        CodeLocation(frames[2].path, 42, 'item=cart["item"]', None, True, 38, tuple(text(line) for line in SOURCE)),
    ]  # fmt: skip
    root = Raised("OSError", text("the disk is gone"), skipped=3, others=(text("ValueError: weight"),))
    cause = Raised("sqlite3.OperationalError", text("no such row: 17"), frames[1:2], context=root)
    return Raised("KeyError", text("'item'"), frames, 2, cause), places


def _key_error(text: Text, number: int) -> None:
    row = error(text, number, title="KeyError: 'item'", occurrences=431, last_seen=NOW - 90)
    count(row, {0: 12, 1: 30, 2: 44, 3: 21, 5: 8, 7: 60, 12: 14, 20: 3, 30: 90, 40: 149}, "bakery")
    count(row, {1: 4, 3: 1}, "garage")
    raised, places = _raised(text)
    for ago in (90, 200, 900, 4000):
        event = Event(
            NOW - ago,
            40,
            text("shop.views"),
            text("checkout failed for order 4711"),
            text("checkout failed for order %s"),
            "/srv/shop/shop/views.py",
            "shop.views",
            "checkout",
            42,
            text("MainThread"),
            raised,
            "bakery",
            {text("request_id"): text(f"r-{ago}")},
            (text("cart"),),
            text("Stack (most recent call last): ..."),
            level_name=text("ALERT"),
            task=text("import orders"),
            breadcrumbs=(
                Breadcrumb(NOW - ago - 1.5, 20, text("shop.cart"), text("cart 4711 is empty")),
                Breadcrumb(NOW - ago - 0.25, 15, text("shop.cart"), text("asking again"), text("TRACE")),
            ),
        )
        sample(row, event, places, ago)
    Sample.create(error=row, session_id="gone", position=1, occurred_at=NOW - DAY, body=b"\xc1")
    first = ticket(text, row, "bakery", "monitoring", 30 * HOUR)
    ticket(text, row, "garage", "in_progress", 20 * HOUR, priority="critical")
    history(text, first, "status_changed", "open to in_progress", 8 * HOUR, "copilot")
    history(text, first, "validated", "4 tests passed", 8 * HOUR - 60, "copilot")
    history(text, first, "reappeared", "seen again after 3 h 10 min of silence", 5 * HOUR)
    correction(text, row, 8 * HOUR)
    correction(text, row, 26 * HOUR, test_status="failed", test_results=validated(text, "failed"))
    Watch.create(
        error=row,
        quiet_since=NOW - 90,
        checked_at=NOW - 12 * 60,
        seen_seconds=0.0,
        waiting_for=text("silence"),
    )


def _integrity_error(text: Text, number: int) -> None:
    row = error(
        text, number, title="sqlite3.IntegrityError: UNIQUE constraint failed: orders.number", occurrences=27,
        last_seen=NOW - 15 * HOUR, function=text("save_order"), source=text("/srv/shop/shop/orders.py"),
    )  # fmt: skip
    count(row, {15: 9, 16: 11, 19: 7}, "garage")
    made = ticket(text, row, "garage", "monitoring", 18 * HOUR)
    history(text, made, "status_changed", "in_progress to monitoring", 14 * HOUR, "copilot")
    correction(text, row, 14.5 * HOUR, applied_by=text("Ada"), test_status="pending", test_results=None)
    Watch.create(
        error=row, quiet_since=NOW - 14 * HOUR, checked_at=NOW - 12 * 60, seen_seconds=13.4 * HOUR,
        waiting_for=text("10 h more of silence"),
    )  # fmt: skip


def _json_error(text: Text, number: int) -> None:
    row = error(
        text, number, title="json.decoder.JSONDecodeError: Expecting value: line * column * (char *)",
        occurrences=1912, last_seen=NOW - 40, service=text("worker"), function=text("read_feed"),
        source=text("/srv/worker/feed.py"),
    )  # fmt: skip
    count(row, {ago: 70 + (ago * 37) % 50 for ago in range(26)})
    made = ticket(text, row, None, "open", 25 * HOUR, priority="critical")
    history(text, made, "reappeared", "still failing", HOUR)
    Watch.create(
        error=row, quiet_since=NOW - 40, checked_at=NOW - 12 * 60, seen_seconds=0.0, waiting_for="silence"
    )


def _zero_division(text: Text, number: int) -> None:
    row = error(
        text, number, title="ZeroDivisionError: division by zero", occurrences=3, last_seen=NOW - 30 * 60,
        service=text("worker"), function=text("average"), source=text("/srv/worker/stats.py"),
    )  # fmt: skip
    count(row, {0: 2, 1: 1})
    made = ticket(text, row, None, "open", 29 * 60)
    Watch.create(error=row, quiet_since=NOW - 30 * 60, waiting_for="")
    history(text, made, "noted", "thread pool of the statistics", 20 * 60, "Ada")


def _plain_message(text: Text, number: int) -> None:
    row = error(text, number, title="Payment provider answered *", occurrences=2, last_seen=NOW - 2 * HOUR)
    count(row, {2: 2}, "bakery")
    event = Event(
        NOW - 2 * HOUR,
        40,
        "shop.pay",
        text("Payment provider answered 503"),
        text("Payment provider answered %s"),
        "/srv/shop/shop/pay.py",
        "shop.pay",
        "charge",
        12,
        client="bakery",
    )
    sample(row, event, [], 2 * HOUR)


def _structlog(text: Text, number: int) -> None:
    row = error(
        text,
        number,
        title="feed.unreachable",
        occurrences=58,
        last_seen=NOW - 7 * HOUR,
        service=text("worker"),
    )
    count(row, {7: 20, 8: 20, 9: 18})
    made = ticket(text, row, None, "in_progress", 9 * HOUR)
    history(text, made, "correction_logged", "retries", 6 * HOUR, "Ada")
    correction(text, row, 6 * HOUR, applied_by=text("Ada"), test_status="failed", test_results={"failed": 1})
    Watch.create(
        error=row, quiet_since=NOW - 6 * HOUR, checked_at=NOW - 12 * 60, seen_seconds=2.2 * HOUR,
        waiting_for=text("passing tests"), inconclusive_at=NOW - HOUR,
    )  # fmt: skip


def _resolved(text: Text, number: int) -> None:
    row = error(
        text, number, title="TypeError: unsupported operand type(s) for +: 'int' and 'str'", occurrences=19,
        first_seen=NOW - 9 * DAY, last_seen=NOW - 4 * DAY, resolved=True, resolved_at=NOW - 3 * DAY,
    )  # fmt: skip
    count(row, {96: 9, 97: 10}, "bakery")
    made = ticket(
        text, row, "bakery", "closed", 4 * DAY, closed_at=NOW - 3 * DAY, resolution="corrected",
        metadata={
            "auto_closed": True, "note": text("told by telephone"),
            "watch": {"quiet_since": NOW - 4 * DAY, "watched_seconds": DAY, "seen_seconds": DAY - 540.0,
                      "evidence": "seen", "chance": 0.0004, "corrections": 1, "verified_by_tests": True},
        },
    )  # fmt: skip
    correction(text, row, 4 * DAY - HOUR)
    history(text, made, "auto_closed", "24 h of silence, seen alive for 23 h 51 min", 3 * DAY)
    ticket(
        text, row, "garage", "closed", 8 * DAY, closed_at=NOW - 6 * DAY, resolution="no_reappearance",
        metadata={"auto_closed": True},
    )  # fmt: skip


def _muted(text: Text, number: int) -> None:
    row = error(text, number, title="TimeoutError: mirror is slow", occurrences=640, muted_rate=100.0)
    count(row, {ago: 10 for ago in range(24)})


def _mails(text: Text) -> None:
    made = Ticket.select().order_by(Ticket.id).first()
    for number, state in enumerate(("sent", "waiting", "failed", "held")):
        Mail.create(
            kind="detection",
            ticket=made,
            audience="client",
            recipient=text("office@bakery.example"),
            language="en",
            message_id=f"<{number}@example.org>",
            state=state,
            created_at=NOW - HOUR,
            due_at=NOW - HOUR,
            sent_at=NOW - HOUR + 5 if state == "sent" else None,
            attempts=number,
            last_error=text("550 no such user") if state == "failed" else "",
        )


def write_config(directory: Path) -> dict[str, object]:
    """The configuration of a test: everything under one directory."""
    return {
        "daemon": {"state_dir": str(directory)},
        "report": {"dir": str(directory / "report")},
        "database": {"url": f"sqlite:///{directory / 'tocsin.db'}"},
    }
