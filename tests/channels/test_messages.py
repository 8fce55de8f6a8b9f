"""What a channel is told of each kind of mail to admins: a text, and JSON that any reader of JSON takes."""

from __future__ import annotations

import json

import pytest

from tocsin.daemon.outgoing import mail
from tocsin.daemon.outgoing.channel import chat_message, webhook_body
from tocsin.daemon.outgoing.mailcheck import sample
from tocsin.daemon.outgoing.templating import Templates
from tocsin.daemon.store import outbox
from tocsin.daemon.store.models import Mail

from .conftest import START, drain


def row(kind: str, spoken: str = "en", **changes) -> Mail:
    return Mail(kind=kind, audience="admin", recipient="team", language=spoken, channel="team",
                facts={**sample(kind), **changes}, message_id="tocsin.1", created_at=START)  # fmt: skip


def told(kind: str, spoken: str = "en") -> str:
    return chat_message(row(kind, spoken), Templates()).text


@pytest.mark.parametrize("kind", sorted(mail.KINDS))
def test_each_kind_is_a_text_and_json_without_any_moment_as_a_bare_number(kind):
    said = json.loads(webhook_body(row(kind), Templates()))
    assert said["subject"]
    assert said["data"]
    assert "1790000000" not in json.dumps(said)
    assert told(kind)


@pytest.mark.parametrize("spoken", ["en", "fr"])
def test_a_chat_reads_the_week_s_numbers(spoken):
    line = {"en": "- New errors: 3", "fr": "- Nouvelles erreurs\xa0: 3"}[spoken]
    assert line in told("weekly", spoken).splitlines()


def test_a_webhook_gets_the_week_s_numbers_the_top_errors_and_the_days():
    data = json.loads(webhook_body(row("weekly"), Templates()))["data"]
    assert (data["new_errors"], data["closed"], data["corrections_held"]) == (3, 5, 9)
    assert data["top"][0] | {"error_id": 17, "count": 900} == data["top"][0]
    assert len(data["days"]) == 28
    assert data["until"].startswith("2026-09-21T")


def test_a_chat_reads_what_waits():
    assert told("reminder").splitlines()[0] == "- #42 IntegrityError: UNIQUE constraint failed: orders.number"


def test_facts_that_make_no_message_are_given_up_and_hold_up_no_other(receive, hook, courier, queue):
    receiver = receive()
    queue("hook", mails=7, ticket_id=1)
    queue("hook", ticket_id=2)
    drain(courier(hook(receiver)))
    counts = outbox.counts("hook")
    assert (counts["failed"], counts["sent"]) == (1, 1)
