"""The way of a rendered mail into the message that a mail server takes."""

from __future__ import annotations

from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from pathlib import Path

import structlog

from tocsin.daemon import logo
from tocsin.daemon import mail_address as addresses
from tocsin.daemon.language import language
from tocsin.daemon.outgoing import headers
from tocsin.daemon.outgoing.mail import write
from tocsin.daemon.outgoing.rendering import LOGO, MailError, line
from tocsin.daemon.outgoing.templating import Templates
from tocsin.daemon.reason import Reason
from tocsin.daemon.store.models import Mail

log = structlog.get_logger()


def compose(mail: Mail, *, sender: str, root: Mail | None, now: float, templates: Templates) -> EmailMessage:
    """The message of an outbox row. `root` is the first mail of its conversation, when that is another one.

    Raises MailError when the recipient is no mail address or the facts are unusable.
    """
    rendered = write(mail.kind, mail.facts, audience=mail.audience, spoken=mail.language, templates=templates)
    name, address = parseaddr(sender)
    address = envelope_address(address)
    domain = address.rpartition("@")[2]
    message = EmailMessage(policy=headers.WIRE)
    message["Subject"] = headers.subject(rendered.subject)
    organisation = templates.organisation
    message["From"] = mailbox(address, line(name, 100) or line(organisation.name, 100) or "Tocsin")
    message["To"] = mailbox(envelope_address(mail.recipient))
    if mail.audience == "client" and organisation.reply_to:
        message["Reply-To"] = mailbox(envelope_address(organisation.reply_to), line(organisation.name, 100))
    message["Date"] = format_datetime(datetime.fromtimestamp(now, UTC))
    message["Message-ID"] = f"<{mail.message_id}@{domain}>"
    if root is not None:
        message["In-Reply-To"] = message["References"] = f"<{root.message_id}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message["List-Id"] = f"Tocsin <tocsin.{domain}>"
    message.set_content(rendered.text, cte="quoted-printable")
    message.add_alternative(rendered.html, subtype="html", cte="quoted-printable")
    if LOGO in rendered.html and organisation.logo is not None:
        _attach(message, Path(organisation.logo))
    for name, png in rendered.pictures.items():
        html = message.get_body(("related", "html"))
        assert isinstance(html, EmailMessage)
        html.add_related(png, "image", "png", cid=f"<{name}>", disposition="inline", filename="chart.png")
    message["Content-Language"] = language(mail.language).code
    return message


def _attach(message: EmailMessage, file: Path) -> None:
    """Puts the logo into the HTML part; a mail whose logo is gone goes out without its picture."""
    try:
        picture = logo.read(file)
    except logo.LogoError as error:
        log.error("logo_unusable", file=str(file), reason=str(error))
        return
    html = message.get_body(("html",))
    assert isinstance(html, EmailMessage)
    html.add_related(picture.content, "image", picture.kind, cid=f"<{LOGO}>", disposition="inline")


def mailbox(address: str, name: str = "") -> Address:
    """The address with a display name, shortened to what fits an encoded header."""
    local, _, domain = address.rpartition("@")
    return Address(display_name=headers.display_name(name), username=local, domain=domain)


def envelope_address(text: str) -> str:
    """The address as mail servers want it. Raises MailError when it is none."""
    try:
        return addresses.mail_address(line(text, 1000))
    except ValueError as error:
        reason = Reason(
            "'%(address)s' is not a mail address: %(error)s", address=line(text, 100), error=str(error)
        )
        raise MailError(reason) from None
