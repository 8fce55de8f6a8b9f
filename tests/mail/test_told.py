"""Who is told of a ticket, and what the admin is told when somebody was not or a mail waits."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from support.world import START, World, an_error, an_exception

from tocsin.daemon import queries as reports
from tocsin.daemon.config import parse
from tocsin.daemon.outgoing import mail
from tocsin.daemon.outgoing.templating import Templates
from tocsin.daemon.store import outbox
from tocsin.daemon.store.models import History, Mail
from tocsin.daemon.tickets.manual import Manual
from tocsin.handler.protocol.event import CodeLocation
from tocsin.reports.writer import ReportWriter

UNKNOWN = {
    "mail": {"admin": ["ops@example.org"]},
    "client": [
        {"id": "cedar", "name": "Cedar"},
        {"id": "bolt", "email": "it@bolt.example"},
        {"id": "zeta", "name": "Zeta"},
    ],
}


@pytest.fixture
def unknown(world: World) -> World:
    """Clients of whom two have no mail address."""
    world.configure(UNKNOWN)
    return world


def notices() -> list[Mail]:
    return list(Mail.select().where(Mail.kind == "notice"))


def text(row: Mail) -> str:
    templates = Templates()
    return mail.write(row.kind, row.facts, audience="admin", spoken="en", templates=templates).text


def test_a_client_without_an_address_gets_no_mail_and_the_notice_says_so(unknown):
    unknown.app().fail(client="cedar")
    assert unknown.mails() == [("notice", "ops@example.org")]
    assert "Not told: Cedar: no mail address is known" in text(notices()[0])


class UntoldContract:
    def test_the_one_notice_of_several_tickets_names_every_client_that_was_not_told(self, unknown):
        app = unknown.app()
        app.log(
            *(
                an_exception(unknown.now - 3 + n, client=name)
                for n, name in enumerate(["zeta", "bolt", "cedar"])
            )
        )
        (row,) = notices()
        assert len(unknown.tickets()) == 3
        assert row.facts["untold"] == ["Cedar", "Zeta"]


class TestUntoldOnSqlite(UntoldContract):
    database = "sqlite"


class TestUntoldOnPostgres(UntoldContract):
    database = "postgres"


def test_the_ticket_of_a_client_without_an_address_says_that_nobody_was_told(unknown):
    unknown.app().fail(client="cedar")
    rows = History.select().where(History.action == "client_not_told")
    assert [row.description for row in rows] == ["no mail address of Cedar is known"]


def test_a_client_with_an_address_is_told_and_nothing_is_said_of_it(unknown):
    unknown.app().fail(client="bolt")
    assert ("detection", "it@bolt.example") in unknown.mails()
    assert "no mail address" not in text(notices()[0])


def test_a_ticket_closed_by_hand_tells_the_client_of_no_watch(world):
    world.app().fail(client="acme")
    Manual(world.store, world.config).close(world.tickets()[0].id, "ada", world.now + 60)
    row = Mail.get((Mail.kind == "closing") & (Mail.audience == "client"))
    letter = mail.write("closing", row.facts, audience="client", spoken="en", templates=Templates())
    assert "Our team has closed the ticket" in letter.text
    for claim in ("watched", "No reappearance", "seen alive", "has not come back"):
        assert claim not in letter.text + letter.html


def test_a_ticket_opened_by_hand_is_told_to_its_client_as_what_it_is(world):
    Manual(world.store, world.config).open("Slow pages", "since noon", "ada", world.now, client_id="acme")
    row = Mail.get(Mail.kind == "detection")
    letter = mail.write("detection", row.facts, audience="client", spoken="en", templates=Templates())
    assert letter.subject == f"[Ticket #{world.tickets()[0].id}] Slow pages"
    assert "A ticket was opened for you" in letter.text
    assert "since noon" in letter.text
    assert "watched" not in letter.text


@pytest.fixture
def problems(world):
    """What the status says is wrong, with a mail server set, when a mail has these columns."""

    def say(**columns: Any) -> str:
        with world.store.transaction():
            outbox.queue("notice", audience="admin", recipient="ops@example.org", language="en",
                         ticket_id=None, facts={}, now=START)  # fmt: skip
            Mail.update(**{"state": "waiting", **columns}).execute()
        world.config = parse(UNKNOWN, {"SMTP_HOST": "mail.example.org", "SMTP_FROM": "a@example.org"})
        return "\n".join(reports.status(world.store, world.config, START + 60).problems)

    return say


def test_the_status_says_why_mails_wait(problems):
    assert "1 mail waits: mail.example.org:587 refuses the connection" in problems(
        last_error="mail.example.org:587 refuses the connection"
    )


def test_the_pages_say_why_mails_wait(problems, world, tmp_path):
    problems(last_error="the certificate of mail.example.org:587 is not to be trusted")
    section = msgspec.structs.replace(world.config.report, dir=str(tmp_path))
    ReportWriter(world.store, msgspec.structs.replace(world.config, report=section)).write(START + 60)
    page = (tmp_path / "admin" / "index.html").read_text("utf-8")
    assert "1 mail waits: the certificate of mail.example.org:587 is not to be trusted" in page


def test_a_mail_that_waits_for_its_first_try_is_no_problem(problems):
    assert "wait" not in problems()


def test_the_status_says_which_mail_was_given_up_and_why(problems):
    said = problems(state="failed", last_error="550 no such user")
    assert "1 mail could not be delivered (tocsin mail outbox), to ops@example.org: 550 no such user" in said


def test_the_status_names_a_template_that_does_not_work(world, tmp_path):
    world.configure({"mail": {"templates": str(tmp_path)}})
    (tmp_path / "closing.html").write_text("{{ oops }}")

    def said() -> str:
        return "\n".join(reports.status(world.store, world.config, START).problems)

    assert "closing.html does not work" in said()
    (tmp_path / "closing.html").unlink()
    assert "closing.html" not in said()


def test_an_admin_reads_the_last_calls_of_the_applications_own_code(world):
    world.configure({"mail": {"admin": ["ops@example.org"]}})
    orders = CodeLocation("/srv/shop/orders.py", 88, source=("total = prices[number]",), first=88)
    world.app().log(*(an_exception(world.now - n) for n in range(3)), places=[orders])
    assert "/srv/shop/orders.py:88 in price\n        total = prices[number]" in text(notices()[0])


def test_an_admin_reads_the_last_calls_of_a_printed_traceback(world):
    world.configure({"mail": {"admin": ["ops@example.org"]}})
    said = 'Traceback (most recent call last):\n  File "/srv/shop/jobs.py", line 7, in run\n    pay(order)\nKeyError'
    world.app().log(*(an_error(said, at=world.now - n) for n in range(3)))
    assert "/srv/shop/jobs.py:7 in run\n        pay(order)" in text(notices()[0])


def test_a_client_reads_no_call(unknown):
    unknown.app().fail(client="bolt")
    row = Mail.get(Mail.recipient == "it@bolt.example")
    assert "frames" not in row.facts
