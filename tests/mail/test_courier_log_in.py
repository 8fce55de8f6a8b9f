"""The courier gives its password to a server that is known for who it is, and to nobody else."""

from __future__ import annotations

import base64
import datetime
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import structlog
import trustme
from support.sending import PASSWORD, START, drain, has_credentials, only_row, smtp_to

from tocsin.daemon.outgoing import smtp as smtp_module
from tocsin.daemon.store import outbox


@pytest.mark.parametrize("security", ["starttls", "ssl"])
def test_a_mail_goes_from_the_outbox_over_tls_and_log_in_to_its_recipient(serve, courier, queue, security):
    server = serve(security)
    queue()
    drain(courier(server.smtp(security)))
    assert server.desk.recipients == ["anna@example.net"]
    assert server.desk.log_ins == [(b"tocsin", PASSWORD)]
    (message,) = server.desk.messages
    assert message["Subject"] == "[Ticket #7] Erreur détectée sur votre site"
    assert outbox.counts() == {"waiting": 0, "sent": 1, "failed": 0, "held": 0}


@pytest.mark.parametrize("security", ["starttls", "ssl"])
@pytest.mark.parametrize("wrong", ["self-signed", "another host", "expired"])
def test_a_wrong_certificate_gets_no_credential_and_the_mail_waits(
    serve, courier, queue, authority, security, wrong
):
    yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    certificate = {
        "self-signed": lambda: trustme.CA().issue_cert("localhost"),
        "another host": lambda: authority.issue_cert("mail.example.org"),
        "expired": lambda: authority.issue_cert(
            "localhost", not_before=yesterday - datetime.timedelta(days=9), not_after=yesterday
        ),
    }[wrong]()
    server = serve(security, certificate)
    queue()
    with structlog.testing.capture_logs() as logs:
        assert courier(server.smtp(security)).step(START) is False
    assert server.desk.log_ins == []
    assert only_row().state == "waiting"
    assert "certificate" in logs[-1]["reason"]
    assert "certificate" in only_row().last_error
    assert "certificate" in outbox.reasons()["waiting"]


def test_a_server_without_starttls_gets_neither_password_nor_mail(script, courier, queue):
    answers = {
        b"EHLO": b"250-here\r\n250 AUTH PLAIN LOGIN\r\n",
        b"HELO": b"250 here\r\n",
        b"QUIT": b"221 bye\r\n",
    }
    server = script(lambda line: answers.get(line[:4].upper(), b"235 ok\r\n"))
    queue()
    courier(smtp_to(server.port)).step(START)
    assert not has_credentials(server.received)
    assert b"MAIL" not in server.received.upper()
    assert "TLS" in only_row().last_error
    assert only_row().state == "waiting"


def test_no_log_in_without_tls_to_another_machine(courier, queue):
    queue()
    courier(smtp_to(25, "none", host="mail.example.invalid")).step(START)
    assert "refusing to log in" in only_row().last_error


def test_a_user_without_a_password_is_explained_and_nobody_is_prompted(courier, queue):
    queue()
    courier(smtp_to(25, password=None)).step(START)
    assert "there is no password" in only_row().last_error


def test_an_incomplete_oauth2_file_is_explained_and_nobody_is_prompted(courier, queue, tmp_path):
    (tmp_path / "oauth2.json").write_text('{"installed": {"client_id": "x"}}')
    queue()
    courier(smtp_to(25), oauth2_file=str(tmp_path / "oauth2.json")).step(START)
    assert "lacks google_client_id" in only_row().last_error


@pytest.fixture
def google(monkeypatch, tmp_path):
    """Google's token service on this machine, and a complete OAuth2 file."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"access_token": "ya29.token", "expires_in": 3599}')

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setattr(smtp_module, "command_to_url", lambda _: f"http://127.0.0.1:{server.server_port}/")
    path = tmp_path / "oauth2.json"
    keys = ("google_client_id", "google_client_secret", "google_refresh_token", "email_address")
    path.write_text(json.dumps(dict.fromkeys(keys, "x@gmail.com")))
    yield str(path)
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_oauth2_file_logs_in_with_a_fresh_token_over_verified_starttls(serve, courier, queue, google):
    server = serve()
    queue()
    drain(courier(server.smtp(user="x@gmail.com", password=None), oauth2_file=google))
    (token,) = server.desk.tokens
    assert base64.b64decode(token) == b"user=x@gmail.com\1auth=Bearer ya29.token\1\1"
    assert server.desk.recipients == ["anna@example.net"]


def test_an_oauth2_token_is_not_given_to_a_server_without_starttls(script, courier, queue, google):
    server = script(lambda line: b"250 here\r\n")
    queue()
    courier(smtp_to(server.port, user="x@gmail.com"), oauth2_file=google).step(START)
    assert b"AUTH" not in server.received.upper()
    assert only_row().state == "waiting"


def test_a_wrong_password_keeps_the_mail_and_names_the_app_password_for_gmail(
    serve, courier, queue, monkeypatch
):
    server = serve()
    queue()
    courier(server.smtp(user="someone@gmail.com", password="wrong")).step(START)
    assert "535" in only_row().last_error
    assert "apppasswords" in only_row().last_error
    assert only_row().state == "waiting"


def test_the_password_stands_in_no_log_line(serve, courier, queue, capsys):
    server = serve()
    queue()
    with structlog.testing.capture_logs() as logs:
        courier(server.smtp(user="nobody")).step(START)
    captured = capsys.readouterr()
    assert logs
    assert PASSWORD.decode() not in str(logs) + captured.out + captured.err
