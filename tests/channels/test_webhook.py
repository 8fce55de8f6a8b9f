"""Webhooks: signed so that a receiver can verify, to no address that was not meant, with an end to every wait."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import ssl
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import receiver as faults

from tocsin.daemon.config_channels import Target
from tocsin.daemon.outgoing import webhook
from tocsin.daemon.outgoing.smtp import SendError
from tocsin.daemon.store import outbox
from tocsin.daemon.store.models import Mail

from .conftest import SECRET, START, drain

ROOT = Path(__file__).parents[2]


def fault(
    receiver, host: str = "127.0.0.1", scheme: str = "http", context=None, own_network=True
) -> SendError:
    """What a post to the receiver raises."""
    address = f"{scheme}://{host}:{receiver.port}/in/s3cr3t-path"
    with pytest.raises(SendError) as raised:
        webhook.post(
            Target("hook", webhook=address, secret=SECRET, own_network=own_network),
            "id-1",
            b"{}",
            START,
            context,
        )
    assert "s3cr3t" not in f"{raised.value} {raised.value.remedy}"
    return raised.value


def test_a_webhook_says_in_json_what_became_known(receive, hook, courier, queue):
    receiver = receive()
    queue("hook")
    drain(courier(hook(receiver)))
    (post,) = receiver.posts
    said = json.loads(post.body)
    assert (post.path, post.headers["Content-Type"]) == ("/in/s3cr3t-path", "application/json")
    assert (said["type"], said["timestamp"]) == ("detection", "2026-09-21T14:13:20+00:00")
    assert said["data"] | {
        "ticket_id": 7, "service": "shop", "title": "KeyError: *", "occurrences": 5, "client_id": "acme",
        "ticket_url": "https://status.example.org/t/7.html", "last_seen": "2026-09-21T14:12:20+00:00",
    } == said["data"]  # fmt: skip
    assert said["id"] == post.headers["webhook-id"] == Mail.get().message_id


def test_the_signature_covers_id_moment_and_body_with_the_shared_secret(receive, hook, courier, queue):
    receiver = receive()
    queue("hook")
    drain(courier(hook(receiver)))
    (post,) = receiver.posts
    signed = f"{post.headers['webhook-id']}.{int(START)}.".encode() + post.body
    expected = base64.b64encode(hmac.new(SECRET, signed, hashlib.sha256).digest()).decode()
    assert post.headers["webhook-timestamp"] == str(int(START))
    assert post.headers["webhook-signature"] == f"v1,{expected}"


@given(body=st.binary(max_size=200), other=st.binary(max_size=200), at=st.integers(0, 2**33))
def test_no_other_body_moment_or_id_has_the_same_signature(body, other, at):
    def signature(name: str, body: bytes, at: float) -> str:
        return webhook.signed(name, body, SECRET, at)["webhook-signature"]

    mine = signature("id-1", body, at)
    assert mine not in (signature("id-2", body, at), signature("id-1", body, at + 1))
    assert (mine == signature("id-1", other, at)) == (body == other)


@pytest.mark.parametrize(
    ("status", "permanent", "server"),
    [(500, False, True), (503, False, True), (429, False, True), (401, False, True), (404, False, True),
     (400, True, False), (422, True, False)],
)  # fmt: skip
def test_a_refused_message_is_tried_again_unless_it_is_the_message_that_is_refused(
    receive, status, permanent, server
):
    receiver = receive()
    receiver.answers = [status]
    error = fault(receiver)
    assert (error.permanent, error.server, str(status) in str(error)) == (permanent, server, True)


def test_a_redirect_is_followed_nowhere(receive):
    receiver, other = receive(), receive()
    receiver.answers = [faults.redirect(f"http://127.0.0.1:{other.port}/")]
    assert "redirect" in str(fault(receiver))
    assert other.posts == []


@pytest.mark.parametrize("answer", [faults.silent, faults.trickling, faults.reset])
def test_a_receiver_that_does_not_answer_is_given_up_in_time_and_may_have_taken_it(
    receive, monkeypatch, answer
):
    monkeypatch.setattr(webhook, "CONNECT_WITHIN", 0.3)
    monkeypatch.setattr(webhook, "ANSWER_WITHIN", 0.5)
    receiver = receive()
    receiver.answers = [answer]
    assert fault(receiver).uncertain


def test_a_tls_handshake_without_end_is_given_up_in_time(monkeypatch):
    """The server sends a byte of its first record now and then: each read is quick, together they are endless."""
    monkeypatch.setattr(webhook, "ANSWER_WITHIN", 0.5)
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(20)
    done = threading.Event()

    def trickle():
        connection, _ = listening.accept()
        with connection, suppress(OSError):
            connection.sendall(b"\x16\x03\x03\x40\x00")
            while not done.wait(0.05):
                connection.sendall(b"\x00")

    thread = threading.Thread(target=trickle)
    thread.start()
    started = time.monotonic()
    try:
        target = Target(
            "hook",
            webhook=f"https://127.0.0.1:{listening.getsockname()[1]}/",
            secret=SECRET,
            own_network=True,
        )
        with pytest.raises(SendError, match="does not answer in time") as raised:
            webhook.post(target, "id-1", b"{}", START)
    finally:
        done.set()
        thread.join()
        listening.close()
    assert (raised.value.uncertain, time.monotonic() - started < 5) == (False, True)


def test_a_body_without_end_is_not_read(receive, hook, courier, queue):
    receiver = receive()
    receiver.answers = [faults.slow_body]
    queue("hook")
    drain(courier(hook(receiver)))
    assert outbox.counts("hook")["sent"] == 1


def test_nobody_listens(receive):
    receiver = receive()
    receiver.close()
    error = fault(receiver)
    assert ("refuses" in str(error), error.uncertain) == (True, False)


def test_a_certificate_that_is_not_trusted_gets_nothing(receive, authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    receiver = receive(context)
    assert "certificate" in str(fault(receiver, "localhost", "https"))
    assert receiver.posts == []


def test_a_message_goes_over_tls_to_the_host_that_its_certificate_names(receive, authority):
    serving, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(serving)
    authority.configure_trust(trusting)
    receiver = receive(serving)
    target = Target(
        "hook", webhook=f"https://localhost:{receiver.port}/x?a=1", secret=SECRET, own_network=True
    )
    webhook.post(target, "id-1", b"{}", START, trusting)
    assert [post.path for post in receiver.posts] == ["/x?a=1"]


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.8.8.8", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0",
     "100.64.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fd00::1", "ff02::1",
     "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1"],
)  # fmt: skip
def test_an_address_of_the_own_network_is_known_in_every_spelling(address):
    assert webhook.is_own_network(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_a_public_address_is_none_of_the_own_network(address):
    assert not webhook.is_own_network(address)


def test_a_name_that_leads_into_the_own_network_is_asked_nothing(receive):
    receiver = receive()
    error = fault(receiver, "localhost", own_network=False)
    assert "own network" in str(error)
    assert "own_network = true" in error.remedy
    assert receiver.posts == []


def test_the_address_that_was_looked_at_is_the_one_that_is_asked(receive, monkeypatch):
    """A name server may give a public address first and loopback to whoever asks again."""
    receiver, asked = receive(), []

    def rebinding(host, port, *arguments, **options):
        asked.append(host)
        address = "192.0.2.1" if len(asked) == 1 else "127.0.0.1"
        return [(faults.socket.AF_INET, faults.socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(webhook.socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(webhook, "is_own_network", lambda address: address == "127.0.0.1")
    monkeypatch.setattr(webhook, "CONNECT_WITHIN", 0.2)
    fault(receiver, "hooks.example.org", own_network=False)
    assert (asked, receiver.posts) == (["hooks.example.org"], [])


def test_one_address_of_the_own_network_among_public_ones_is_enough_to_refuse(receive, monkeypatch):
    def mixed(host, port, *arguments, **options):
        return [
            (faults.socket.AF_INET, faults.socket.SOCK_STREAM, 6, "", (one, port))
            for one in ("1.1.1.1", "10.0.0.1")
        ]

    monkeypatch.setattr(webhook.socket, "getaddrinfo", mixed)
    assert "10.0.0.1" in str(fault(receive(), "hooks.example.org", own_network=False))
