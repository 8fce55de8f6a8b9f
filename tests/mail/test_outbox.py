"""The outbox: retries, caps, digests, the admin's release, with the time passed in."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.daemon.reason import Reason
from tocsin.daemon.store import outbox
from tocsin.daemon.store.models import Mail

START = 1_790_000_000.0
HOUR, DAY = 3600.0, 86400.0


@pytest.fixture
def put(store, facts):
    """Queues mails to a recipient."""

    def queue(count=1, recipient="ops@example.org", kind="notice", now=START, **changes):
        with store.transaction():
            for number in range(count):
                outbox.queue(kind, audience="admin", recipient=recipient, language="en", ticket_id=None,
                             facts=facts(ticket_id=number), now=now, **changes)  # fmt: skip

    return queue


@pytest.fixture
def send(serve, courier):
    """A mail server and a courier with room for `per_hour` mails; call it with a time to send what may go."""

    class Sender:
        def __init__(self):
            self.desk = (server := serve()).desk
            self.courier = courier(server.smtp(), per_hour=5)

        def __call__(self, now):
            before = len(self.desk.messages)
            while self.courier.step(now):
                pass
            return self.desk.messages[before:]

    return Sender()


def states():
    return [row.state for row in Mail.select().order_by(Mail.id)]


class OutboxContract:
    """What the outbox promises on every database."""

    def test_a_mail_rolled_back_with_its_transaction_was_never_queued(self, store, put):
        def fails():
            with store.transaction():
                put(1)
                raise KeyError

        with pytest.raises(KeyError):
            fails()
        assert outbox.counts()["waiting"] == 0

    def test_as_many_as_the_hour_has_room_for_go_out_one_by_one(self, put, send):
        put(5)
        assert len(send(START)) == 5
        assert states() == ["sent"] * 5

    def test_more_than_the_hour_has_room_for_becomes_one_digest(self, put, send):
        put(300)
        (message,) = send(START)
        assert message["Subject"] == "[Tocsin] 300 messages about your tickets"
        assert "[Ticket #0] New error in shop" in message.get_body(("plain",)).get_content()
        assert states() == ["digested"] * 300 + ["sent"]

    def test_never_more_than_per_hour_mails_leave_in_any_hour(self, put, send):
        left = []
        for minute in range(0, 130, 2):
            now = START + minute * 60
            put(3, recipient=f"{minute % 4}@example.org", now=now)
            left += [now] * len(send(now))
        assert len(left) > 5
        for moment in left:
            assert sum(1 for other in left if moment - HOUR < other <= moment) <= 5

    def test_one_recipients_storm_does_not_keep_anothers_mail_waiting(self, put, send):
        put(4)
        send(START)
        put(200, now=START + 60)
        put(1, recipient="anna@example.net", now=START + 61)
        assert [message["To"] for message in send(START + 62)] == ["anna@example.net"]

    def test_what_is_over_the_cap_leaves_in_one_digest_when_there_is_room_again(self, put, send):
        put(5)
        send(START)
        put(30, now=START + 60)
        assert send(START + 120) == []
        assert len(send(START + HOUR + 1)) == 1
        assert outbox.counts()["waiting"] == 0

    def test_digests_that_wait_are_folded_into_the_next_with_all_they_name(self, put, send):
        put(5)
        send(START)
        send.desk.rcpt_answer = "451 later"
        put(10, now=START + HOUR)
        send(START + HOUR + 1)
        send.desk.rcpt_answer = ""
        put(10, now=START + HOUR + 100)
        (message,) = send(START + HOUR + 200)
        assert message["Subject"] == "[Tocsin] 20 messages about your tickets"

    def test_a_mail_that_may_have_arrived_is_not_folded_but_sent_again_as_itself(self, put, send):
        send.desk.drop_after_data = 1
        put(1)
        (first,) = send(START)
        put(30, now=START + 60)
        sent = [*send(START + 400), *send(START + 2 * HOUR)]
        assert [message["Message-ID"] for message in sent].count(first["Message-ID"]) == 1

    def test_a_mail_that_cannot_be_written_does_not_stop_its_digest(self, put, send):
        put(6)
        put(1, kind="no_such_kind")
        (message,) = send(START)
        assert "7 messages" in message["Subject"]

    def test_a_mail_is_given_up_three_days_after_it_was_first_tried(self, put, send):
        put(1, now=START - 10 * DAY)
        send.desk.rcpt_answer = "451 later"
        now, tries = START, 0
        while outbox.counts()["waiting"]:
            now = max(now, Mail.get().due_at)
            send(now)
            tries += 1
        assert 3 * DAY <= now - START <= 3.25 * DAY
        assert tries > 15
        assert "451 later" in outbox.reasons()["failed"]

    def test_a_held_mail_waits_for_its_release(self, put, send):
        put(1, held=True)
        assert send(START) == []
        assert outbox.release(outbox.ids(["held"]), START) == 1
        assert len(send(START)) == 1

    def test_a_dropped_mail_is_never_sent(self, put, send):
        put(1, held=True)
        assert outbox.drop(outbox.ids(["held"])) == 1
        assert outbox.release([1], START) == 0
        assert send(START) == []

    def test_a_failed_mail_can_be_tried_again(self, put, send):
        send.desk.rcpt_answer = "550 no"
        put(1)
        send(START)
        send.desk.rcpt_answer = ""
        assert outbox.retry(outbox.ids(["failed"]), START + 5 * DAY) == 1
        assert len(send(START + 5 * DAY)) == 1

    def test_a_mail_one_courier_has_in_hand_is_not_given_to_another(self, put, store):
        put(1)
        with store.transaction():
            assert len(outbox.lease(START, 20, postgres=store.postgres)) == 1
        with store.transaction():
            assert outbox.lease(START + 1, 20, postgres=store.postgres) == []
            assert len(outbox.lease(START + outbox.LEASE + 1, 20, postgres=store.postgres)) == 1

    def test_a_sent_mail_that_was_dropped_meanwhile_stays_what_it_is_when_a_retry_is_noted(self, put, store):
        put(1)
        outbox.drop([1])
        outbox.mark_retry(1, Reason("451 later"), False, START)
        assert states() == ["dropped"]

    def test_there_is_no_reason_to_tell_when_nothing_waits_with_an_error(self, put, send):
        put(2)
        assert set(outbox.reasons().values()) == {""}
        send(START)
        assert set(outbox.reasons().values()) == {""}


class TestOutboxOnSqlite(OutboxContract):
    database = "sqlite"


class TestOutboxOnPostgres(OutboxContract):
    database = "postgres"

    def test_two_couriers_at_once_send_each_mail_once(self, put, store, serve, courier):
        put(40)
        server = serve()
        one, other = (courier(server.smtp(), per_hour=100) for _ in range(2))

        def work(courier):
            while courier.step(START):
                pass
            store.disconnect()

        threads = [threading.Thread(target=work, args=(each,)) for each in (one, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        identities = [message["Message-ID"] for message in server.desk.messages]
        assert len(identities) == len(set(identities)) == 40
        assert states() == ["sent"] * 40


def test_waiting_grows_from_a_minute_to_six_hours():
    delays = [outbox.retry_delay(attempt) for attempt in range(1, 40)]
    assert delays[:4] == [60, 120, 240, 480]
    assert delays[-1] == 6 * HOUR
    assert delays == sorted(delays)


@given(st.integers(1, 10**6))
def test_a_retry_is_never_sooner_than_a_minute_nor_later_than_six_hours(attempts):
    assert 60 <= outbox.retry_delay(attempts) <= 6 * HOUR


def test_mails_that_waited_for_each_other_become_one(put, send):
    for moment in (0, 60, 120):
        put(1, kind="detection", now=START + moment, gather=600.0)
    assert len(send(START + 121)) == 1
    assert len(send(START + 700)) == 1
    assert states() == ["sent", "digested", "digested", "sent"]


def test_one_mail_that_waited_alone_is_no_digest(put, send):
    for moment in (0, 60):
        put(1, kind="detection", now=START + moment, gather=600.0)
    send(START + 700)
    assert states() == ["sent", "sent"]


def test_the_first_mail_after_the_time_leaves_at_once_again(put, send):
    for moment in (0, 60, 700):
        put(1, kind="detection", now=START + moment, gather=600.0)
    assert len(send(START + 701)) == 3


def test_held_mails_that_are_released_together_leave_one_by_one(put, send):
    for moment in (0, 60):
        put(1, kind="detection", now=START + moment, gather=600.0, held=True)
    outbox.release(outbox.ids(["held"]), START + 100)
    assert len(send(START + 101)) == 2
    assert states() == ["sent", "sent"]


def test_a_first_mail_that_had_to_be_tried_again_still_gathers_what_follows(put, send):
    put(1, kind="detection", gather=600.0)
    outbox.retry(outbox.ids(["waiting"]), START + 30)
    put(1, kind="detection", now=START + 60, gather=600.0)
    send(START + 61)
    assert states() == ["sent", "waiting"]


def test_a_digest_keeps_the_time_zone_of_its_reader(store, facts):
    with store.transaction():
        for moment in (0, 60, 120):
            outbox.queue(
                "detection", audience="client", recipient="it@bolt.example", language="en", ticket_id=None,
                facts=facts(timezone="America/New_York"), now=START + moment, gather=600.0,
            )  # fmt: skip
        rows = list(Mail.select().order_by(Mail.id))[1:]
        assert outbox.fold(rows, [], 2, START).facts["timezone"] == "America/New_York"
