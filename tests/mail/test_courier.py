"""The courier brings mails from the outbox to a real mail server, and says why when it cannot."""

from __future__ import annotations

import socket
import threading

import pytest
from support.sending import PASSWORD, START, drain, only_row, smtp_to

from tocsin.daemon.outgoing import smtp as smtp_module
from tocsin.daemon.store import outbox
from tocsin.daemon.store.models import History, Mail, Ticket


def test_several_mails_share_one_connection(serve, courier, queue):
    server = serve()
    for _ in range(3):
        queue()
    drain(courier(server.smtp()))
    assert len(server.desk.messages) == 3
    assert len(server.desk.log_ins) == 1


def test_without_a_user_nobody_logs_in_and_nobody_is_asked(serve, courier, queue):
    server = serve("none", auth=False)
    queue()
    drain(courier(server.smtp("none", user=None, password=None)))
    assert len(server.desk.messages) == 1


def test_a_user_name_that_is_no_address_is_used_as_it_is(serve, courier, queue):
    server = serve()
    queue()
    drain(courier(server.smtp(user="apikey")))
    assert server.desk.log_ins[0] == (b"apikey", PASSWORD)


def test_without_a_mail_server_the_mails_wait(courier, queue):
    queue()
    assert courier(None).step(START) is False
    assert outbox.counts()["waiting"] == 1


@pytest.mark.parametrize("name", ["/etc/passwd", "setup.cfg", "~/.ssh/id_rsa"])
def test_a_text_that_names_a_file_sends_no_byte_of_it(serve, courier, queue, facts, name):
    server = serve()
    texts = dict.fromkeys(("title", "message", "service", "source", "client_name", "function"), name)
    queue("notice", audience="admin", facts=facts(**texts))
    drain(courier(server.smtp()))
    (message,) = server.desk.messages
    assert not list(message.iter_attachments())
    assert b"root:" not in message.as_bytes()
    assert b"[metadata]" not in message.as_bytes()


@pytest.mark.parametrize("title", ["a\nBcc: x@evil.example", "a\x85b\u2028c", "a\udc80", "x" * 10_240])
def test_a_mail_with_a_hostile_title_arrives_with_one_subject(serve, courier, queue, facts, title):
    server = serve()
    queue("notice", audience="admin", facts=facts(title=title.encode("utf-8", "replace").decode()))
    drain(courier(server.smtp()))
    (message,) = server.desk.messages
    assert len(message.get_all("Subject")) == 1
    assert message["Bcc"] is None
    assert server.desk.recipients == ["anna@example.net"]


def test_a_server_that_refuses_the_connection_keeps_the_mail_waiting(courier, queue):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        queue()
        courier(smtp_to(taken.getsockname()[1])).step(START)
    assert "refuses the connection" in only_row().last_error
    assert only_row().state == "waiting"


def test_a_name_that_cannot_be_resolved_is_explained(courier, queue):
    queue()
    courier(smtp_to(587, host="mail.example.invalid")).step(START)
    assert "cannot be resolved" in only_row().last_error


def test_a_silent_server_is_left_after_the_time_limit(script, courier, queue, monkeypatch):
    monkeypatch.setattr(smtp_module, "TIMEOUT", 0.2)
    queue()
    courier(smtp_to(script(lambda line: b"", greeting=b"").port)).step(START)
    assert "does not answer" in only_row().last_error


def test_a_server_that_trickles_its_answer_is_left_after_the_limit_for_one_answer(
    courier, queue, monkeypatch
):
    monkeypatch.setattr(smtp_module, "REPLY_LIMIT", 0.5)
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def trickle() -> None:
            peer, _ = listener.accept()
            with peer:
                try:
                    while not stop.wait(0.05):
                        peer.send(b"2")
                except OSError:
                    pass

        thread = threading.Thread(target=trickle)
        thread.start()
        queue()
        courier(smtp_to(listener.getsockname()[1])).step(START)
        stop.set()
        thread.join(10)
    assert "closed the connection" in only_row().last_error


def test_a_recipient_refused_for_good_fails_visibly_and_the_next_mail_goes_out(serve, courier, queue):
    server = serve()
    queue()
    one = courier(server.smtp())
    server.desk.rcpt_answer = "550 no such user"
    assert one.step(START) is True
    server.desk.rcpt_answer = ""
    queue(recipient="bob@example.net")
    drain(one)
    assert server.desk.recipients == ["bob@example.net"]
    failed = Mail.get(Mail.state == "failed")
    assert "anna@example.net" in failed.last_error
    assert "550 no such user" in failed.last_error


def test_a_recipient_refused_for_now_is_tried_again_and_the_next_mail_does_not_wait(serve, courier, queue):
    server = serve()
    queue()
    one = courier(server.smtp())
    server.desk.rcpt_answer = "451 greylisted"
    assert one.step(START) is True
    server.desk.rcpt_answer = ""
    queue(recipient="bob@example.net")
    drain(one)
    assert server.desk.recipients == ["bob@example.net"]
    drain(one, START + 61)
    assert server.desk.recipients == ["bob@example.net", "anna@example.net"]


@pytest.mark.parametrize("answer", ["554 5.7.1 Relay access denied", "530 5.7.0 Authentication required"])
def test_a_refusal_to_relay_is_the_settings_fault_and_the_mail_waits(serve, courier, queue, answer):
    server = serve("none", auth=False)
    server.desk.rcpt_answer = answer
    queue()
    assert courier(server.smtp("none", user=None, password=None)).step(START) is False
    assert only_row().state == "waiting"
    assert "SMTP_USER" in only_row().last_error


def test_an_address_with_letters_beyond_ascii_is_served_where_the_server_offers_it(serve, courier, queue):
    server = serve()
    queue(recipient="rené@straße.example")
    drain(courier(server.smtp()))
    assert server.desk.recipients == ["rené@xn--strae-oqa.example"]
    assert server.desk.messages[0]["To"] == "rené@xn--strae-oqa.example"
    assert server.desk.messages[0]["Subject"] == "[Ticket #7] Erreur détectée sur votre site"


def test_such_an_address_fails_with_the_reason_where_the_server_does_not(serve, courier, queue):
    server = serve(utf8=False)
    queue(recipient="rené@example.net")
    queue()
    drain(courier(server.smtp()))
    assert server.desk.recipients == ["anna@example.net"]
    assert "takes no address with letters beyond ASCII" in Mail.get(Mail.state == "failed").last_error


def test_a_text_refused_for_good_fails(serve, courier, queue):
    server = serve()
    server.desk.data_answers = ["554 looks like spam"]
    queue()
    courier(server.smtp()).step(START)
    assert only_row().state == "failed"


def test_a_connection_lost_after_the_text_is_tried_again_with_the_same_message_id(serve, courier, queue):
    server = serve()
    server.desk.drop_after_data = 1
    queue()
    one = courier(server.smtp())
    one.step(START)
    assert only_row().state == "waiting"
    assert "may have arrived" in only_row().last_error
    drain(one, START + 61)
    first, second = server.desk.messages
    assert first["Message-ID"] == second["Message-ID"]
    assert only_row().state == "sent"


def test_a_server_that_is_away_is_not_asked_for_every_mail(script, courier, queue):
    server = script(lambda line: None)
    for _ in range(20):
        queue()
    one = courier(smtp_to(server.port))
    for second in range(0, 7200, 5):
        drain(one, START + second)
    assert server.connections < 30
    assert outbox.counts()["waiting"] + outbox.counts()["sent"] == 20


def test_after_recovery_every_mail_is_delivered_once(serve, courier, queue):
    server = serve()
    for _ in range(5):
        queue()
    away = courier(smtp_to(1))
    drain(away)
    back = courier(server.smtp())
    for minute in range(60):
        drain(back, START + minute * 60)
    identities = [message["Message-ID"] for message in server.desk.messages]
    assert len(identities) == len(set(identities)) == 5


def test_a_mail_that_cannot_be_written_fails_with_its_reason_and_the_next_goes_out(
    serve, courier, queue, facts
):
    server = serve()
    queue(facts=facts(first_seen=1e300))
    queue("no_such_kind")
    queue(recipient="not an address")
    queue(recipient="bob@example.net")
    drain(courier(server.smtp()))
    assert server.desk.recipients == ["bob@example.net"]
    assert outbox.counts()["failed"] == 3
    assert all(row.last_error for row in Mail.select().where(Mail.state == "failed"))


def test_a_mail_a_killed_courier_had_in_hand_is_sent_by_the_next_with_the_same_id(
    serve, courier, queue, store
):
    queue()
    with store.transaction():
        (row,) = outbox.lease(START, 20, postgres=False)
    server = serve()
    one = courier(server.smtp())
    assert one.step(START + 1) is False
    one.recover()
    drain(one, START + 2)
    assert server.desk.messages[0]["Message-ID"] == f"<{row.message_id}@example.org>"


def test_the_mails_of_a_ticket_to_one_recipient_are_one_conversation(serve, courier, queue, store):
    ticket = make_ticket()
    for kind in ("detection", "closing", "reopened"):
        queue(kind, ticket_id=ticket)
    queue("notice", ticket_id=ticket, recipient="ops@example.org", audience="admin")
    server = serve()
    drain(courier(server.smtp()))
    to = {
        address: [m for m in server.desk.messages if m["To"] == address] for address in server.desk.recipients
    }
    first, *later = to["anna@example.net"]
    assert first["References"] is None
    assert [m["References"] for m in later] == [first["Message-ID"]] * 2
    assert to["ops@example.org"][0]["References"] is None


def history() -> list[tuple[str, str, str]]:
    return [(row.action, row.description, row.created_by) for row in History.select().order_by(History.id)]


def test_a_mail_that_was_sent_stands_in_its_tickets_history(serve, courier, queue):
    ticket = make_ticket()
    queue("closing", ticket_id=ticket)
    queue("notice", ticket_id=ticket, recipient="ops@example.org", audience="admin")
    drain(courier(serve().smtp()))
    assert history() == [
        ("email_sent", "closing mail to the client anna@example.net", "system"),
        ("email_sent", "notice mail to the admin ops@example.org", "system"),
    ]


def test_a_digest_stands_in_the_history_of_each_ticket_it_names(serve, courier, queue):
    tickets = [make_ticket() for _ in range(3)]
    for ticket in tickets:
        queue("detection", ticket_id=ticket)
    drain(courier(serve().smtp(), per_hour=2))
    said = "detection mail in a digest to the client anna@example.net"
    assert history() == [("email_sent", said, "system")] * 3
    assert [row.ticket_id for row in History.select().order_by(History.id)] == tickets


def test_a_mail_that_is_given_up_stands_in_its_tickets_history_once_with_the_reason(serve, courier, queue):
    server = serve()
    server.desk.rcpt_answer = "451 later"
    queue(ticket_id=make_ticket())
    one = courier(server.smtp())
    now = START
    while outbox.counts()["waiting"]:
        now = max(now, only_row().due_at)
        drain(one, now)
    ((action, description, _),) = history()
    assert action == "email_failed"
    assert description.startswith("detection mail to the client anna@example.net: ")
    assert "451 later" in description


def test_a_mail_about_a_ticket_that_is_gone_is_sent_once_all_the_same(serve, courier, queue, facts):
    gone = {"kind": "notice", "subject": "s", "ticket_id": 99, "created_at": START, "title": "t"}
    queue("digest", facts={"mails": [gone], "total": 1})
    server = serve()
    drain(courier(server.smtp()))
    assert len(server.desk.messages) == 1
    assert outbox.counts()["sent"] == 1


def make_ticket() -> int:
    ticket = Ticket.create(subject="s", message="m", source="manual", created_at=START)
    return int(ticket.id)


def test_the_courier_thread_sends_what_is_queued_while_it_runs_and_stops_when_told(serve, courier, queue):
    server = serve()
    arrived = threading.Event()
    server.desk.on_message = arrived.set
    stop = threading.Event()
    thread = threading.Thread(target=courier(server.smtp()).run, args=(stop, lambda: START))
    thread.start()
    queue()
    assert arrived.wait(20)
    stop.set()
    thread.join(20)
    assert not thread.is_alive()


def test_a_database_that_fails_does_not_end_the_courier_thread(serve, courier, queue, store):
    server = serve()
    arrived = threading.Event()
    server.desk.on_message = arrived.set
    stop, failures = threading.Event(), iter([True])
    one = courier(server.smtp())

    def now() -> float:
        if next(failures, False):
            raise OSError("the disk is away")
        return START

    queue()
    thread = threading.Thread(target=one.run, args=(stop, now))
    thread.start()
    assert arrived.wait(20)
    stop.set()
    thread.join(20)
