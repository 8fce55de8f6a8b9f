"""The courier brings mails from the outbox to a real mail server, and says why when it cannot."""

from __future__ import annotations

from typing import Any

import pytest

from tocsin.daemon.store import outbox

START = 1_790_000_000.0


@pytest.fixture
def queue(store, facts):
    def put(kind: str = "detection", **changes: Any) -> None:
        values: dict[str, Any] = {"audience": "client", "recipient": "anna@example.net", "language": "fr",
                                  "ticket_id": None, "facts": facts(), "now": START}  # fmt: skip
        with store.transaction():
            outbox.queue(kind, **{**values, **changes})

    return put


def drain(courier, now: float = START, limit: int = 100) -> None:
    for _ in range(limit):
        if not courier.step(now):
            return


@pytest.mark.parametrize("security", ["starttls", "ssl"])
def test_a_mail_goes_from_the_outbox_over_tls_and_log_in_to_its_recipient(serve, courier, queue, security):
    server = serve(security)
    queue()
    drain(courier(server.smtp(security)))
    assert server.desk.recipients == ["anna@example.net"]
    assert server.desk.log_ins == [(b"tocsin", b"correct-horse-battery")]
    (message,) = server.desk.messages
    assert message["Subject"] == "[Ticket #7] Erreur détectée sur votre site"
    assert outbox.counts() == {"waiting": 0, "sent": 1, "failed": 0, "held": 0}


def test_without_a_mail_server_the_mails_wait(courier, queue):
    queue()
    assert courier(None).step(START) is False
    assert outbox.counts()["waiting"] == 1
