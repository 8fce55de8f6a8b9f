"""The mail that says the daemon itself is dead. Needs no database and no daemon, only a mail server.

Whom to tell, and through which server, is written down by each daemon that starts: a configuration that
cannot be read names nobody. No password is written down.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid, parseaddr

import msgspec
from msgspec import Struct

from tocsin.daemon.config import Config, load, parse
from tocsin.daemon.config_file import ConfigError
from tocsin.daemon.failure import Failed
from tocsin.daemon.outgoing.headers import WIRE
from tocsin.daemon.outgoing.message import envelope_address
from tocsin.daemon.outgoing.rendering import MailError
from tocsin.daemon.outgoing.smtp import Connection, SendError
from tocsin.handler.paths import state_directory

REMEMBERED = "alarm.json"
"""File in the state directory."""

_TEXT = {
    "en": (
        "[Tocsin] {unit} has failed on {host}",
        "{unit} on {host} has failed and is not started again by itself.\n"
        "Until it runs, no error is counted and no ticket is opened;\n"
        "nothing is lost, the applications keep their errors.\n\n"
        "What happened:   journalctl -u {unit} -n 50\nWhat is wrong:   tocsin doctor\n"
        "Start it again:  systemctl reset-failed {unit} && systemctl start {unit}\n",
    ),
    "fr": (
        "[Tocsin] {unit} est en échec sur {host}",
        "{unit} sur {host} est en échec et ne sera pas relancé automatiquement.\n"
        "D'ici là, aucune erreur n'est comptée et aucun ticket n'est ouvert ;\n"
        "rien n'est perdu, les applications gardent leurs erreurs.\n\n"
        "Ce qui s'est passé :  journalctl -u {unit} -n 50\nCe qui ne va pas :    tocsin doctor\n"
        "Le relancer :         systemctl reset-failed {unit} && systemctl start {unit}\n",
    ),
}


class AlarmError(Failed):
    """No admin could be told; the text says why and what to do."""


class Remembered(Struct, frozen=True):
    """Whom the last daemon that started would tell: a `[mail]` section, and SMTP_HOST and its like."""

    mail: dict[str, str | list[str]]
    smtp: dict[str, str]


def remember(config: Config) -> None:
    """Writes down whom to tell, for the owner of the state directory alone. Raises OSError."""
    path = config.state_dir / REMEMBERED
    if config.smtp is None or not config.mail.admin:
        path.unlink(missing_ok=True)
        return
    mail = {
        "admin": config.mail.admin,
        "language": config.mail.language,
        "password_file": config.mail.password_file,
        "oauth2_file": config.mail.oauth2_file,
    }
    smtp = {
        "SMTP_HOST": config.smtp.host,
        "SMTP_PORT": str(config.smtp.port),
        "SMTP_USER": config.smtp.user,
        "SMTP_FROM": config.smtp.sender,
        "SMTP_SECURITY": config.smtp.security,
    }
    known = Remembered(
        {key: value for key, value in mail.items() if value},
        {key: value for key, value in smtp.items() if value},
    )
    part = path.with_name(f"{REMEMBERED}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(msgspec.json.encode(known))
    part.rename(path)


def whom_to_tell(config_file: str | None, environ: Mapping[str, str] = os.environ) -> Config:
    """The configuration, or where that cannot be read, what is remembered of the last one that could.

    The password comes from where the service has it. Raises ConfigError when there is neither.
    """
    try:
        return load(config_file, environ)
    except ConfigError:
        path = state_directory(environ) / REMEMBERED
        try:
            known = msgspec.json.decode(path.read_bytes(), type=Remembered)
        except (OSError, msgspec.MsgspecError):
            known = None
        if known is None:
            raise
        # What is remembered did work: the environment may hold the mistake.
        return parse({"mail": known.mail}, {**environ, **known.smtp}, name=str(path))


def raise_alarm(config: Config, unit: str, now: float, host: str | None = None) -> list[str]:
    """Mails every admin at once, past the outbox; returns who was told. Raises AlarmError when nobody was."""
    if config.smtp is None:
        raise AlarmError("SMTP_HOST is not set, so nobody can be told; set it in the environment or .env")
    if not config.mail.admin:
        raise AlarmError('mail.admin names nobody; write admin = ["you@example.org"]')
    try:
        sender = envelope_address(parseaddr(config.smtp.sender)[1])
        connection = Connection(config.smtp, config.mail.oauth2_file)
    except (MailError, SendError) as error:
        raise AlarmError(f"{error}; `tocsin mail test` says more") from error
    notified: list[str] = []
    reason = ""
    try:
        for address in config.mail.admin:
            message = _message(config, unit, address, now, host or socket.gethostname())
            try:
                connection.send(message, sender, address)
                notified.append(address)
            except SendError as error:
                reason = str(error)
    finally:
        connection.close()
    if not notified:
        raise AlarmError(f"{reason}; `tocsin mail test` says more")
    return notified


def _message(config: Config, unit: str, address: str, now: float, host: str) -> EmailMessage:
    assert config.smtp is not None
    subject, text = _TEXT[config.mail.language]
    # A unit's name comes from a command line: one line, whatever it is.
    names = {"unit": " ".join(unit.split())[:200], "host": host}
    message = EmailMessage(policy=WIRE)
    message["Subject"] = subject.format(**names)
    message["From"] = config.smtp.sender
    message["To"] = address
    message["Date"] = format_datetime(datetime.fromtimestamp(now, UTC))
    message["Message-ID"] = make_msgid(domain=address.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text.format(**names))
    return message
