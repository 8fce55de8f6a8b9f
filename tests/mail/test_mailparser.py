"""A parser that was not written in Python reads our mails as they were meant: npm's mailparser.

Collected where `make mail-parser` has installed it, since it needs npm and its registry.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from support.mail_parsers import MAILPARSER

from tocsin.daemon.outgoing import headers, mail
from tocsin.daemon.outgoing.mailcheck import sample
from tocsin.daemon.outgoing.message import compose
from tocsin.daemon.outgoing.templating import Templates
from tocsin.daemon.settings import Organisation
from tocsin.daemon.store.models import Mail

SCRIPT = Path(__file__).with_name("mailparser.mjs")
FRENCH = "Le paiement a échoué : réessayez plus tard, ou écrivez à l’équipe à Évry, même le dimanche"


def parsed(messages: list[bytes]) -> list[list[str]]:
    lines = "\n".join(message.hex() for message in messages)
    done = subprocess.run(
        ["node", str(SCRIPT), str(MAILPARSER)], input=lines, capture_output=True, text=True, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def row(subject: str, kind: str = "detection", language: str = "fr") -> Mail:
    facts = {**sample(kind), "manual": True, "subject": subject, "title": subject}
    return Mail(
        kind=kind,
        audience="client",
        language=language,
        recipient="it@acme.example",
        facts=facts,
        message_id="m",
    )


def test_mailparser_gives_back_every_subject_and_sender() -> None:
    subjects = [FRENCH, "=?utf-8?q?caf=C3=A9?= and =?x", "word " * 30 + "end"]
    subjects += [" ".join(f"{FRENCH[:n]} {'é ' * n}fin".split()) for n in range(1, 100)]
    templates = Templates(None, Organisation(name="Équipe Dupont & fils"))
    rows = [row(subject) for subject in subjects]
    messages = [
        compose(one, sender="tocsin@example.org", root=None, now=0.0, templates=templates).as_bytes(
            policy=headers.WIRE
        )
        for one in rows
    ]
    wanted = [
        mail.write(one.kind, one.facts, audience="client", spoken="fr", templates=templates).subject
        for one in rows
    ]
    assert [(subject, name) for subject, name, _, _ in parsed(messages)] == [
        (subject, "Équipe Dupont & fils") for subject in wanted
    ]


def test_mailparser_gives_back_the_text_and_the_html_of_every_mail() -> None:
    templates = Templates()
    rows = [Mail(kind=kind, audience="admin", language="fr", recipient="ops@example.org", facts=sample(kind),
                 message_id="m") for kind in sorted(mail.KINDS)]  # fmt: skip
    composed = [compose(one, sender="t@example.org", root=None, now=0.0, templates=templates) for one in rows]
    found = parsed([message.as_bytes(policy=headers.WIRE) for message in composed])
    for one, (_, _, text, html) in zip(rows, found, strict=True):
        wanted = mail.write(one.kind, one.facts, audience="admin", spoken="fr", templates=templates)
        assert text.strip() == wanted.text.strip()
        assert html.strip() == wanted.html.strip()
