"""What a mail's headers hold is what every decoder gives back: this Python's, the others', an old one's."""

from __future__ import annotations

import json
import re
import subprocess
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.interpreters import found

from tocsin.daemon.config import parse
from tocsin.daemon.config_file import ConfigError
from tocsin.daemon.mail_address import mail_address
from tocsin.daemon.outgoing import headers
from tocsin.daemon.outgoing.message import compose, envelope_address, mailbox
from tocsin.daemon.outgoing.rendering import MailError
from tocsin.daemon.outgoing.templating import Templates
from tocsin.daemon.store.models import Mail

FRENCH = (
    "[Ticket n° 12] Le paiement a échoué : réessayez plus tard, ou écrivez à l’équipe technique à Évry, qui "
    "répond dès que possible, même le dimanche"
)
LOOKS_ENCODED = "[Ticket #1] =?utf-8?q?caf=C3=A9?= and =?x"
WORDS = st.lists(
    st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=90), max_size=30
)
DECODE = """
import json, sys
from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import default
for line in sys.stdin:
    data = bytes.fromhex(line)
    modern, old = message_from_bytes(data, policy=default), message_from_bytes(data)
    print(json.dumps([modern["Subject"], str(make_header(decode_header("".join(old["Subject"].splitlines())))),
                      modern["From"].addresses[0].display_name, modern["In-Reply-To"]]))
"""


def sent(subject: str, name: str = "Tocsin", *, international: bool = False) -> bytes:
    message = EmailMessage(policy=headers.WIRE)
    message["Subject"] = headers.subject(subject)
    message["From"] = mailbox("tocsin@example.org", name)
    message["In-Reply-To"] = f"<{'tocsin.' + '0123456789abcdef' * 2}@mailing.of.a.rather.long.example.org>"
    message.set_content("text")
    return message.as_bytes(policy=headers.INTERNATIONAL if international else headers.WIRE)


def name_of(subject: str) -> str:
    return headers.display_name(f"Équipe {subject[:30]}".strip())


def head(data: bytes) -> bytes:
    return data.partition(b"\r\n\r\n")[0]


@given(words=WORDS, name=WORDS)
@settings(max_examples=300, deadline=None)
def test_every_subject_and_name_comes_back_as_it_was(words: list[str], name: list[str]) -> None:
    subject, sender = " ".join(words), headers.display_name(" ".join(name))
    data = sent(subject, sender)
    modern, old = message_from_bytes(data, policy=default), message_from_bytes(data)
    assert modern["Subject"] == subject
    assert str(make_header(decode_header("".join(old["Subject"].splitlines())))) == subject
    assert modern["From"].addresses[0].display_name == sender
    assert max(map(len, head(data).split(b"\r\n"))) <= 998


@pytest.mark.parametrize("subject", [FRENCH, LOOKS_ENCODED, "word " * 40 + "end", "ß" * 180])
@pytest.mark.parametrize("international", [False, True])
def test_no_line_is_longer_than_78_and_no_encoded_word_than_75(subject: str, international: bool) -> None:
    lines = head(sent(subject, FRENCH, international=international)).decode("ascii").split("\r\n")
    assert max(len(line) for line in lines if not line.startswith("In-Reply-To")) <= 78
    assert max(map(len, re.findall(r"=\?\S+\?=", "\n".join(lines))), default=0) <= 75


def test_a_message_id_is_never_encoded() -> None:
    assert b"In-Reply-To: <tocsin.0123456789abcdef0123456789abcdef@mailing.of" in sent("x")


@pytest.mark.parametrize("version", sorted(found()))
def test_each_python_reads_the_subjects_as_they_were_written(version: str, tmp_path: Path) -> None:
    subjects = [FRENCH, LOOKS_ENCODED, "plain " * 30 + "end"]
    subjects += [" ".join(f"{FRENCH[:n]} {'é ' * n}fin".split()) for n in range(1, 120)]
    lines = "\n".join(sent(subject, name_of(subject)).hex() for subject in subjects)
    script = tmp_path / "decode.py"
    script.write_text(DECODE)
    done = subprocess.run(
        [found()[version], str(script)],
        input=lines,
        capture_output=True,
        text=True,
        check=True,
        encoding="utf-8",
    )
    for subject, answer in zip(subjects, done.stdout.splitlines(), strict=True):
        modern, old, name, reply_to = json.loads(answer)
        assert (modern, old, name) == (subject, subject, name_of(subject))
        assert reply_to.startswith("<tocsin.0123")


def test_a_mail_of_the_outbox_is_written_so() -> None:
    row = Mail(
        kind="notice", audience="admin", recipient="ops@straße.example", language="fr", message_id="tocsin.1",
        facts={"ticket_id": 1, "service": "boutique", "title": FRENCH, "occurrences": 3}, created_at=0.0,
    )  # fmt: skip
    message = compose(row, sender="Équipe <a@bücher.example>", root=None, now=0.0, templates=Templates())
    data = message.as_bytes(policy=headers.WIRE)
    read = message_from_bytes(data, policy=default)
    assert "Le paiement a échoué : réessayez plus tard" in read["Subject"]
    assert read["To"] == "ops@xn--strae-oqa.example"
    assert read["Message-ID"] == "<tocsin.1@xn--bcher-kva.example>"
    assert data.isascii()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("a@straße.example", "a@xn--strae-oqa.example"),
        ("a@βόλος.example", "a@xn--nxasmm1c.example"),
        ("a@EXAMPLE.org", "a@EXAMPLE.org"),
        ("a@[127.0.0.1]", "a@[127.0.0.1]"),
        ("rené@example.org", "rené@example.org"),
    ],
)
def test_a_domain_is_the_one_of_idna_2008(written: str, meant: str) -> None:
    assert mail_address(written) == meant


@pytest.mark.parametrize(
    "written",
    [
        "a",
        "a@",
        "@example.org",
        "a b@example.org",
        "a@exa\u200bmple♥.org",
        "a@b,c@d.org",
        f"{'é' * 40}@a.org",
    ],
)
def test_what_is_no_address_is_refused_where_it_is_configured(written: str) -> None:
    with pytest.raises(ConfigError, match="is not a mail address"):
        parse({"mail": {"admin": [written]}}, {})
    with pytest.raises(MailError):
        envelope_address(written)
