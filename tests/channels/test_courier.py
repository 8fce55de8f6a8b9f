"""From a ticket's step to a channel: exactly one row a fact, retried, capped, shown, apart from the mails."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
from support import receiver as faults
from support.world import an_exception

from tocsin.daemon import queries
from tocsin.daemon.config import Config, parse
from tocsin.daemon.outgoing import webhook
from tocsin.daemon.queries.status import problems
from tocsin.daemon.store import outbox
from tocsin.daemon.store.models import History, Mail
from tocsin.handler import failpoints

from .conftest import START, drain

TOKEN = "s3cr3t-path"
COURIER = """
import sys
from tocsin.daemon.config import Config
from tocsin.daemon.outgoing.channel_courier import ChannelCourier
from tocsin.daemon.settings import Channel
from tocsin.daemon.store.database import open_store
store = open_store(sys.argv[1], migrate=False)
channel = Channel(name="hook", webhook=sys.argv[2], secret_file=sys.argv[3], own_network=True)
courier = ChannelCourier(store, Config(channel=[channel]), channel)
courier.recover()
while courier.step(1_790_000_000.0):
    pass
"""


def rows() -> list[tuple[str, str, str | None]]:
    return [(row.kind, row.recipient, row.channel) for row in Mail.select().order_by(Mail.id)]


SETTINGS = {
    "tickets": {"threshold": 1},
    "mail": {"admin": ["ops@example.org"]},
    "channel": [
        {"name": "all", "url": "ntfy://all"},
        {"name": "back", "url": "ntfy://back", "on": ["reopened"], "language": "fr"},
    ],
}


class OneRowAFact:
    """Each fact of a ticket's life makes one row for each channel that wants it."""

    def test_a_fact_is_one_row_of_each_channel_that_names_it(self, world):
        world.configure(SETTINGS)
        world.app().fail(1)
        assert rows() == [("notice", "ops@example.org", None), ("notice", "all", "all")]

    def test_records_that_are_delivered_twice_are_told_once(self, world):
        world.configure(SETTINGS)
        app = world.app()
        batch = app.batch(an_exception(world.now))
        app.say(batch)
        app.say(batch)
        assert len(rows()) == 2

    def test_a_message_is_leased_by_one_courier_and_sent(self, store, receive, hook, courier, queue):
        receiver = receive()
        queue("hook")
        one, other = courier(hook(receiver)), courier(hook(receiver))
        drain(one)
        drain(other)
        assert (len(receiver.posts), outbox.counts("hook")["sent"], outbox.channels()) == (1, 1, ["hook"])


class TestSqlite(OneRowAFact):
    database = "sqlite"


class TestPostgres(OneRowAFact):
    database = "postgres"


def test_a_channel_and_a_mail_do_not_wait_for_each_other(receive, hook, courier, queue, store):
    receiver = receive()
    receiver.answers = [500]
    queue("hook")
    with store.transaction():
        outbox.queue("test", audience="admin", recipient="ops@example.org", language="en", ticket_id=None,
                     facts={"created_at": START}, now=START)  # fmt: skip
    drain(courier(hook(receiver)))
    assert (outbox.due(START), outbox.due(START, "hook")) == (1, 0)
    assert outbox.counts()["waiting"] == outbox.counts("hook")["waiting"] == 1


def test_a_failure_is_tried_again_with_the_same_id_a_minute_later(receive, hook, courier, queue):
    receiver = receive()
    receiver.answers = [503, 503]
    queue("hook")
    one = courier(hook(receiver))
    for at in (START, START + 30, START + 61, START + 130, START + 200):
        drain(one, at)
    ids = [post.headers["webhook-id"] for post in receiver.posts]
    assert (len(ids), len(set(ids)), outbox.counts("hook")["sent"]) == (3, 1, 1)


def test_a_receiver_that_is_down_is_asked_once_a_pause_for_all_that_waits(receive, hook, courier, queue):
    receiver = receive()
    receiver.answers = [500] * 10
    for number in range(5):
        queue("hook", ticket_id=number)
    drain(courier(hook(receiver)))
    assert len(receiver.posts) == 1


def test_a_message_that_is_refused_for_good_blocks_no_other(receive, hook, courier, queue):
    receiver = receive()
    receiver.answers = [422]
    queue("hook", ticket_id=1)
    queue("hook", ticket_id=2)
    drain(courier(hook(receiver)))
    counts = outbox.counts("hook")
    assert (counts["failed"], counts["sent"]) == (1, 1)


@pytest.mark.parametrize(("point", "copies"), [("before_channel_handover", 1), ("after_channel_handover", 2)])
def test_a_courier_killed_around_a_handover_doubles_a_message_only_under_the_same_id(
    receive, hook, courier, queue, store, tmp_path, secret_file, point, copies
):
    receiver = receive()
    queue("hook")
    mark = tmp_path / "mark"
    environ = {**os.environ, failpoints.VARIABLE: f"{point}:1:{mark}"}
    address = f"http://127.0.0.1:{receiver.port}/{TOKEN}"
    command = [sys.executable, "-c", COURIER, store.url, address, secret_file]
    assert subprocess.run(command, env=environ, timeout=60, check=False).returncode == -signal.SIGKILL
    assert mark.read_text() == point
    successor = courier(hook(receiver))
    successor.recover()
    drain(successor, START + 1)
    ids = [post.headers["webhook-id"] for post in receiver.posts]
    assert (len(ids), len(set(ids)), outbox.counts("hook")["sent"]) == (copies, 1, 1)


def test_why_messages_wait_and_fail_is_shown_without_the_address(receive, hook, courier, queue, store):
    receiver = receive()
    receiver.answers = [422, 500]
    queue("hook", ticket_id=1)
    queue("hook", ticket_id=2)
    settings = hook(receiver)
    drain(courier(settings))
    config = Config(channel=[settings])
    facts = queries.status(store, config, START)
    (known,) = facts.channels
    assert (known.name, known.waiting, known.failed) == ("hook", 1, 1)
    said = [line for line in problems(facts, config, START) if "channel hook" in line]
    assert len(said) == 2
    assert "500" in said[0]
    assert "422" in said[1]
    assert TOKEN not in repr(facts)


def test_messages_for_a_channel_that_is_gone_are_shown_with_what_to_do(queue, store):
    queue("gone")
    facts = queries.status(store, parse({}, {}), START)
    assert [line for line in facts.problems if "channel gone" in line and "drop" in line]


def test_the_ticket_s_history_names_the_channel(receive, hook, courier, store, world):
    receiver = receive()
    settings = hook(receiver)
    world.configure({**SETTINGS, "channel": [{"name": "hook", "webhook": settings.webhook,
                                             "secret_file": settings.secret_file, "own_network": True}]})  # fmt: skip
    world.app().fail(1)
    drain(courier(settings), world.now)
    entry = History.get(History.action == "channel_sent")
    assert entry.description == "notice message to the channel hook"


def test_a_webhook_gets_a_digest_s_events_one_by_one(receive, hook, courier, queue):
    receiver = receive()
    for number in range(4):
        queue("hook", ticket_id=number)
    drain(courier(hook(receiver, per_hour=2)))
    (post,) = receiver.posts
    events = json.loads(post.body)["data"]["events"]
    assert [(one["type"], one["ticket_url"]) for one in events] == [
        ("detection", "https://status.example.org/t/7.html")
    ] * 4


def test_a_receiver_that_hangs_holds_only_its_own_messages(receive, hook, chat, courier, queue, monkeypatch):
    monkeypatch.setattr(webhook, "CONNECT_WITHIN", 0.2)
    monkeypatch.setattr(webhook, "ANSWER_WITHIN", 0.3)
    hanging, well = receive(), receive()
    hanging.answers = [faults.silent]
    queue("hook")
    queue("team")
    drain(courier(hook(hanging)))
    drain(courier(chat(well)))
    assert (outbox.counts("hook")["waiting"], outbox.counts("team")["sent"]) == (1, 1)
