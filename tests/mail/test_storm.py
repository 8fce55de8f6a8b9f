"""Ten thousand mails at once, for two hours of passed-in time, against servers that fail in every way."""

from __future__ import annotations

from collections import Counter

import pytest

from tocsin.daemon.store import outbox
from tocsin.daemon.store.models import Mail

START = 1_790_000_000.0
HOUR = 3600.0
MINUTE = 60.0


@pytest.fixture
def storm(store, facts):
    """10,000 notices to one admin, as the digest would have written them."""
    with store.transaction():
        for start in range(0, 10_000, 500):
            rows = [
                {"kind": "notice", "audience": "admin", "recipient": "ops@example.org", "language": "en",
                 "facts": facts(ticket_id=start + n), "message_id": outbox.message_id(), "created_at": START,
                 "due_at": START} for n in range(500)
            ]  # fmt: skip
            Mail.insert_many(rows).execute()


FAULTS = {
    "refuses recipients for now": {"rcpt_answer": "451 later"},
    "refuses texts for now": {"data_answers": ["452 full"] * 1000},
    "drops the connection after the text": {"drop_after_data": 1000},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_storm_sends_at_most_per_hour_mails_and_each_arrives_once_or_under_the_same_id(
    serve, courier, storm, fault
):
    server = serve()
    for name, value in FAULTS[fault].items():
        setattr(server.desk, name, list(value) if isinstance(value, list) else value)
    one = courier(server.smtp(), per_hour=20)

    def pass_time(minutes: range) -> None:
        for minute in minutes:
            for _ in range(50):
                if not one.step(START + minute * MINUTE):
                    break

    pass_time(range(0, 120, 3))
    assert len(server.desk.messages) <= 2 * 20
    server.desk.rcpt_answer, server.desk.data_answers, server.desk.drop_after_data = "", [], 0
    pass_time(range(120, 600, 5))
    assert outbox.counts()["waiting"] == 0
    assert outbox.counts()["failed"] == 0
    delivered = Counter(message["Message-ID"] for message in server.desk.messages)
    assert len(delivered) == outbox.counts()["sent"]
    assert any(message["Subject"].startswith("[Tocsin] 10,000 messages") for message in server.desk.messages)
    if fault != "drops the connection after the text":
        assert set(delivered.values()) == {1}
