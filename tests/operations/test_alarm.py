"""The mail of a dead daemon: straight to every admin, with no database, in their language."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from support.installation import AnyPort

from tocsin.daemon.config import Config, load, parse
from tocsin.daemon.config_file import ConfigError
from tocsin.daemon.outgoing.alarm import REMEMBERED, AlarmError, raise_alarm, remember, whom_to_tell

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


def service(place: Path, port: int, **more: str) -> dict[str, str]:
    """What the unit of the alarm sees: its environment and, of its secrets, the password."""
    credentials = place / "credentials"
    credentials.mkdir(exist_ok=True)
    (credentials / "tocsin.smtp-password").write_text("correct-horse\n")
    return {
        "SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(port), "SMTP_SECURITY": "none", "SMTP_USER": "tocsin",
        "SMTP_FROM": "tocsin@tocsin.example", "XDG_STATE_HOME": str(place),
        "CREDENTIALS_DIRECTORY": str(credentials), **more,
    }  # fmt: skip


def started(place: Path, environ: dict[str, str]) -> Path:
    """The configuration of a daemon that has started once."""
    file = place / "tocsin.toml"
    file.write_text(f'[daemon]\nstate_dir = "{place}/tocsin"\n[mail]\nadmin = ["ops@tocsin.example"]\n')
    (place / "tocsin").mkdir()
    remember(load(str(file), environ))
    return file


def test_a_configuration_that_cannot_be_read_keeps_nobody_from_being_told(tmp_path: Path) -> None:
    desk = Desk()
    server = AnyPort(desk, hostname="127.0.0.1", port=0, authenticator=_known, auth_require_tls=False,
                     auth_required=True)  # fmt: skip
    server.start()
    try:
        environ = service(tmp_path, server.port)
        file = started(tmp_path, environ)
        file.write_text("[mail\nadmin = ")
        told = raise_alarm(whom_to_tell(str(file), environ), "tocsin.service", NOW, "web1")
        assert told == [to for to, _ in desk.mails] == ["ops@tocsin.example"]
        wrong = {**environ, "SMTP_PORT": "none", "SMTP_HOST": "nowhere.example"}
        assert raise_alarm(whom_to_tell(str(file), wrong), "tocsin.service", NOW, "web1") == told
    finally:
        server.stop()


def _known(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    right = isinstance(data, LoginPassword) and data.password == b"correct-horse"
    return AuthResult(success=right, handled=False)


def test_what_is_remembered_is_its_owners_alone_and_holds_no_password(tmp_path: Path) -> None:
    started(tmp_path, service(tmp_path, 25, SMTP_PASS="battery-staple"))
    file = tmp_path / "tocsin" / REMEMBERED
    assert file.stat().st_mode & 0o777 == 0o600
    assert not {"correct-horse", "battery-staple"} & set(file.read_text().split('"'))
    assert [path.name for path in file.parent.iterdir()] == [REMEMBERED]


def test_nobody_is_remembered_whom_the_configuration_names_no_more(tmp_path: Path) -> None:
    environ = service(tmp_path, 25)
    file = started(tmp_path, environ)
    file.write_text(f'[daemon]\nstate_dir = "{tmp_path}/tocsin"\n')
    remember(load(str(file), environ))
    file.write_text("[mail")
    with pytest.raises(ConfigError, match="not valid TOML"):
        whom_to_tell(str(file), environ)
