"""What can be wrong with the mails: the mail server step by step, and a user's own templates."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parseaddr
from functools import lru_cache
from pathlib import Path
from typing import Any

from tocsin.daemon.config import Config
from tocsin.daemon.outgoing import mail
from tocsin.daemon.outgoing.message import compose, envelope_address
from tocsin.daemon.outgoing.rendering import MailError
from tocsin.daemon.outgoing.smtp import Connection, Phase, SendError, explain
from tocsin.daemon.outgoing.templating import BUILT_IN, Templates
from tocsin.daemon.reason import NONE, Reason
from tocsin.daemon.settings import Smtp
from tocsin.daemon.store import outbox
from tocsin.daemon.store.models import Mail

_DAY = 86400.0


@dataclass(frozen=True)
class Step:
    """One step on the way to a mailbox: whether it went well, what happened, and what to do."""

    name: Phase
    ok: bool
    text: Reason
    remedy: Reason = NONE


def diagnose(
    config: Config,
    address: str,
    now: float,
    *,
    send: bool = True,
    example: Mail | None = None,
    context: ssl.SSLContext | None = None,
) -> Iterator[Step]:
    """Walks the way of a mail to the address and tells each step; the first that fails is the last.

    With `send` the `example` goes out, else a test mail; without, the server is only asked whether it would take one.
    """
    smtp = config.smtp
    if smtp is None:
        yield Step("settings", False, Reason("SMTP_HOST is not set, so all mails wait"), _SETTINGS_REMEDY)
        return
    done: list[Phase] = []
    try:
        recipient = _address(address, "recipient", Reason("Check the address you gave"))
        sender = _address(
            parseaddr(smtp.sender)[1], "sender", Reason("Set SMTP_FROM to the sender's address")
        )
        text = Reason(
            "%(server)s, SMTP_SECURITY=%(security)s, from %(sender)s",
            server=f"{smtp.host}:{smtp.port}", security=smtp.security, sender=smtp.sender,
        )  # fmt: skip
        yield Step("settings", True, text)
        yield Step("name", True, _resolve(smtp))
        done.append("name")
        connection = Connection(smtp, config.mail.oauth2_file, context)
    except SendError as error:
        yield from _reached(smtp, error.phase, done)
        yield Step(error.phase, False, error.text, error.remedy)
        return
    yield from _reached(smtp, None, done)
    try:
        mail_row = None if not send else example or _test_mail(config, now)
        yield from _deliver(connection, config, sender, recipient, now, mail_row)
    finally:
        connection.close()


_SETTINGS_REMEDY = Reason(
    "Set SMTP_HOST, SMTP_PORT, SMTP_USER, SMTP_PASS and SMTP_FROM in the environment, or in the .env beside "
    "the configuration file, and start the daemon again"
)


def _deliver(
    connection: Connection, config: Config, sender: str, recipient: str, now: float, row: Mail | None
) -> Iterator[Step]:
    try:
        connection.envelope(sender, recipient)
    except SendError as error:
        if error.phase == "recipient":
            yield Step("sender", True, Reason("the server takes mails from %(sender)s", sender=sender))
        yield Step(error.phase, False, error.text, error.remedy)
        return
    yield Step("sender", True, Reason("the server takes mails from %(sender)s", sender=sender))
    yield Step("recipient", True, Reason("the server takes mails to %(recipient)s", recipient=recipient))
    if row is None:
        return
    row.recipient = recipient
    templates = Templates(config.mail.templates, config.organisation)
    try:
        connection.reset()
        connection.send(
            compose(row, sender=sender, root=None, now=now, templates=templates), sender, recipient
        )
    except SendError as error:
        yield Step("sending", False, error.text, error.remedy)
        return
    except MailError as error:
        remedy = Reason("Check the templates in mail.templates, and the recipient's address")
        yield Step("sending", False, error.text, remedy)
        return
    text = Reason("a mail is on its way to %(recipient)s; look into the spam folder too", recipient=recipient)
    yield Step("sending", True, text)


def check_templates(overrides: str | None) -> list[str]:
    """One line for each of a user's templates that does not work or replaces nothing."""
    if not overrides:
        return []
    directory = Path(overrides).expanduser()
    if not directory.is_dir():
        return [
            f"mail.templates = {overrides!r}: there is no such directory; the built-in templates are used"
        ]
    files = sorted(path for path in directory.iterdir() if path.suffix in (".html", ".txt"))
    return list(_checked(directory, tuple((path.name, path.stat().st_mtime_ns) for path in files)))


@lru_cache(maxsize=4)
def _checked(directory: Path, files: tuple[tuple[str, int], ...]) -> tuple[str, ...]:
    """Once for each state of the files: the pages ask every few seconds."""
    known = {path.name for path in BUILT_IN.iterdir()}
    lines = [f"mail.templates: {name} replaces no template; there are {', '.join(sorted(known))}"
             for name, _ in files if name not in known]  # fmt: skip
    templates = Templates(directory)
    for kind in mail.KINDS:
        for audience in ("client", "admin"):
            mail.write(kind, sample(kind), audience=audience, spoken="en", templates=templates)
    return (*lines, *templates.problems.values())


_WRITTEN: dict[str, Any] = {
    "manual": True, "error_id": None, "occurrences": 0, "service": "", "environment": "", "source": "",
    "function": "", "frames": [], "subject": "Two invoices are missing", "title": "Two invoices are missing",
    "message": "We noticed that the invoices of Tuesday did not leave.",
}  # fmt: skip


def sample(kind: str, now: float = 1_790_000_000.0) -> dict[str, Any]:
    """Made-up facts for a mail of that kind, all keys there."""
    facts = {
        "ticket_id": 42, "error_id": 17, "service": "shop", "environment": "production",
        "title": "IntegrityError: UNIQUE constraint failed: orders.number",
        "message": "order 10042 could not be saved\nIntegrityError: UNIQUE constraint failed: orders.number",
        "source": "shop/orders.py", "line": 118, "function": "save_order", "occurrences": 4,
        "first_seen": now - 2700, "last_seen": now - 60,
        "frames": [["/srv/shop/views.py:61", "checkout", "order = save_order(basket)"],
                   ["/srv/shop/orders.py:118", "save_order", "number = last_number() + 1"]],
        "service_kind": "web", "subject": "", "client_text": "", "client_id": "acme", "client_name": "Acme",
        "threshold": 3, "window": 3600.0, "watch_seconds": _DAY, "priority": "high", "created_at": now,
        "ticket_url": "https://status.example.org/admin/tickets/42.html",
    }  # fmt: skip
    more: dict[str, dict[str, Any]] = {
        "received": _WRITTEN,
        "message": {"text": "We have found it: the export stopped at midnight.\nIt runs again since nine o'clock."},
        "validated": {"applied_by": "copilot", "file_path": "shop/orders.py", "test_status": "passed",
                      "description": "Take the next free number inside the transaction"},
        "validation_failed": {"applied_by": "copilot", "file_path": "shop/orders.py", "test_status": "failed",
                              "description": "Take the next free number inside the transaction"},
        "reappeared": {"reappeared_at": now + 7200, "last_seen": now + 7200, "occurrences": 5, "late": False},
        "reopened": {"reappeared_at": now + 3 * _DAY, "last_seen": now + 3 * _DAY, "occurrences": 5,
                     "late": False},
        "closing": {"resolution": "corrected", "quiet_since": now + 7200, "watched_seconds": _DAY,
                    "seen_seconds": 0.98 * _DAY, "evidence": "seen", "chance": 0.0004, "corrections": 1,
                    "verified_by_tests": True,
                    "runs": {"function": "shop.orders.next_number", "since": 1532, "before": 40, "failed": 1,
                             "corrected": True}},
        "ready": {"quiet_since": now + 7200, "watched_seconds": _DAY, "seen_seconds": 0.98 * _DAY,
                  "evidence": "seen", "chance": 0.0004, "priority": "critical"},
        "inconclusive": {"unseen_since": now - 3 * _DAY, "seen_seconds": 5 * 3600.0},
        "old_code": {"reappeared_at": now + 3 * _DAY, "session": "web-1, pid 4242"},
        "reminder": {
            "tickets": [{"ticket_id": 42, "title": "IntegrityError: UNIQUE constraint failed: orders.number",
                         "service": "shop", "since": now - 4 * _DAY,
                         "ticket_url": "https://status.example.org/admin/tickets/42.html"}],
            "held": [{"mail_id": 7, "ticket_id": 43, "title": "KeyError: *", "recipient": "it@acme.example",
                      "since": now - 2 * _DAY}],
            "watches": [{"ticket_id": 44, "title": "TimeoutError", "service": "nightly",
                         "since": now - 5 * _DAY}],
            "tickets_total": 3, "held_total": 1, "watches_total": 1},
        "more_frequent": {"usual_rate": 0.4, "recent_rate": 37.0, "occurrences": 412},
        "weekly": {
            "since": now - 7 * _DAY, "until": now, "occurrences": 1234, "new_errors": 3, "opened": 4,
            "closed": 5, "closed_automatically": 4, "reopened": 1, "open": 2, "corrections_held": 9,
            "corrections_came_back": 1,
            "top": [{"error_id": 17, "service": "shop", "title": "IntegrityError: UNIQUE constraint failed",
                     "count": 900, "url": "https://status.example.org/admin/errors/17.html"}],
            "days": [{"day": f"2026-09-{day:02d}", "opened": day * 5 % 7, "closed": day * 3 % 6}
                     for day in range(1, 29)],
            "metrics_url": "https://status.example.org/admin/metrics.html"},
        "access": {"url": "https://status.example.org/one-time/mfD9Kc2", "purpose": "sign_in", "lasts": 1800.0},
        "digest": {"total": 120, "mails": [
            {"kind": "notice", "subject": f"[Ticket #{number}] New error in shop: KeyError",
             "ticket_id": number, "created_at": now + number, "title": "KeyError: *",
             "ticket_url": f"https://status.example.org/admin/tickets/{number}.html"}
            for number in range(40, 52)]},
    }  # fmt: skip
    return {**facts, **more.get(kind, {})}


def _reached(smtp: Smtp, failed: Phase | None, done: list[Phase]) -> Iterator[Step]:
    """The steps of a connection that went well before the failed one, or all of them."""
    answers = Reason("%(server)s answers", server=f"{smtp.host}:{smtp.port}")
    said: dict[Phase, Reason] = {
        "connection": answers,
        "TLS": Reason("the connection is encrypted and the certificate is the right one"),
        "log-in": Reason("%(user)s is logged in", user=smtp.user),
    }
    if smtp.security == "none":
        said["TLS"] = Reason("no encryption, as SMTP_SECURITY=none says")
    if smtp.user is None:
        said["log-in"] = Reason("without a log-in: SMTP_USER is not set")
    for phase, text in said.items():
        if phase == failed or failed in ("settings", "name", "sender", "recipient"):
            return
        if failed == "TLS" and phase == "connection" and smtp.security == "ssl":
            yield Step("connection", True, answers)
            return
        yield Step(phase, True, text)


def _resolve(smtp: Smtp) -> Reason:
    try:
        found = socket.getaddrinfo(smtp.host, smtp.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise explain(error, smtp, "name") from error
    addresses = ", ".join(dict.fromkeys(str(one[4][0]) for one in found))
    return Reason("%(server)s is %(addresses)s", server=smtp.host, addresses=addresses)


def _address(text: str, phase: Phase, remedy: Reason) -> str:
    try:
        return envelope_address(text)
    except MailError as error:
        raise SendError(error.text, phase=phase, remedy=remedy) from error


def _test_mail(config: Config, now: float) -> Mail:
    return example("test", {"created_at": now}, audience="admin", language=config.mail.language)


def example(kind: str, facts: dict[str, Any], *, audience: str, language: str) -> Mail:
    """A mail of that kind that stands in no outbox; its recipient is set when it is sent."""
    return Mail(
        kind=kind,
        audience=audience,
        recipient="",
        language=language,
        facts=facts,
        message_id=outbox.message_id(),
    )
