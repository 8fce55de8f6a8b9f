"""What a client reads: true of its own ticket, signed by the organisation, in its own time zone."""

from __future__ import annotations

import re
import struct
import zlib
from email import message_from_bytes
from email.policy import default

import pytest
from support.world import World, an_exception

from tocsin.daemon.config import parse
from tocsin.daemon.config_file import ConfigError
from tocsin.daemon.outgoing import headers, mail
from tocsin.daemon.outgoing.mailcheck import sample
from tocsin.daemon.outgoing.message import compose
from tocsin.daemon.outgoing.templating import Templates
from tocsin.daemon.settings import Organisation
from tocsin.daemon.store.models import Mail
from tocsin.daemon.tickets.manual import Manual, ManualError

CLIENTS = {
    "mail": {"admin": ["ops@example.org"]},
    "client": [
        {"id": "acme", "name": "Acme", "email": "it@acme.example"},
        {"id": "bolt", "email": "it@bolt.example", "timezone": "America/New_York"},
    ],
}


@pytest.fixture
def two_clients(world: World) -> World:
    world.configure(CLIENTS)
    return world


def read(row: Mail, organisation: Organisation | None = None):
    templates = Templates(None, organisation)
    return mail.write(row.kind, row.facts, audience=row.audience, spoken="en", templates=templates)


def newest(kind: str, recipient: str) -> Mail:
    found = (
        Mail.select().where(Mail.kind == kind, Mail.recipient == recipient).order_by(Mail.id.desc()).first()
    )
    assert found is not None
    return found


def written(kind: str, audience: str = "client", spoken: str = "en", organisation=None, **facts):
    templates = Templates(None, organisation)
    return mail.write(kind, {**sample(kind), **facts}, audience=audience, spoken=spoken, templates=templates)


# Its own numbers


def both_fail(world: World, acme: int, bolt: int) -> None:
    names = ["acme"] * acme + ["bolt"] * bolt
    world.app().log(*(an_exception(world.now - 60 + n, client=name) for n, name in enumerate(names)))


def test_a_client_reads_its_own_occurrences_and_no_other_clients(two_clients):
    both_fail(two_clients, acme=5, bolt=3)
    assert "How often: 5 times" in read(newest("detection", "it@acme.example")).text
    assert "How often: 3 times" in read(newest("detection", "it@bolt.example")).text


def test_the_admin_reads_how_often_it_happened_in_all(two_clients):
    both_fail(two_clients, acme=5, bolt=3)
    assert "How often: 8 times" in read(newest("notice", "ops@example.org")).text


def test_a_client_reads_moments_in_its_own_time_zone(two_clients):
    both_fail(two_clients, acme=3, bolt=3)
    assert "(New York)" in read(newest("detection", "it@bolt.example")).text


def test_a_client_without_a_time_zone_reads_the_organisations():
    text = written("detection", organisation=Organisation(timezone="Europe/Paris")).text
    assert "First seen: 21 September 2026, 15:28 (Paris)" in text


def test_a_zone_that_this_machine_does_not_know_keeps_no_mail_back():
    assert "UTC" in written("detection", timezone="Atlantis/Poseidonis").text


# What it is about


def test_a_ticket_of_a_described_error_says_the_description(two_clients):
    both_fail(two_clients, acme=3, bolt=0)
    error = two_clients.errors()[0]
    Manual(two_clients.store, two_clients.config).describe(
        error.id, "Invoices are late", "ada", two_clients.now
    )
    Manual(two_clients.store, two_clients.config).resolve(error.id, "ada", two_clients.now)
    assert "What happened: Invoices are late" in read(newest("closing", "it@acme.example")).text


def test_a_description_that_is_too_long_is_refused_with_its_length(two_clients):
    both_fail(two_clients, acme=3, bolt=0)
    with pytest.raises(ManualError, match="2000 characters; at most 1000"):
        Manual(two_clients.store, two_clients.config).describe(1, "x" * 2000, "ada", two_clients.now)


def test_a_subject_that_somebody_set_is_the_mails_subject_and_what_happened(two_clients):
    both_fail(two_clients, acme=3, bolt=0)
    number = two_clients.tickets()[0].id
    manual = Manual(two_clients.store, two_clients.config)
    manual.change(number, "ada", two_clients.now, subject="Invoices are late")
    manual.close(number, "ada", two_clients.now, "We restarted the printer.")
    assert "What happened: Invoices are late" in read(newest("closing", "it@acme.example")).text


@pytest.mark.parametrize("kind", ["detection", "closing", "reopened"])
def test_no_client_reads_a_class_or_a_masked_text(kind):
    letter = written(kind, title="KeyError: *", message="KeyError: 'iban'")
    assert not re.search(r"KeyError|iban|: \*", letter.subject + letter.text + letter.html)


# True of how it was opened, closed and reopened


def test_a_batch_service_has_no_site():
    letter = written("detection", service="nightly", service_kind="batch")
    assert letter.subject == "[Ticket #42] Error detected in nightly"
    assert "your site" not in letter.text + letter.html


def test_a_ticket_closed_by_hand_says_by_whom_and_why_and_claims_no_watch():
    letter = written("closing", resolution="manual", evidence="manual", client_note="The printer was off.")
    assert "Our team has closed the ticket." in letter.text
    assert "The printer was off." in letter.text
    assert not re.search("resolved|no longer|watched", letter.text)


def test_a_ticket_reopened_by_hand_is_told_to_its_client_with_the_reason(two_clients):
    both_fail(two_clients, acme=3, bolt=0)
    number = two_clients.tickets()[0].id
    manual = Manual(two_clients.store, two_clients.config)
    manual.close(number, "ada", two_clients.now)
    manual.reopen(number, "ada", two_clients.now, "Two invoices are still missing.")
    letter = read(newest("reopened", "it@acme.example"))
    assert letter.subject == f"[Ticket #{number}] Ticket reopened"
    assert "Two invoices are still missing." in letter.text
    assert "happened again" not in letter.text


def test_an_error_that_came_back_claims_no_earlier_resolution():
    assert "had been resolved" not in written("reopened").text


# Who signs it


ACME = Organisation(name="Dupont & fils", reply_to="aide@dupont.example", site="https://dupont.example")


def test_the_organisation_signs_what_clients_get():
    assert "Kind regards,\nthe team of Dupont & fils" in written("detection", organisation=ACME).text


def test_the_organisations_name_is_escaped_in_html():
    assert "Dupont &amp; fils" in written("detection", organisation=ACME).html


def test_the_organisations_site_stands_at_the_foot_of_a_clients_mail_only():
    assert "https://dupont.example" in written("detection", organisation=ACME).text
    assert "https://dupont.example" not in written("notice", "admin", organisation=ACME).text


def composed(organisation: Organisation, audience: str = "client"):
    row = Mail(kind="detection" if audience == "client" else "notice", audience=audience, language="fr",
               recipient="it@acme.example", facts=sample("detection"), message_id="m1")  # fmt: skip
    made = compose(
        row, sender="tocsin@example.org", root=None, now=0.0, templates=Templates(None, organisation)
    )
    return message_from_bytes(made.as_bytes(policy=headers.WIRE), policy=default)


def test_a_clients_answer_goes_to_the_organisations_address():
    message = composed(ACME)
    assert message["Reply-To"].addresses[0].addr_spec == "aide@dupont.example"
    assert message["From"].addresses[0].display_name == "Dupont & fils"


def test_an_admins_mail_has_no_such_reply_address():
    assert composed(ACME, "admin")["Reply-To"] is None


def picture() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0\xff\0\0")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_the_logo_travels_in_the_mail_and_its_html_shows_it(tmp_path):
    (tmp_path / "logo.png").write_bytes(picture())
    message = composed(Organisation(name="Acme", logo=str(tmp_path / "logo.png")))
    image = next(part for part in message.walk() if part.get_content_type() == "image/png")
    assert image.get_content() == picture()
    html = message.get_body(("html",)).get_content()
    assert f'src="cid:{image["Content-ID"].strip("<>")}"' in html
    assert "https://" not in html.split("</style>")[0]


def test_a_logo_that_is_gone_keeps_no_mail_back(tmp_path):
    message = composed(Organisation(logo=str(tmp_path / "gone.png")))
    assert message.get_body(("plain",)) is not None


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("timezone", "Europe/Pariss", "did you mean Europe/Paris?"),
        ("timezone", "CET+1x", "is no time zone"),
        ("site", "www.example.org", "write https://"),
        ("reply_to", "nobody", "is not a mail address"),
    ],
)
def test_an_organisation_that_cannot_be_is_refused_with_what_would_be_right(key, value, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        parse({"organisation": {key: value}}, {})


def test_a_logo_that_mail_programs_do_not_show_is_refused(tmp_path):
    (tmp_path / "logo.svg").write_text("<svg/>", "utf-8")
    with pytest.raises(ConfigError, match="PNG, JPEG or GIF"):
        parse({"organisation": {"logo": str(tmp_path / "logo.svg")}}, {})


# One mail for what comes together


def fail_with(world: World, *functions: str) -> None:
    for function in functions:
        world.app().log(
            *(an_exception(world.now - 3 + n, function=function, client="acme") for n in range(3))
        )


def due_after(world: World) -> list[float]:
    rows = Mail.select().where(Mail.recipient == "it@acme.example").order_by(Mail.id)
    return [row.due_at - row.created_at for row in rows]


def test_the_first_detection_leaves_at_once_and_the_next_ones_wait_for_each_other(two_clients):
    fail_with(two_clients, "price", "ship", "pay")
    first, *others = due_after(two_clients)
    assert first == 0.0
    assert len(others) == 2
    assert all(500 < waits <= 600 for waits in others)
