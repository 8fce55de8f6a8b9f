"""A courier (a process of its own) killed at every point of an exchange: no mail lost, none twice.

On both databases.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys

import pytest
from support.killed import killed_at

from tocsin.daemon.store import outbox

START = 1_790_000_000.0
MAILS = 3
COURIER = """
import sys
from tocsin.daemon.config import Config
from tocsin.daemon.settings import Smtp
from tocsin.daemon.outgoing.courier import Courier
from tocsin.daemon.store.database import open_store
store = open_store(sys.argv[1], migrate=False)
smtp = Smtp(host="127.0.0.1", port=int(sys.argv[2]), sender="tocsin@example.org", security="none")
courier = Courier(store, Config(smtp=smtp))
courier.recover()
while courier.step(1_790_000_000.0):
    pass
"""


class Killing:
    """Answers a courier as a mail server does and kills it when a line of the second mail begins so."""

    def __init__(self, point: bytes) -> None:
        self.point = point
        self.pid = 0
        self.seen = 0
        self.text = b""
        self.taken: list[bytes] = []
        self.in_text = False

    def __call__(self, line: bytes) -> bytes | None:
        if line.upper().startswith(self.point):
            self.seen += 1
            if self.seen == (1 if self.point == b"EHLO" else 2):
                self._take(line)
                os.kill(self.pid, signal.SIGKILL)
                return None
        return self._answer(line)

    def _take(self, line: bytes) -> None:
        if self.in_text and line == b".\r\n":
            self.taken += re.findall(rb"Message-ID: (<\S+>)", self.text)

    def _answer(self, line: bytes) -> bytes:
        if self.in_text:
            self.text += line
            if line != b".\r\n":
                return b""
            if self.point != b"." or self.seen < 2:
                self._take(line)
            self.in_text, self.text = False, b""
            return b"250 taken\r\n"
        self.in_text = line.upper().startswith(b"DATA")
        return b"354 go\r\n" if self.in_text else b"250 ok\r\n"


POINTS = {
    "before it says anything": b"EHLO",
    "before the sender": b"MAIL",
    "before the text": b"DATA",
    "within the text": b"SUBJECT",
    "when the server has taken it and before it is marked so": b".",
    "after it was marked and before the next": b"RSET",
}


class OnSqlite:
    """A courier on the one database, where its successor has what it leased at its start."""

    database = "sqlite"
    freed_after = 1.0

    @pytest.mark.parametrize("point", POINTS)
    def test_a_courier_killed_at_any_point_loses_no_mail_and_doubles_one_only_under_the_same_id(
        self, script, serve, courier, store, facts, point
    ):
        with store.transaction():
            for number in range(MAILS):
                outbox.queue("notice", audience="admin", recipient="ops@example.org", language="en",
                             ticket_id=None, facts=facts(ticket_id=number), now=START)  # fmt: skip
        killing = Killing(POINTS[point])
        server = script(killing)
        with subprocess.Popen([sys.executable, "-c", COURIER, store.url, str(server.port)]) as process:
            killing.pid = process.pid
            assert process.wait(60) == -signal.SIGKILL
        sound = serve("none", auth=False)
        successor = courier(sound.smtp("none", user=None, password=None))
        successor.recover()
        while successor.step(START + self.freed_after):
            pass
        delivered = [one.decode() for one in killing.taken]
        delivered += [message["Message-ID"] for message in sound.desk.messages]
        assert len(set(delivered)) == MAILS == outbox.counts()["sent"]
        assert len(delivered) == MAILS + (point == "when the server has taken it and before it is marked so")

    @pytest.mark.parametrize(("point", "copies"), [("before_mail_handover", 1), ("after_mail_handover", 2)])
    def test_a_courier_killed_around_a_handover_doubles_a_mail_only_under_the_same_id(
        self, serve, courier, store, facts, tmp_path, point, copies
    ):
        with store.transaction():
            outbox.queue("notice", audience="admin", recipient="ops@example.org", language="en",
                         ticket_id=None, facts=facts(), now=START)  # fmt: skip
        server = serve("none", auth=False)
        killed_at(point, tmp_path / "mark", COURIER, store.url, str(server.port))
        successor = courier(server.smtp("none", user=None, password=None))
        successor.recover()
        while successor.step(START + self.freed_after):
            pass
        delivered = [message["Message-ID"] for message in server.desk.messages]
        assert (len(delivered), len(set(delivered)), outbox.counts()["sent"]) == (copies, 1, 1)


class TestOnSqlite(OnSqlite):
    database = "sqlite"


class TestOnPostgres(OnSqlite):
    """Where another daemon may still hold the lease: the successor waits for its end."""

    database = "postgres"
    freed_after = outbox.LEASE + 1.0
