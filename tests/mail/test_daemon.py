"""Mails through the real daemon: broken mail servers, storms, and the admin's approval."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from support.faulty_mail_server import broken
from support.mailing import MailingDaemon
from support.running import short_place, until

MAIL = '[mail]\nadmin = ["ops@example.org"]\n'


@pytest.fixture
def daemon() -> Iterator[Callable[..., MailingDaemon]]:
    """Starts the daemon with a mail server on that port."""
    running: list[MailingDaemon] = []
    with short_place() as place:

        def start(port: int | None, settings: str = MAIL) -> MailingDaemon:
            running.append(MailingDaemon(place, port, settings))
            running[-1].up()
            return running[-1]

        yield start
        for one in running:
            one.close()


@pytest.mark.parametrize("fault", ["silent", "one byte a second"])
def test_errors_are_counted_while_the_courier_waits_for_a_server_that_hangs(daemon, fault):
    with broken(fault) as server:
        one = daemon(server.port)
        one.fail(["the first"])
        assert until(lambda: server.held == 1)
        assert one.fail([f"error {n}" for n in range(200)])["delivered"]
        assert one.total() == 201
        states = Counter(row["state"] for row in one.ask("mail", "outbox"))
    assert set(states) == {"waiting"}


def test_the_status_says_why_a_broken_servers_mails_wait(daemon):
    with broken("refuses texts for now") as server:
        one = daemon(server.port)
        one.fail(["the first"])
        assert until(lambda: "452 full" in str(one.ask("status")["problems"]))


def test_a_storm_of_new_errors_makes_at_most_per_hour_mails_the_rest_one_digest(daemon, serve):
    server = serve("none", auth=False)
    one = daemon(server.port, MAIL + 'per_hour = 6\ngather = "1s"\n')
    one.fail([f"error {n}" for n in range(200)])
    assert until(lambda: one.ask("status")["outbox"]["waiting"] == 0 or len(server.desk.messages) >= 6)
    to = Counter(message["To"] for message in server.desk.messages)
    assert to.total() <= 6
    assert any("messages about your tickets" in message["Subject"] for message in server.desk.messages)


def test_a_clients_mail_waits_for_the_admins_release_and_a_dropped_one_never_goes(daemon, serve):
    server = serve("none", auth=False)
    one = daemon(server.port, MAIL + 'client = "review"\n')
    one.fail(["to be released", "to be dropped"])
    assert until(lambda: server.desk.recipients == ["ops@example.org"] * 2)
    held = one.ask("mail", "outbox", "--state", "held")
    assert [row["recipient"] for row in held] == ["anna@example.net"] * 2
    assert "2 client mails wait for your release." in one.ask("status")["problems"]
    dropped, released = (row["id"] for row in held)
    one.ask("mail", "outbox", "drop", str(dropped))
    one.ask("mail", "outbox", "release", str(released))
    assert until(lambda: "anna@example.net" in server.desk.recipients)
    assert until(lambda: one.ask("mail", "outbox", "--state", "waiting") == [])
    states = {row["id"]: row["state"] for row in one.ask("mail", "outbox")}
    assert (states[dropped], states[released]) == ("dropped", "sent")
    assert server.desk.recipients.count("anna@example.net") == 1
    assert "2 client mails" not in str(one.ask("status")["problems"])
