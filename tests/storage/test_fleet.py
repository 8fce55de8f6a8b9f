"""Several daemons on one Postgres: all of them digest, one leads, and none of it shows."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message
from support.fleet import Application, Member, Tally
from support.namespaces import hosts
from support.postgres import Postgres, free_port
from support.running import until

from tocsin.daemon.ingest.keys import make_client, make_pair
from tocsin.daemon.store.database import Store, open_store
from tocsin.daemon.store.models import Mail

pause = threading.Event().wait  # The scenario: how long daemons are up and down under load.


class Box(Message):
    """A mail server's end: Message-ID and subject of all it took."""

    def __init__(self) -> None:
        super().__init__()
        self.mails: list[tuple[str, str]] = []

    def handle_message(self, message: object) -> None:
        headers: Any = message
        self.mails.append((str(headers["Message-ID"]).strip("<>").partition("@")[0], headers["Subject"]))


@contextlib.contextmanager
def mail_server(address: str) -> Iterator[tuple[Box, int]]:
    box, port = Box(), free_port()
    controller = Controller(box, hostname=address, port=port)
    controller.start()
    try:
        yield box, port
    finally:
        controller.stop()


def mailing(host: str, port: int) -> dict[str, str]:
    return {
        "SMTP_HOST": host, "SMTP_PORT": str(port), "SMTP_FROM": "tocsin@example.org", "SMTP_SECURITY": "none"
    }  # fmt: skip


def unleased(store: Store) -> int:
    """Mails that wait, with nobody at it."""
    with store.reading():
        waiting = Mail.select().where((Mail.state == "waiting") & Mail.leased_until.is_null())
        return int(waiting.count())


def one_after_the_other_dies(
    place: Path, url: str, members: list[Member], box: Box, seconds: float, environ: dict[str, str]
) -> None:
    """The scenario: they are killed and started in turn under load; then all must add up."""
    endpoints = [member.endpoint for member in members]
    applications = [
        Application(place / "spool", endpoints[turn:] + endpoints[:turn], 150, environ=environ)
        for turn in range(len(members))
    ]
    for member in members:
        pause(seconds)
        member.kill()
        pause(seconds / 2)
        member.start()
    logged = sum(application.end() for application in applications)
    store = open_store(url, migrate=False)
    try:
        tally = Tally(store)
        assert tally.is_exactly(logged), (vars(tally), logged)
        assert tally.tickets == 10
        assert max(Counter(tally.open_pairs).values()) == 1
        assert max(Counter(tally.mails).values()) == 1
        # A mail that a daemon was killed over stays leased for a while: nobody knows whether it was sent.
        assert until(lambda: not unleased(store)), members[0].written()
        assert {one for one, _ in box.mails} <= set(tally.message_ids)
        assert len(set(box.mails)) >= len(tally.message_ids) - len(members)
        assert len(tally.message_ids) == 10
    finally:
        store.close()


def test_three_daemons_killed_in_turn_count_each_event_once_and_tell_each_thing_once(
    place: Path, postgres: Postgres
):
    url = postgres.database()
    with mail_server("127.0.0.1") as (box, port):
        members = [
            Member(place, name, url, f"tcp://127.0.0.1:{free_port()}", environ=mailing("127.0.0.1", port))
            for name in ("one", "two", "three")
        ]
        try:
            for member in members:
                member.up()
            one_after_the_other_dies(place, url, members, box, 1.0, {})
        finally:
            for member in members:
                member.kill()


def test_another_daemon_leads_within_30_seconds_of_its_leader_s_death(place: Path, postgres: Postgres):
    url = postgres.database()
    members = [Member(place, name, url, f"tcp://127.0.0.1:{free_port()}").up() for name in ("one", "two")]
    try:
        assert until(lambda: any(member.said("leading") for member in members))
        leading = next(member for member in members if member.said("leading"))
        (other,) = (member for member in members if member is not leading)
        assert not other.said("leading")
        leading.kill()
        assert until(lambda: other.said("leading"), 30.0)
    finally:
        for member in members:
            member.kill()


@pytest.mark.soak
def test_three_daemons_on_three_hosts_killed_in_turn(place: Path):
    public = make_pair(place / "daemon.key", "the daemons")
    (place / "clients").mkdir()
    make_client("shop", place / "shop.key", place / "clients")
    keys = f'key = "{place}/daemon.key"\nclients = "{place}/clients"'
    environ = {"TOCSIN_SERVER_KEY": public, "TOCSIN_KEY": str(place / "shop.key")}
    with contextlib.ExitStack() as stack:
        there = stack.enter_context(hosts(3, f"t{os.getpid() % 10000}"))
        server = Postgres(",".join(["127.0.0.1", *(host.ours for host in there)]))
        stack.callback(server.close)
        box, port = stack.enter_context(mail_server("0.0.0.0"))
        url = server.database()
        members = []
        for host in there:
            member = Member(
                place, host.name, url.replace("127.0.0.1", host.ours), f"tcp://{host.address}:7571",
                keys=keys, environ=mailing(host.ours, port), prefix=host.prefix,
            )  # fmt: skip
            stack.callback(member.kill)
            members.append(member.up())
        one_after_the_other_dies(place, url, members, box, 15.0, environ)
