"""What the courier's tests share: mails sent until none is due, and the one that is looked at."""

from __future__ import annotations

import base64
from typing import Any

from tocsin.daemon.outgoing import smtp as smtp_module
from tocsin.daemon.store.models import Mail

START = 1_790_000_000.0
HOUR = 3600.0
PASSWORD = b"correct-horse-battery"


def drain(courier, now: float = START, limit: int = 100) -> None:
    for _ in range(limit):
        if not courier.step(now):
            return


def only_row() -> Mail:
    return Mail.select().get()


def has_credentials(received: bytes) -> bool:
    return PASSWORD in received or base64.b64encode(PASSWORD)[:16] in received or b"AUTH" in received.upper()


def smtp_to(port: int, security: str = "starttls", **changes: Any) -> smtp_module.Smtp:
    values: dict[str, Any] = {"host": "localhost", "port": port, "user": "tocsin",
                              "password": PASSWORD.decode(), "sender": "tocsin@example.org",
                              "security": security}  # fmt: skip
    return smtp_module.Smtp(**{**values, **changes})
