"""A storm of new errors, for two hours of passed-in time, against servers that fail in every way.

The default is short; `make mail-storm` runs it with ten thousand mails (TOCSIN_STORM).
"""

from __future__ import annotations

import os
import socket
from collections import Counter

import pytest
from support.faulty_mail_server import broken

from tocsin.daemon.outgoing import smtp as smtp_module
from tocsin.daemon.settings import Smtp
from tocsin.daemon.store import outbox
from tocsin.daemon.store.models import Mail

MAILS = int(os.environ.get("TOCSIN_STORM", "600"))
START = 1_790_000_000.0
MINUTE = 60.0
PER_HOUR = 20
TICKETS = {"audience": "admin", "recipient": "ops@example.org", "language": "en", "created_at": START,
           "due_at": START}  # fmt: skip


@pytest.fixture
def storm(store, facts):
    """Notices to one admin, as the digest would have written them."""
    with store.transaction():
        for start in range(0, MAILS, 500):
            rows = [
                {"kind": "notice", "facts": facts(ticket_id=n), "message_id": outbox.message_id(), **TICKETS}
                for n in range(start, min(start + 500, MAILS))
            ]
            Mail.insert_many(rows).execute()


def pass_time(courier, minutes: range) -> None:
    for minute in minutes:
        for _ in range(50):
            if not courier.step(START + minute * MINUTE):
                break


def recovered(serve, courier, minutes: range) -> list[str]:
    """The Message-IDs that arrive at a sound server; what was refused for good is tried again by hand."""
    server = serve("none", auth=False)
    with_room = courier(server.smtp("none", user=None, password=None), per_hour=PER_HOUR)
    outbox.retry(outbox.ids(["failed"]), START + minutes[0] * MINUTE)
    pass_time(with_room, minutes)
    assert any(f"{MAILS:,} messages" in message["Subject"] for message in server.desk.messages)
    return [message["Message-ID"] for message in server.desk.messages]


HANGING = ("silent", "one byte a second")
ANSWERING = ("refuses recipients for now", "refuses recipients for good", "refuses texts for now",
             "drops the connection after the text", "refuses connections")  # fmt: skip


@pytest.mark.parametrize("fault", ANSWERING + HANGING)
def test_after_a_storm_on_a_broken_server_every_mail_is_delivered_once_or_under_the_same_id(
    serve, courier, storm, monkeypatch, fault
):
    monkeypatch.setattr(smtp_module, "TIMEOUT", 0.02 if fault in HANGING else 10.0)
    monkeypatch.setattr(smtp_module, "REPLY_LIMIT", 0.02 if fault in HANGING else 20.0)
    if fault == "refuses connections":
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            outage(courier, nobody.getsockname()[1])
    else:
        with broken(fault) as server:
            outage(courier, server.port)
            assert 0 < server.connections <= 120
    monkeypatch.undo()
    arrived = Counter(recovered(serve, courier, range(120, 600, 5)))
    assert set(arrived.values()) == {1}
    assert len(arrived) == outbox.counts()["sent"]
    assert outbox.counts()["waiting"] == outbox.counts()["failed"] == 0


def outage(courier, port: int) -> None:
    """Two hours."""
    smtp = Smtp(host="127.0.0.1", port=port, sender="tocsin@example.org", security="none")
    one = courier(smtp, per_hour=PER_HOUR)
    pass_time(one, range(0, 120, 3))
    one.close()


def test_a_server_that_takes_mails_and_drops_the_connection_gets_at_most_per_hour(serve, courier, storm):
    server = serve("none", auth=False)
    server.desk.drop_after_data = 10_000
    one = courier(server.smtp("none", user=None, password=None), per_hour=PER_HOUR)
    pass_time(one, range(0, 120, 3))
    taken = len(server.desk.messages)
    assert 0 < taken <= 2 * PER_HOUR
    server.desk.drop_after_data = 0
    pass_time(one, range(120, 600, 5))
    arrived = {message["Message-ID"] for message in server.desk.messages}
    assert len(arrived) == outbox.counts()["sent"]
    assert outbox.counts()["waiting"] == 0
