"""What the mails say, and that data from outside stays data in them."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import default
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.daemon import language
from tocsin.daemon.outgoing import mail
from tocsin.daemon.outgoing.mailcheck import sample
from tocsin.daemon.outgoing.message import compose
from tocsin.daemon.outgoing.rendering import SUBJECT_LIMIT, MailError
from tocsin.daemon.outgoing.templating import Templates
from tocsin.daemon.store.models import Mail

BUILT_IN = Templates()
SENDER = "Tocsin <tocsin@example.org>"
TEXTS = ("title", "message", "service", "environment", "source", "function", "client_id", "client_name",
         "priority", "applied_by", "description", "file_path", "test_status", "session")  # fmt: skip
PAYLOADS = (
    "<script>alert(1)</script>", "<img src=http://canary/x>", '"><img src=x onerror=alert(1)>',
    "<link rel=stylesheet href=http://canary/x.css>", "<style>@import 'http://canary/y';</style>",
    "</style><script>1</script>", "</td></tr></table><iframe src=http://canary></iframe>",
    "<svg/onload=alert(1)>",
    "<!--[if mso]><img src=http://canary><![endif]-->", "<base href=http://canary>",
    "<a href=http://canary>x</a>",
    "<body background=http://canary>", "<meta http-equiv=refresh content='0;url=http://canary'>",
    "</title><img src=x>",
    "{{ 7*191 }}", "{% include '/etc/passwd' %}", "%(ticket_id)s %s %d", "{0.__class__}",
    "' style='x:url(http://canary)",
    '" onmouseover="alert(1)', "javascript:alert(1)", "data:text/html,<b>x", "&lt;b&gt;",
    "<object data=http://canary>",
    "<video src=http://canary>", "<form action=http://canary><input>", "<math><mtext>", "\x00<b>",
    "<\u200bb>",
    "/etc/passwd", "~/.ssh/id_rsa", "setup.cfg",
)  # fmt: skip


class Elements(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, tuple(attrs)))

    def handle_data(self, data):
        self.text += data

    def handle_comment(self, data):
        self.elements.append(("comment", ()))


def write(kind="detection", audience="client", spoken="en", **changes):
    return mail.write(kind, {**sample(kind), **changes}, audience=audience, spoken=spoken, templates=BUILT_IN)


def row(kind="detection", **changes):
    values = {"kind": kind, "audience": "client", "recipient": "anna@example.net", "language": "en",
              "message_id": "tocsin.1", "facts": sample(kind)}  # fmt: skip
    return Mail(**{**values, **changes})


def composed(mail_row, sender=SENDER, root=None):
    """The message as the recipient's mail program reads it."""
    message = compose(mail_row, sender=sender, root=root, now=1_790_000_000.0, templates=BUILT_IN)
    return message_from_bytes(message.as_bytes(), policy=default)


@pytest.mark.parametrize(
    ("kind", "spoken", "subject"),
    [
        ("detection", "fr", "[Ticket #42] Erreur détectée sur votre site"),
        ("detection", "en", "[Ticket #42] Error detected on your site"),
        ("closing", "fr", "[Ticket #42] Incident résolu ✅"),
        ("closing", "en", "[Ticket #42] Incident resolved ✅"),
    ],
)
def test_subjects_are_those_of_the_specification(kind, spoken, subject):
    assert composed(row(kind, language=spoken))["Subject"] == subject


@pytest.mark.parametrize("spoken", ["en", "fr"])
@pytest.mark.parametrize("kind", mail.KINDS)
def test_every_mail_has_a_plain_and_an_html_part_and_no_attachment(kind, spoken):
    message = composed(row(kind, language=spoken))
    inside = ["multipart/related", "text/html", "image/png"] if kind == "weekly" else ["text/html"]
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/alternative", "text/plain", *inside]  # fmt: skip
    assert not list(message.iter_attachments())


@pytest.mark.parametrize("kind", mail.KINDS)
def test_a_mail_loads_nothing_from_anywhere(kind):
    for tag, attributes in Elements(write(kind).html).elements:
        assert tag not in {"link", "script", "iframe", "object", "base"}
        assert not {"background", "srcset"} & {name for name, _ in attributes}
        # A picture is inside the mail itself.
        assert all(source.startswith("cid:") for name, source in attributes if name == "src")
    assert "url(" not in write(kind).html


@pytest.mark.parametrize("kind", ["detection", "reopened", "closing"])
def test_a_client_is_not_shown_the_message_nor_the_place_in_the_code_nor_a_class(kind):
    letter = write(
        kind,
        title="KeyError: *",
        message="secret internals",
        source="shop/inner.py",
        function="inner_function",
    )
    for part in (letter.subject, letter.text, letter.html):
        assert "KeyError" not in part
        assert "secret internals" not in part
        assert "shop/inner.py" not in part
        assert "inner_function" not in part


def test_the_detection_mail_tells_the_error_the_watch_and_the_ticket():
    text = write("detection", spoken="fr").text
    for said in (
        "Une erreur technique dans shop",
        "24 heures",
        "4 fois",
        "https://status.example.org/admin/tickets/42.html",
    ):
        assert said in text


def test_the_closing_mail_tells_the_watch_and_the_evidence():
    text = write("closing").text
    assert "watched for 24 hours" in text
    assert "seen alive for 23 hours and 31 minutes" in text
    assert "no reappearance" in text


def test_a_mail_of_a_closing_by_hand_claims_no_watch():
    text = write("closing", resolution="manual", evidence="manual", watched_seconds=0).text
    assert "Our team has closed the ticket." in text
    assert "resolved" not in text
    assert "watched" not in text
    assert "No reappearance since" not in text


@pytest.mark.parametrize(
    ("resolution", "english", "french"),
    [
        ("corrected", "Incident resolved ✅", "Incident résolu ✅"),
        ("no_reappearance", "The incident no longer occurs", "L’incident ne se produit plus"),
        ("manual", "The ticket is closed", "Le ticket est fermé"),
    ],
)
def test_a_closing_says_no_more_than_its_resolution(resolution, english, french):
    for spoken, subject in (("en", english), ("fr", french)):
        letter = write("closing", spoken=spoken, resolution=resolution)
        assert letter.subject == f"[Ticket #42] {subject}"
        claims = "résolu" in letter.text + letter.html or "resolved" in letter.text + letter.html
        assert claims == (resolution == "corrected")


BY_HAND = {"manual": True, "error_id": None, "occurrences": 0, "title": "The payment page is slow",
           "subject": "The payment page is slow"}  # fmt: skip


@pytest.mark.parametrize(("kind", "audience"), [("detection", "client"), ("notice", "admin")])
def test_a_ticket_opened_by_hand_claims_no_detection_and_no_watch(kind, audience):
    letter = write(kind, audience, **BY_HAND)
    assert "opened" in letter.text
    for part in (letter.subject, letter.text, letter.html):
        assert "detected" not in part
        assert "automatically and" not in part
        assert "watched" not in part
        assert "at least" not in part
    assert "The payment page is slow" in letter.text


def test_a_closed_ticket_without_an_error_promises_no_reopening_by_itself():
    assert "by itself" not in write("closing", **BY_HAND, resolution="manual", evidence="manual").text


@pytest.mark.parametrize(("spoken", "named"), [("en", "Subject:"), ("fr", "Objet\xa0:")])
@pytest.mark.parametrize("by_client", [True, False])
def test_a_ticket_without_an_error_has_a_subject_and_no_error(spoken: str, named: str, by_client: bool):
    text = write("notice", "admin", spoken, **BY_HAND, by_client=by_client).text
    assert named in text
    assert not any(line.startswith(("Error:", "Erreur\xa0:")) for line in text.splitlines())


@pytest.mark.parametrize("kind", ["notice", "reopened", "closing"])
def test_the_admin_reads_which_clients_could_not_be_told(kind):
    for part in ("text", "html"):
        said = getattr(write(kind, "admin", untold=["Acme", "<b>"] + ["more"] * 20), part)
        assert "no mail address is known" in said
        assert "Acme" in said
        assert "(+12)" in said


@pytest.mark.parametrize("kind", ["detection", "reopened", "closing"])
def test_a_client_reads_nothing_of_clients_that_could_not_be_told(kind):
    letter = write(kind, untold=["Other Ltd"])
    assert "Other Ltd" not in letter.subject + letter.text + letter.html


def test_without_a_report_address_there_is_no_button():
    letter = write(ticket_url=None)
    assert "<a " not in letter.html
    assert "See the ticket" not in letter.text


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", 'http://x/" onclick="y', "data:text/html,x", "//x", 7]
)
def test_a_link_that_is_no_web_address_is_left_out(url):
    assert "<a " not in write(ticket_url=url).html


@pytest.mark.parametrize("audience", ["client", "admin"])
@pytest.mark.parametrize("kind", mail.KINDS)
def test_no_element_stands_in_a_mail_that_its_template_did_not_write(kind, audience):
    facts = {"line": 1, "ticket_url": "https://status.example.org/7"}
    plain = Elements(write(kind, audience, **facts, **dict.fromkeys(TEXTS, "word")).html)
    for payload in PAYLOADS:
        letter = write(kind, audience, **facts, **dict.fromkeys(TEXTS, payload))
        assert Elements(letter.html).elements == plain.elements
        assert "root:x:" not in letter.html + letter.text
        assert "1337" not in letter.text


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_digest_escapes_what_it_lists(payload):
    item = {"kind": payload, "subject": payload, "ticket_id": 1, "created_at": 1.0, "title": payload + "!",
            "ticket_url": None}  # fmt: skip
    plain = {**item, "kind": "notice", "subject": "a", "title": "b"}
    assert (
        Elements(write("digest", mails=[item], total=1).html).elements
        == Elements(write("digest", mails=[plain], total=1).html).elements
    )


@given(st.text(max_size=60), st.sampled_from(["title", "service"]))
@settings(max_examples=60, deadline=None)
def test_any_text_gives_one_subject_line_and_a_message_that_parses(text, key):
    message = composed(row("notice", audience="admin", facts=sample("notice") | {key: text}))
    assert len(message.get_all("Subject")) == 1
    assert message["Subject"].startswith("[Ticket #42] New error in ")
    assert set(message.keys()) == HEADERS
    assert message.get_body(("plain",)).get_content()


HEADERS = {"Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress",
           "List-Id", "Content-Language", "MIME-Version", "Content-Type"}  # fmt: skip
BREAKS = ("a\nBcc: x@evil.example", "a\rb", "a\r\nX: y", "a\x85b", "a\u2028b\u2029c", "a\udc80b\ud800",
          "x" * 10_240, "é" * 10_240, "\x00\x1b[31m", "✅" * 300)  # fmt: skip


@pytest.mark.parametrize("text", BREAKS)
def test_line_breaks_surrogates_and_ten_kilobytes_make_one_subject_line(text):
    raw = compose(
        row("notice", audience="admin", facts=sample("notice") | {"title": text}),
        sender=SENDER, root=None, now=0.0, templates=BUILT_IN,
    ).as_bytes()  # fmt: skip
    message = message_from_bytes(raw, policy=default)
    assert set(message.keys()) == HEADERS
    assert len(message["Subject"]) <= SUBJECT_LIMIT
    assert max(map(len, raw.split(b"\r\n"))) <= 998


@pytest.mark.parametrize("address", ["anna@example.net\n", " anna@example.net"])
def test_an_address_with_breaks_around_it_still_gets_its_mail(address):
    assert composed(row(recipient=address))["To"] == "anna@example.net"


@pytest.mark.parametrize(
    "address",
    ["", "anna", "anna@\u2028example.net", "a@b\nBcc: x@y", "a b@c", "a@b,c@d", "<a@b>", "a@" + "x" * 10_240],
)
def test_what_is_no_address_is_refused_with_a_reason(address):
    with pytest.raises(MailError, match="not a mail address"):
        composed(row(recipient=address))


def test_a_domain_with_letters_beyond_ascii_is_written_as_mail_servers_want_it():
    assert composed(row(recipient="anna@bücher.example"))["To"] == "anna@xn--bcher-kva.example"


def test_a_later_mail_of_a_ticket_belongs_to_the_conversation_of_the_first():
    message = composed(row("closing", message_id="tocsin.2"), root=row(message_id="tocsin.1"))
    assert message["Message-ID"] == "<tocsin.2@example.org>"
    assert message["In-Reply-To"] == message["References"] == "<tocsin.1@example.org>"


def test_a_long_sender_domain_leaves_the_references_readable():
    sender = f"tocsin@{'very-long-label.' * 8}example.org"
    message = composed(
        row("closing", message_id="tocsin." + "2" * 32), sender, row(message_id="tocsin." + "1" * 32)
    )
    for header in ("Message-ID", "References", "In-Reply-To"):
        assert message[header].endswith("example.org>")
        assert "=?" not in message[header]


def test_a_mail_says_that_a_machine_wrote_it_and_to_which_list_it_belongs():
    message = composed(row())
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["List-Id"] == "Tocsin <tocsin.example.org>"


def test_a_kind_nobody_knows_is_refused():
    with pytest.raises(MailError, match="no mail is called"):
        mail.write("no_such_mail", {}, audience="client", spoken="en", templates=BUILT_IN)


@pytest.mark.parametrize("kind", mail.KINDS)
def test_a_mail_can_be_written_from_hardly_any_facts(kind):
    letter = mail.write(kind, {"ticket_id": 1}, audience="admin", spoken="fr", templates=BUILT_IN)
    assert letter.subject
    assert letter.text


@pytest.mark.parametrize(
    ("seconds", "english", "french"),
    [(1, "1 second", "1 seconde"), (90, "90 seconds", "90 secondes"), (3600, "1 hour", "1 heure"),
     (86400, "24 hours", "24 heures"), (5400, "1 hour and 30 minutes", "1 heure et 30 minutes"),
     (7 * 86400, "7 days", "7 jours")],
)  # fmt: skip
def test_durations_are_written_in_the_readers_language(seconds, english, french):
    assert language.language("en").duration(seconds) == english
    assert language.language("fr").duration(seconds) == french


def test_a_language_we_do_not_speak_is_answered_in_english():
    assert language.language("de_DE").code == "en"


PO = language.LOCALES / "fr" / "LC_MESSAGES" / "tocsin.po"


def forms(text):
    """Singular and plural of a text that has both, else the one."""
    return [text] if isinstance(text, str) else list(text)


def test_the_compiled_french_catalogue_is_fresh():
    with PO.open("rb") as source, PO.with_suffix(".mo").open("rb") as compiled:
        wanted, found = (
            {"|".join(forms(message.id)): forms(message.string) for message in catalogue if message.id}
            for catalogue in (read_po(source, locale="fr"), read_mo(compiled))
        )
    assert found == wanted


def test_every_text_of_the_mails_has_its_french():
    with PO.open("rb") as file:
        catalogue = read_po(file, locale="fr")
    methods = [
        ("outgoing/mail.py", "python"),
        ("outgoing/overviews.py", "python"),
        ("outgoing/rendering.py", "python"),
        ("ticket_wording.py", "python"),
        ("outgoing/templates/mail/**", "jinja2"),
    ]
    options = {
        "outgoing/templates/mail/**": {
            "extensions": "jinja2.ext.i18n",
            "trim_blocks": "true",
            "newstyle_gettext": "true",
        }
    }
    found = list(extract_from_dir(Path(language.__file__).parent, methods, options))
    reasons = [(f"{folder}/**.py", "python") for folder in ("outgoing", "store", "operations")]
    found += extract_from_dir(Path(language.__file__).parent, reasons, keywords={"Reason": None})
    assert len(found) > 160
    for _, _, text, _, _ in found:
        if not text:
            continue
        translated = catalogue.get(text[0] if isinstance(text, tuple) else text)
        assert translated is not None, text
        assert all(translated.string if isinstance(translated.string, tuple) else (translated.string,)), text
