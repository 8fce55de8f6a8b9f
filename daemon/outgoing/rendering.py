"""A mail's facts put into words for its reader, and filled into templates.

Facts are data from outside: they are shortened, lose control characters, and never become a template,
a header or a link of their own.
"""

from __future__ import annotations

import re
import unicodedata
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tocsin.daemon.language import Language
from tocsin.daemon.outgoing.templating import Templates
from tocsin.daemon.reason import Reason
from tocsin.daemon.ticket_wording import client_title

SUBJECT_LIMIT = 180
LINE_LIMIT = 300
TEXT_LIMIT = 4000
UNTOLD_LIMIT = 10
LOGO = "logo@tocsin"
"""Content-ID of the organisation's logo, as the HTML part names it."""

ACCENTS = {"alarm": "#b42318", "good": "#067647", "info": "#175cd3", "caution": "#b54708"}

Facts = Mapping[str, Any]


class MailError(Exception):
    """The mail cannot be written; trying again does not help."""

    def __init__(self, text: Reason) -> None:
        super().__init__(text)
        self.text = text


@dataclass(frozen=True)
class RenderedMail:
    """What a reader gets: one line of subject, the same content as plain text and as HTML."""

    subject: str
    text: str
    html: str
    pictures: dict[str, bytes] = field(default_factory=dict)
    """Content-ID -> PNG, shown by the HTML as `cid:...`."""

    @property
    def page(self) -> str:
        """The HTML with its pictures in it, for a browser."""
        page = self.html
        for name, png in self.pictures.items():
            page = page.replace(f"cid:{name}", f"data:image/png;base64,{b64encode(png).decode('ascii')}")
        return page


@dataclass(frozen=True)
class RenderContext:
    """Who is spoken to, in which language, with whose templates."""

    language: Language
    templates: Templates
    admin: bool

    def _(self, text: str, **values: str) -> str:
        """A text of ours in the reader's language; the values are data."""
        said = self.language.gettext(text)
        return said % values if values else said

    def render(self, name: str, facts: Facts, subject: str, tone: str, **more: Any) -> RenderedMail:
        """Fills the templates `name.txt` and `name.html`."""
        values = {**view(facts, self), **more, "admin": self.admin, "language": self.language.code}
        subject = line(subject, SUBJECT_LIMIT)
        values.update(subject=subject, tone=tone, accent=ACCENTS[tone])
        text = self.templates.render(f"{name}.txt", self.language, values)
        html = self.templates.render(f"{name}.html", self.language, values)
        return RenderedMail(subject, re.sub(r"\n{3,}", "\n\n", text).strip("\n") + "\n", html.strip() + "\n")

    def ticket(self, facts: Facts, subject: str) -> str:
        said = self._("Ticket #%(id)s", id=line(facts.get("ticket_id", ""), 20))
        return f"[{said}] {subject}"


def view(facts: Facts, context: RenderContext) -> dict[str, Any]:
    """What templates see of the common facts, cleaned and put into words."""
    spoken = context.language
    seen = {
        key: value(facts, key)
        for key in ("service", "environment", "title", "source", "function", "client_name")
    }
    count = int(facts.get("occurrences") or 0)
    client = " ".join(
        filter(None, (seen["client_name"], f"({line(facts['client_id'])})" if facts.get("client_id") else ""))
    )
    place = ":".join(filter(None, (seen["source"], str(facts.get("line") or "")))) if seen["source"] else ""
    created_at = epoch(facts.get("created_at")) or 0.0
    organisation = context.templates.organisation
    return {
        **seen,
        "service": service_name(facts, context),
        "has_service": bool(seen["service"]),
        "organisation": line(organisation.name, 100),
        "site": web_address(organisation.site),
        "footer": _footer(context),
        "logo": LOGO if organisation.logo and not context.admin else "",
        "what_happened": what_happened(facts, context),
        "ticket_id": line(facts.get("ticket_id", ""), 20),
        "error_id": facts.get("error_id"),
        "ticket_url": web_address(facts.get("ticket_url")),
        "message": text(facts.get("message") or ""),
        "client": client,
        "place": f"{place} ({seen['function']})" if place and seen["function"] else place,
        "occurrences": count,
        "times": spoken.ngettext("%(num)s time", "%(num)s times", count) % {"num": spoken.number(count)},
        "threshold": int(facts.get("threshold") or 1),
        "window": float(facts.get("window") or 0.0),
        "watch_seconds": float(facts.get("watch_seconds") or 0.0),
        "manual": bool(facts.get("manual")),
        "calls": _calls(facts) if context.admin else "",
        "untold": _names(facts, "untold"),
        "strangers": _names(facts, "unknown_clients"),
        "priority_name": _priority(facts, context),
        "created_at": created_at,
        "first_seen": epoch(facts.get("first_seen", created_at)),
        "last_seen": epoch(facts.get("last_seen", created_at)),
    }


def service_name(facts: Facts, context: RenderContext) -> str:
    return value(facts, "service") or context._("your application")


def what_happened(facts: Facts, context: RenderContext) -> str:
    """In words for who reads: an error's title is a class and a masked value, nothing to a client."""
    if context.admin:
        return value(facts, "title")
    said = client_title(
        str(facts.get("subject") or ""),
        str(facts.get("client_text") or ""),
        value(facts, "service"),
        context.language,
    )
    return line(said)


def _calls(facts: Facts) -> str:
    """The last calls of the application's own code as a traceback has them."""
    lines = []
    for location, function, source in facts.get("frames", ()):
        lines += [f"{line(location)} in {line(function, 200)}", *([f"    {line(source)}"] if source else [])]
    return "\n".join(lines)


def _footer(context: RenderContext) -> str:
    """Why a client gets this mail, and whether it may be answered."""
    organisation = context.templates.organisation
    name = line(organisation.name, 100)
    said = (
        context._("You get this mail because %(name)s looks after your applications.", name=name)
        if name
        else context._("You get this mail because we look after your applications.")
    )
    written = context._("It was written automatically.")
    answer = context._("You can simply answer it.") if organisation.reply_to else ""
    return " ".join(filter(None, (said, written, answer)))


def _names(facts: Facts, key: str) -> str:
    """The clients who could not be told, or names that are no client's, as one line."""
    names = [line(name, 60) for name in facts.get(key, ())]
    rest = f", … (+{len(names) - UNTOLD_LIMIT})" if len(names) > UNTOLD_LIMIT else ""
    return ", ".join(names[:UNTOLD_LIMIT]) + rest


def _priority(facts: Facts, context: RenderContext) -> str:
    names = {
        "low": context._("low"),
        "medium": context._("medium"),
        "high": context._("high"),
        "critical": context._("critical"),
    }
    return names.get(str(facts.get("priority")), value(facts, "priority"))


def line(value: object, limit: int = LINE_LIMIT) -> str:
    """One harmless line of at most `limit` characters: no control, format, line or surrogate characters."""
    return _short(" ".join(_printable(str(value)[: limit * 8], "").split()), limit)


def text(value: object, limit: int = TEXT_LIMIT) -> str:
    """Harmless text; line ends are kept as `\\n`."""
    lines = re.split(r"\r\n|[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]", str(value)[: limit * 2])
    return _short("\n".join(_printable(one, "\t").rstrip() for one in lines), limit).strip("\n")


def web_address(url: object) -> str | None:
    """The URL when it is one a mail may link to: http or https, nothing that ends an attribute."""
    if isinstance(url, str) and re.fullmatch(r"https?://[^\s\"'<>\x00-\x20\x7f]{1,2000}", url):
        return url
    return None


def value(facts: Facts, key: str) -> str:
    value = facts.get(key)
    return "" if value is None else line(value)


def epoch(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _printable(value: str, keep: str) -> str:
    """Without control, format (direction marks, zero width), surrogate and private characters."""
    kept = []
    for character in value:
        category = unicodedata.category(character)
        if character in keep or (category[0] != "C" and category not in ("Zl", "Zp")):
            kept.append(character)
        elif category == "Cs":
            kept.append("\N{REPLACEMENT CHARACTER}")
        elif category != "Cf" or character == "\u200d":
            kept.append(" " if category != "Cf" else character)
    return "".join(kept)


def _short(value: str, limit: int) -> str:
    return value if len(value) <= limit else value[: limit - 1].rstrip() + "…"
