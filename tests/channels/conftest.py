"""Real receivers on loopback, channels that lead there, and rows for their couriers."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from support.receiver import Receiver

from tocsin.daemon.config import Config, Mail
from tocsin.daemon.outgoing.channel_courier import ChannelCourier
from tocsin.daemon.settings import Channel
from tocsin.daemon.store import outbox
from tocsin.daemon.store.database import Store

START = 1_790_000_000.0
SECRET = bytes(range(32))


@pytest.fixture
def receive() -> Iterator[Callable[..., Receiver]]:
    """Starts a receiver."""
    running: list[Receiver] = []

    def start(context: ssl.SSLContext | None = None) -> Receiver:
        running.append(Receiver(context))
        return running[-1]

    yield start
    for one in running:
        one.close()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secret_file(tmp_path: Path) -> str:
    file = tmp_path / "hook.secret"
    file.write_text(f"whsec_{base64.b64encode(SECRET).decode()}\n")
    return str(file)


@pytest.fixture
def hook(secret_file: str) -> Callable[..., Channel]:
    """The settings of a webhook to a receiver."""

    def make(receiver: Receiver, **changes: Any) -> Channel:
        values = {"name": "hook", "webhook": f"http://127.0.0.1:{receiver.port}/in/s3cr3t-path",
                  "secret_file": secret_file, "own_network": True}  # fmt: skip
        return Channel(**{**values, **changes})

    return make


@pytest.fixture
def chat() -> Callable[..., Channel]:
    """The settings of a chat that is a receiver: Apprise's `json://`."""

    def make(receiver: Receiver, **changes: Any) -> Channel:
        return Channel(
            **{"name": "team", "url": f"json://127.0.0.1:{receiver.port}/t0ken-of-chat", **changes}
        )

    return make


@pytest.fixture
def courier(store: Store) -> Callable[..., ChannelCourier]:
    """Makes the courier of a channel."""

    def make(channel: Channel, **settings: Any) -> ChannelCourier:
        config = Config(mail=Mail(**settings), channel=[channel])
        return ChannelCourier(store, config, channel)

    return make


@pytest.fixture
def queue(store: Store) -> Callable[..., None]:
    """Queues a message for a channel."""

    def put(channel: str, kind: str = "notice", **facts: Any) -> None:
        known = {
            "ticket_id": 7, "error_id": 3, "service": "shop", "environment": "production",
            "title": "KeyError: *", "message": "order 1001 failed\nKeyError: 'size'",
            "source": "shop/views.py", "line": 41, "function": "basket", "occurrences": 5,
            "first_seen": START - 3000, "last_seen": START - 60, "client_id": "acme", "client_name": "Acme",
            "priority": "high", "created_at": START, "ticket_url": "https://status.example.org/t/7.html",
        }  # fmt: skip
        with store.transaction():
            outbox.queue(kind, audience="admin", recipient=channel, language="en", ticket_id=None,
                         facts={**known, **facts}, now=START, channel=channel)  # fmt: skip

    return put


def drain(courier: ChannelCourier, now: float = START, limit: int = 100) -> None:
    for _ in range(limit):
        if not courier.step(now):
            return
