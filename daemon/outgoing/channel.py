"""What a channel is told, from an outbox row: a short text for a chat, JSON for a webhook; and the way there."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from tocsin.daemon.config import Config
from tocsin.daemon.config_channels import Target, target
from tocsin.daemon.config_file import ConfigError
from tocsin.daemon.language import language
from tocsin.daemon.outgoing import chat, mail, overviews, webhook
from tocsin.daemon.outgoing.rendering import (
    MailError,
    RenderContext,
    RenderedMail,
    line,
    text,
    view,
    web_address,
)
from tocsin.daemon.outgoing.smtp import SendError
from tocsin.daemon.outgoing.templating import Templates
from tocsin.daemon.reason import NONE, Reason
from tocsin.daemon.settings import Channel
from tocsin.daemon.store import outbox
from tocsin.daemon.store.models import Mail

TEXT_LIMIT = 1500
TONES = {
    "notice": "failure", "reopened": "failure", "validation_failed": "failure", "reappeared": "warning",
    "inconclusive": "warning", "old_code": "warning", "reminder": "warning", "more_frequent": "failure",
    "closing": "success", "ready": "success", "validated": "success",
}  # fmt: skip
"""Kind of message -> what Apprise calls its type; info for all others."""

_MOMENTS = (
    "first_seen",
    "last_seen",
    "created_at",
    "quiet_since",
    "reappeared_at",
    "unseen_since",
    "since",
    "until",
)
_TEXTS = ("service", "environment", "title", "source", "function", "client_id", "client_name", "priority",
          "resolution", "evidence", "applied_by", "file_path", "description", "test_status", "session",
          "recipient", "kind", "day")  # fmt: skip
_AS_THEY_ARE = ("ticket_id", "error_id", "line", "occurrences", "manual", "late", "corrections", "chance",
                "verified_by_tests", "watched_seconds", "seen_seconds", "total", "usual_rate", "recent_rate",
                "tickets_total", "watches_total", "held_total", "mail_id", "new_errors", "opened", "closed",
                "closed_automatically", "reopened", "open", "corrections_held", "corrections_came_back",
                "count")  # fmt: skip


@dataclass(frozen=True)
class ChatMessage:
    """`tone` is Apprise's type: info, success, warning or failure."""

    title: str
    text: str
    tone: str


@dataclass(frozen=True)
class Fault:
    """What is wrong and what to do; an empty text: nothing is."""

    text: Reason = NONE
    remedy: Reason = NONE


def deliver(
    target: Target, row: Mail, templates: Templates, now: float, context: ssl.SSLContext | None = None
) -> None:
    """Writes the message and hands it over. Raises MailError or SendError."""
    try:
        message = webhook_body(row, templates) if target.webhook else chat_message(row, templates)
    except MailError:
        raise
    except Exception as error:  # facts are data: whatever they hold, only this message is lost, and visibly
        reason = Reason("the message cannot be written: %(error)s", error=f"{type(error).__name__}: {error}")
        raise MailError(reason) from error
    if isinstance(message, bytes):
        webhook.post(target, row.message_id, message, now, context)
    else:
        chat.send(target, message.title, message.text, message.tone)


def test(channel: Channel, config: Config, now: float) -> Fault:
    """Sends a test message past the outbox; says what went wrong, nothing where all is well."""
    language = channel.language or config.mail.language
    row = Mail(kind="test", audience="admin", recipient=channel.name, language=language, channel=channel.name,
               facts={"created_at": now}, message_id=outbox.message_id(), created_at=now)  # fmt: skip
    try:
        deliver(target(channel), row, Templates(config.mail.templates, config.organisation), now)
    except (ConfigError, SendError, MailError) as error:
        return _fault(error)
    return Fault()


def look_at(channel: Channel) -> Fault:
    """What is wrong with a channel as far as can be told without sending anything."""
    try:
        where = target(channel)
        if where.webhook:
            parts = urlsplit(where.webhook)
            webhook.resolve(parts.hostname or "", parts.port or 443, own_network=where.own_network)
        else:
            chat.look_at(where)
    except (ConfigError, SendError) as error:
        return _fault(error)
    return Fault()


def _fault(error: ConfigError | SendError | MailError) -> Fault:
    text = Reason(str(error)) if isinstance(error, ConfigError) else error.text
    return Fault(text, error.remedy if isinstance(error, SendError) else NONE)


def event(kind: str) -> str:
    """What `[[channel]] on` calls a kind of mail to admins."""
    return "detection" if kind == "notice" else kind


def chat_message(row: Mail, templates: Templates) -> ChatMessage:
    """A title and a few lines. Raises MailError."""
    rendered = _rendered(row, templates)
    spoken = language(row.language)
    context = RenderContext(spoken, templates, admin=True)
    facts = view(row.facts, context)
    if row.kind == "digest":
        facts["mails"] = [{"subject": line(one.get("subject", ""))} for one in row.facts.get("mails", ())]
    if row.kind == "reminder":
        facts["mails"] = [{"subject": one} for one in _waiting(row.facts)]
    if row.kind == "weekly":
        numbers = overviews.numbers_of_week(row.facts, context)
        facts["mails"] = [{"subject": f"{name}{context._(':')} {value}"} for name, value in numbers]
    filled = templates.render("chat.txt", spoken, facts).strip()
    lines = [_unmentioned(text(filled, TEXT_LIMIT)), facts["ticket_url"] or ""]
    return ChatMessage(
        _unmentioned(rendered.subject),
        "\n".join(filter(None, lines)) or rendered.subject,
        TONES.get(row.kind, "info"),
    )


def webhook_body(row: Mail, templates: Templates) -> bytes:
    """JSON: what became known (`type`), when, and the facts. Raises MailError."""
    rendered = _rendered(row, templates)
    said = {
        "type": event(row.kind),
        "id": row.message_id,
        "timestamp": _moment(row.created_at),
        "subject": rendered.subject,
        "data": _data(row.facts),
    }
    return json.dumps(said, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")


def _rendered(row: Mail, templates: Templates) -> RenderedMail:
    return mail.write(row.kind, row.facts, audience="admin", spoken=row.language, templates=templates)


def _data(facts: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {key: facts[key] for key in _AS_THEY_ARE if key in facts}
    found |= {key: _moment(facts[key]) for key in _MOMENTS if key in facts}
    found |= {key: facts[key] and line(facts[key]) for key in _TEXTS if key in facts}
    if "message" in facts:
        found["message"] = text(facts["message"] or "")
    if "ticket_url" in facts:
        found["ticket_url"] = web_address(facts["ticket_url"])
    for key in ("url", "metrics_url"):
        if key in facts:
            found[key] = web_address(facts[key])
    for key in ("tickets", "watches", "held", "top", "days"):
        if key in facts:
            found[key] = [_data(one) for one in facts[key]]
    if "mails" in facts:
        found["events"] = [_item(one) for one in facts["mails"]]
    return found


def _item(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": event(str(one.get("kind"))),
        "ticket_id": one.get("ticket_id"),
        "subject": line(one.get("subject", "")),
        "timestamp": _moment(one.get("created_at")),
        "ticket_url": web_address(one.get("ticket_url")),
    }


def _waiting(facts: Mapping[str, Any]) -> list[str]:
    """A line for each of what a reminder names."""
    found = [one for key in ("tickets", "watches", "held") for one in facts.get(key, ())]
    return [line(f"#{one.get('ticket_id')} {one.get('title')}") for one in found]


def _moment(at: Any) -> str | None:
    return datetime.fromtimestamp(at, UTC).isoformat() if isinstance(at, int | float) else None


def _unmentioned(text: str) -> str:
    """Without anything that a chat takes for a call of everybody or for a link: `@here`, `<!channel>`."""
    return text.replace("@", "@\u2060").replace("<", "<\u2060")
