"""Chats through Apprise: in a process of its own, with plain texts, and without a secret in any failure."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from support import receiver as faults

from tocsin.daemon.config_channels import Target
from tocsin.daemon.outgoing import chat, chat_program
from tocsin.daemon.outgoing.channel import chat_message
from tocsin.daemon.outgoing.smtp import SendError
from tocsin.daemon.outgoing.templating import Templates
from tocsin.daemon.store import outbox
from tocsin.daemon.store.models import Mail

from .conftest import drain

TOKEN = "t0ken-of-chat"
WITHOUT_APPRISE = """
import runpy, sys
sys.modules["apprise"] = None
runpy.run_module("tocsin.daemon.outgoing.chat_program", run_name="__main__")
"""


def fault(url: str) -> SendError:
    """What a message to that address raises."""
    with pytest.raises(SendError) as raised:
        chat.send(Target("team", url=url), "a title", "a text", "info")
    return raised.value


def test_a_chat_is_told_in_a_few_lines_with_the_ticket_s_address(receive, chat, courier, queue):
    receiver = receive()
    queue("team")
    drain(courier(chat(receiver)))
    (post,) = receiver.posts
    said = json.loads(post.body)
    assert (post.path, said["type"]) == (f"/{TOKEN}", "failure")
    assert said["title"] == "[Ticket #7] New error in shop: KeyError: *"
    assert said["message"].splitlines() == [
        "Service: shop (production)",
        "Error: KeyError: *",
        "Place: shop/views.py:41 (basket)",
        "Client: Acme (acme)",
        "How often: 5 times",
        "https://status.example.org/t/7.html",
    ]


def test_a_chat_speaks_its_language(receive, chat, courier, store, queue):
    receiver = receive()
    queue("team", "closing", resolution="corrected")
    with store.transaction():
        Mail.update(language="fr").execute()
    drain(courier(chat(receiver)))
    said = json.loads(receiver.posts[0].body)
    assert (said["title"], said["type"]) == ("[Ticket #7] Incident résolu ✅", "success")
    assert "Constatée\xa0: 5 fois" in said["message"]


def test_a_text_from_outside_calls_nobody(queue):
    queue("team", title="<!channel> @everyone <https://evil.example|click>")
    message = chat_message(Mail.get(), Templates())
    for call in ("<!", "@everyone", "<https"):
        assert call not in message.title + message.text


def test_a_refusal_is_told_with_apprise_s_words_and_without_the_address(receive):
    receiver = receive()
    receiver.answers = [500]
    error = fault(f"json://user:passw0rd@127.0.0.1:{receiver.port}/{TOKEN}?+X-Key=s3cr3t")
    said = f"{error} {error.remedy}"
    assert "the chat did not take it: " in said
    assert "500" in said
    assert not [word for word in (TOKEN, "passw0rd", "s3cr3t") if word in said]


def test_a_redirect_is_followed_nowhere(receive):
    receiver, other = receive(), receive()
    receiver.answers = [faults.redirect(f"http://127.0.0.1:{other.port}/")]
    fault(f"json://127.0.0.1:{receiver.port}/{TOKEN}")
    assert other.posts == []


def test_a_chat_that_hangs_is_ended_in_time(receive, monkeypatch):
    monkeypatch.setattr(chat, "ANSWER_WITHIN", 0.5)
    receiver = receive()
    receiver.answers = [faults.silent]
    assert fault(f"json://127.0.0.1:{receiver.port}/{TOKEN}").uncertain


@pytest.mark.parametrize(
    ("url", "words"),
    [("slakc://a/b/c", "does not know"), ("mailto://me:pw@example.org", "a mail's"),
     ("json://a, mailto://me:pw@example.org", "does not know"), (f"slack://{TOKEN}", "does not know")],
)  # fmt: skip
def test_an_address_that_apprise_cannot_use_or_that_is_a_mail_s_gets_nothing(url, words):
    assert words in str(fault(url))


def test_without_apprise_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(chat, "_PROGRAM", (sys.executable, "-c", WITHOUT_APPRISE))
    error = fault("ntfy://errors")
    assert (str(error), error.server) == ("Apprise is not installed", True)
    assert "pip install 'tocsin[channels]'" in error.remedy


def test_a_program_that_dies_is_a_failure_and_nothing_more(monkeypatch):
    monkeypatch.setattr(chat, "_PROGRAM", (sys.executable, "-c", "import os; os.abort()"))
    assert "without an answer" in str(fault("ntfy://errors"))


def test_a_plugin_sees_none_of_the_daemon_s_secrets(monkeypatch, tmp_path):
    program = "import json, os; print(json.dumps({'state': 'failed', 'reason': os.environ.get('SMTP_PASS', 'none')}))"
    monkeypatch.setenv("SMTP_PASS", "correct-horse")
    monkeypatch.setattr(chat, "_PROGRAM", (sys.executable, "-c", program))
    assert "correct-horse" not in str(fault("ntfy://errors"))


def test_what_a_plugin_prints_does_not_spoil_the_answer(receive):
    order = {
        "url": f"json://127.0.0.1:{receive().port}/",
        "title": "a",
        "body": "b",
        "type": "info",
        "send": True,
    }
    program = "from tocsin.daemon.outgoing import chat_program as p\nimport apprise\n" \
              "apprise.Apprise.instantiate = lambda *a, **k: print('noise') or None\np.main()"  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(order), capture_output=True, text=True
    )
    assert json.loads(done.stdout) == {"state": "unknown"}


def test_hidden_takes_every_part_of_an_address_out():
    url = "slack://T0AAAAAAA/B0BBBBBBB/c0cccccccc?footer=no"
    said = chat_program.hidden("no T0AAAAAAA, no B0BBBBBBB/c0cccccccc at slack", url)
    assert said == "no …, no … at slack" or ("T0" not in said and "B0" not in said and "c0" not in said)


def test_more_than_the_hour_permits_becomes_one_message(receive, chat, courier, queue):
    receiver = receive()
    for number in range(6):
        queue("team", ticket_id=number)
    drain(courier(chat(receiver, per_hour=3)))
    said = [json.loads(post.body) for post in receiver.posts]
    assert [one["title"] for one in said] == ["[Tocsin] 6 messages about your tickets"]
    assert said[0]["message"].count("\n") == 5
    assert outbox.counts("team")["waiting"] == 0
