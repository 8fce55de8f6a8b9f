"""Channels of the real daemon: beside the mails, never in the way of the errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from support import receiver as faults
from support.daemon_process import DaemonProcess
from support.mailing import MailingDaemon
from support.running import short_place, until


@pytest.fixture
def daemon() -> Iterator[Callable[[str], MailingDaemon]]:
    """Starts the daemon with these settings."""
    running: list[MailingDaemon] = []
    with short_place() as place:

        def start(settings: str) -> MailingDaemon:
            running.append(MailingDaemon(place, None, settings))
            running[-1].up()
            return running[-1]

        yield start
        for one in running:
            one.close()


def hook(port: int, secret_file: str) -> str:
    return (
        f'[[channel]]\nname = "hook"\nwebhook = "http://127.0.0.1:{port}/t0ken"\n'
        f'secret_file = "{secret_file}"\nown_network = true\n'
    )


def test_a_new_error_reaches_the_webhook(daemon, receive, secret_file):
    receiver = receive()
    daemon(hook(receiver.port, secret_file)).fail(["order 1 failed"])
    assert until(lambda: receiver.posts)
    said = json.loads(receiver.posts[0].body)
    assert (said["type"], said["data"]["service"], said["data"]["client_id"]) == ("detection", "shop", "acme")


def test_errors_are_counted_while_a_receiver_hangs(daemon, receive, secret_file):
    receiver = receive()
    receiver.answers = [faults.silent] * 50
    one = daemon(hook(receiver.port, secret_file))
    one.fail(["the first"])
    assert until(lambda: receiver.posts)
    assert one.fail([f"error {n}" for n in range(100)])["delivered"]
    assert one.total() == 101


def test_a_failure_is_in_the_status_and_the_log_without_the_address(daemon, receive, secret_file):
    receiver = receive()
    receiver.answers = [500] * 50
    one = daemon(hook(receiver.port, secret_file))
    one.fail(["the first"])
    assert until(lambda: "127.0.0.1 answers 500" in str(one.ask("status")["problems"]))
    logs = "".join(file.read_text(errors="replace") for file in one.place.glob("*.log"))
    assert "t0ken" not in logs + json.dumps(one.ask("status")) + json.dumps(one.ask("mail", "outbox"))


def test_a_secret_that_is_not_there_is_fatal_at_the_start_in_one_line(tmp_path):
    daemon = DaemonProcess(
        tmp_path, f'[daemon]\nstate_dir = "{tmp_path}"\n' + hook(1, str(tmp_path / "none"))
    ).start()
    try:
        assert daemon.process.wait(60) != 0
        assert "channel.secret_file of channel 'hook'" in daemon.written().strip().splitlines()[-1]
    finally:
        daemon.close()
