"""The mail of a dead daemon: straight to every admin, with no database, in their language."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from support.clinic import AnyPort

from tocsin.daemon.alarm import AlarmError, raise_alarm
from tocsin.daemon.config import Config, parse

NOW = 1_795_000_000.0


class Desk:
    def __init__(self) -> None:
        self.mails: list[tuple[str, Message]] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        self.mails.append((envelope.rcpt_tos[0], message_from_bytes(envelope.content, policy=default)))
        return "250 taken"


@pytest.fixture
def desk() -> Iterator[tuple[Desk, int]]:
    desk = Desk()
    server = AnyPort(desk, hostname="127.0.0.1", port=0)
    server.start()
    yield desk, server.port
    server.stop()


def config(port: int, **mail: Any) -> Config:
    environ = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(port), "SMTP_SECURITY": "none",
               "SMTP_FROM": "tocsin@tocsin.example"}  # fmt: skip
    return parse({"mail": {"admin": ["ops@tocsin.example", "anna@tocsin.example"], **mail}}, environ)


@pytest.mark.parametrize(
    ("language", "word"), [("en", "has failed on web1"), ("fr", "est en échec sur web1")]
)
def test_every_admin_is_told_which_unit_failed_where_and_what_to_do(
    desk: tuple[Desk, int], language: str, word: str
) -> None:
    told = raise_alarm(config(desk[1], language=language), "tocsin.service", NOW, "web1")
    assert told == [to for to, _ in desk[0].mails] == ["ops@tocsin.example", "anna@tocsin.example"]
    mail = desk[0].mails[0][1]
    assert word in mail["Subject"]
    assert "journalctl -u tocsin.service" in str(mail.get_payload(decode=True), "utf-8")  # type: ignore[arg-type]


def test_a_hostile_unit_name_adds_no_header(desk: tuple[Desk, int]) -> None:
    raise_alarm(config(desk[1]), "x\r\nBcc: all@example.org", NOW, "web1")
    assert desk[0].mails[0][1]["Bcc"] is None


def test_a_mail_server_that_is_away_is_said_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(AlarmError, match="tocsin mail test"):
        raise_alarm(config(port), "tocsin.service", NOW)


def test_nobody_to_tell_is_an_error() -> None:
    with pytest.raises(AlarmError, match="SMTP_HOST"):
        raise_alarm(parse({}, {}), "tocsin.service", NOW)
    with pytest.raises(AlarmError, match=r"mail\.admin"):
        raise_alarm(config(25, admin=[]), "tocsin.service", NOW)
