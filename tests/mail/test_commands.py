"""`tocsin mail`: each step to the mail server in plain words, previews, and the outbox by hand."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from tocsin.daemon.cli import tocsin
from tocsin.daemon.config import Config
from tocsin.daemon.outgoing.mailcheck import diagnose
from tocsin.daemon.store import outbox
from tocsin.daemon.store.database import open_store
from tocsin.daemon.store.models import Mail

START = 1_790_000_000.0
STEPS = ["settings", "name", "connection", "TLS", "log-in", "sender", "recipient", "sending"]


@pytest.fixture
def run(tmp_path, authority, monkeypatch):
    """Runs `tocsin mail ...`; keyword arguments are environment variables."""
    for name in ("HOST", "PORT", "USER", "PASS", "FROM", "SECURITY"):
        monkeypatch.delenv(f"SMTP_{name}", raising=False)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    config = tmp_path / "tocsin.toml"
    config.write_text(f'[daemon]\nstate_dir = "{tmp_path}"\n[mail]\ntemplates = "{tmp_path}"\n')

    def invoke(*words, **variables):
        variables = {"SSL_CERT_FILE": str(tmp_path / "ca.pem"), **variables}
        return CliRunner().invoke(tocsin, ["--config", str(config), "mail", *words], env=variables)

    return invoke


def reaching(server, **changes):
    settings = {
        "SMTP_HOST": "localhost",
        "SMTP_PORT": str(server.port),
        "SMTP_USER": "tocsin",
        "SMTP_PASS": "correct-horse-battery",
        "SMTP_FROM": "tocsin@example.org",
        "SMTP_SECURITY": "starttls",
    }
    return {**settings, **changes}


def steps(result):
    return [(step["name"], step["ok"]) for step in json.loads(result.stdout)]


@pytest.mark.parametrize("security", ["starttls", "ssl"])
def test_a_good_server_passes_every_step_and_the_test_mail_arrives(serve, run, security):
    server = serve(security)
    result = run("test", "anna@example.net", "--json", **reaching(server, SMTP_SECURITY=security))
    assert result.exit_code == 0
    assert steps(result) == [(name, True) for name in STEPS]
    assert server.desk.recipients == ["anna@example.net"]
    assert server.desk.messages[0]["Subject"] == "[Tocsin] Test mail"


def test_asked_not_to_send_it_stops_after_the_recipient(serve, run):
    server = serve()
    result = run("test", "anna@example.net", "--no-send", "--json", **reaching(server))
    assert steps(result)[-1] == ("recipient", True)
    assert server.desk.messages == []


@pytest.mark.parametrize(
    ("changes", "failed", "said"),
    [
        ({"SMTP_HOST": "mail.example.invalid"}, "name", "cannot be resolved"),
        ({"SMTP_PORT": "1"}, "connection", "refuses the connection"),
        ({"SMTP_HOST": "127.0.0.2"}, "connection", "refuses the connection"),
        ({"SSL_CERT_FILE": ""}, "TLS", "certificate"),
        ({"SMTP_SECURITY": "ssl"}, "TLS", "SMTP_SECURITY=starttls"),
        ({"SMTP_PASS": "wrong"}, "log-in", "app password"),
        ({"SMTP_PASS": "wrong", "SMTP_USER": "a@gmail.com"}, "log-in", "2-step sign-in"),
        ({"SMTP_PASS": ""}, "settings", "there is no password"),
    ],
)
def test_the_step_that_fails_is_named_with_its_remedy_and_is_the_last(serve, run, changes, failed, said):
    result = run("test", "anna@example.net", "--json", **reaching(serve(), **changes))
    assert result.exit_code == 1
    *before, (name, ok) = steps(result)
    assert (name, ok) == (failed, False)
    assert [one for one, _ in before] == STEPS[: len(before)]
    assert all(ok for _, ok in before)
    assert said in result.stdout
    assert json.loads(result.stdout)[-1]["remedy"]


def test_a_mail_that_cannot_be_written_is_a_step_that_fails(serve, trusting):
    config = Config(smtp=serve().smtp())
    broken = Mail(kind="unheard_of", facts={}, audience="client", language="en", message_id="m", ticket=None)
    *_, last = diagnose(config, "anna@example.net", START, example=broken, context=trusting)
    assert (last.name, last.ok) == ("sending", False)
    assert "no mail is called" in last.text


def test_a_refused_recipient_is_named(serve, run):
    server = serve()
    server.desk.rcpt_answer = "550 no such user"
    result = run("test", "anna@example.net", **reaching(server))
    assert result.exit_code == 1
    assert "FAIL  recipient" in result.stdout
    assert "550 no such user" in result.stdout


def test_without_a_mail_server_it_says_what_to_set(run):
    result = run("test", "anna@example.net")
    assert result.exit_code == 1
    assert "SMTP_HOST is not set" in result.stdout


def test_an_address_that_is_none_is_named(serve, run):
    result = run("test", "anna", **reaching(serve()))
    assert result.exit_code == 1
    assert "not a mail address" in result.stdout


def test_a_preview_shows_subject_and_text_in_the_language_asked_for(run):
    result = run("preview", "closing", "--language", "fr")
    assert result.exit_code == 0
    assert result.stdout.startswith("[Ticket #42] Incident résolu ✅\n\nL’incident est résolu")


def test_a_preview_shows_the_html_part(run):
    assert run("preview", "detection", "--html").stdout.startswith("<!DOCTYPE html>")


def test_a_preview_tells_of_a_broken_template(run, tmp_path):
    (tmp_path / "detection.txt").write_text("{{ oops }}")
    result = run("preview", "detection")
    assert "An error was detected on your site" in result.stdout
    assert "detection.txt does not work" in result.stderr


@pytest.fixture
def held(run, tmp_path, facts):
    """Two mails that wait for the admin."""
    store = open_store(f"sqlite:///{tmp_path}/tocsin.db")
    with store.transaction():
        for number in range(2):
            outbox.queue("detection", audience="client", recipient="anna@example.net", language="fr",
                         ticket_id=None, facts=facts(ticket_id=number), now=START, held=True)  # fmt: skip
    yield run
    store.close()


def test_the_outbox_lists_its_mails(held):
    newest, _ = json.loads(held("outbox", "--json").stdout)
    assert (newest["state"], newest["kind"], newest["recipient"]) == ("held", "detection", "anna@example.net")
    assert newest["created_at"] == "2026-09-21T14:13:20Z"
    assert json.loads(held("outbox", "list", "--state", "sent", "--json").stdout) == []


def test_held_mails_are_released_and_dropped_by_number(held):
    assert held("outbox", "release", "1").exit_code == 0
    assert held("outbox", "drop", "2").exit_code == 0
    assert [row["state"] for row in json.loads(held("outbox", "--json").stdout)] == ["dropped", "waiting"]


def test_a_mail_that_cannot_be_released_is_an_error(held):
    assert held("outbox", "release", "--all", "--json").exit_code == 0
    assert held("outbox", "release", "1").exit_code == 1
    assert held("outbox", "release").exit_code == 2
