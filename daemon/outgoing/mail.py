"""The mails: one function for each, from facts to a letter, and the letter's way into a message.

Facts are data from outside: they are shortened, lose control characters, and never become a template,
a header or a link of their own. Does not decide whether to mail, and sends nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Any

from tocsin.daemon import mail_address as addresses
from tocsin.daemon.language import Language, language
from tocsin.daemon.outgoing import headers
from tocsin.daemon.outgoing.templating import Templates
from tocsin.daemon.store.models import Mail

SUBJECT_LIMIT = 180
LINE_LIMIT = 300
TEXT_LIMIT = 4000
DIGEST_LIMIT = 100
"""Mails a digest names; it says how many more there are."""
UNTOLD_LIMIT = 10

ACCENTS = {"alarm": "#b42318", "good": "#067647", "info": "#175cd3", "caution": "#b54708"}

Facts = Mapping[str, Any]


class MailError(Exception):
    """The mail cannot be written; trying again does not help."""


@dataclass(frozen=True)
class RenderedMail:
    """What a reader gets: one line of subject, the same content as plain text and as HTML."""

    subject: str
    text: str
    html: str


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

    def letter(self, name: str, facts: Facts, subject: str, tone: str, **more: Any) -> RenderedMail:
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


def detection(facts: Facts, voice: RenderContext) -> RenderedMail:
    """To the client: an error keeps happening, a ticket is open; or somebody opened one by hand."""
    manually = bool(facts.get("manual"))
    subject = voice._("A ticket was opened for you") if manually else voice._("Error detected on your site")
    return voice.letter("detection", facts, voice.ticket(facts, subject), "info" if manually else "alarm")


def notice(facts: Facts, voice: RenderContext) -> RenderedMail:
    """To the admin: a ticket was opened."""
    if facts.get("manual"):
        said = voice._("Ticket opened by hand: %(title)s", title=_of(facts, "title"))
        return voice.letter("notice", facts, voice.ticket(facts, said), "info")
    said = voice._(
        "New error in %(service)s: %(title)s", service=_service(facts, voice), title=_of(facts, "title")
    )
    return voice.letter("notice", facts, voice.ticket(facts, said), "alarm")


def validated(facts: Facts, voice: RenderContext) -> RenderedMail:
    """To the admin: a correction passed its tests."""
    subject = voice.ticket(facts, voice._("Correction validated by its tests"))
    return voice.letter("validated", facts, subject, "info", **_correction(facts, voice))


def validation_failed(facts: Facts, voice: RenderContext) -> RenderedMail:
    """To the admin: a correction failed its tests; the ticket does not close by itself."""
    subject = voice.ticket(facts, voice._("Correction failed its tests"))
    return voice.letter("validation_failed", facts, subject, "alarm", **_correction(facts, voice))


def reappeared(facts: Facts, voice: RenderContext) -> RenderedMail:
    """To the admin: the error came back during the watch, which starts again."""
    subject = voice.ticket(facts, voice._("The error came back during the watch"))
    return voice.letter("reappeared", facts, subject, "caution", **_reappearance(facts))


def reopened(facts: Facts, voice: RenderContext) -> RenderedMail:
    """To client and admin: the error came back after closing."""
    subject = voice.ticket(facts, voice._("Incident reopened"))
    return voice.letter("reopened", facts, subject, "alarm", **_reappearance(facts))


def closing(facts: Facts, voice: RenderContext) -> RenderedMail:
    """To client and admin: the ticket is closed, and on what evidence."""
    evidence = facts.get("evidence", "manual")
    more = {
        "resolution": facts.get("resolution", "manual"),
        "evidence": evidence,
        "quiet_since": None if evidence == "manual" else _moment(facts.get("quiet_since")),
        "corrections": int(facts.get("corrections") or 0),
        "verified_by_tests": bool(facts.get("verified_by_tests")),
        "chance": facts.get("chance"),
        "watched": _watched(facts, voice),
    }
    subject, heading, preheader = _closed(str(more["resolution"]), facts, voice)
    more |= {"heading": heading, "preheader": preheader}
    return voice.letter("closing", facts, voice.ticket(facts, subject), "good", **more)


def _closed(resolution: str, facts: Facts, voice: RenderContext) -> tuple[str, str, str]:
    """Subject, heading and first glimpse: mere silence resolves nothing, and a person may close anything."""
    service = _service(facts, voice)
    if resolution == "corrected":
        said = voice._("The error in %(service)s is resolved.", service=service)
        return voice._("Incident resolved ✅"), voice._("The incident is resolved"), said
    if resolution == "no_reappearance":
        heading = voice._("The incident no longer occurs")
        return heading, heading, voice._("The error in %(service)s no longer occurs.", service=service)
    heading = voice._("The ticket is closed")
    return heading, heading, voice._("Our team has closed the ticket.")


def inconclusive(facts: Facts, voice: RenderContext) -> RenderedMail:
    """To the admin: the application was not seen alive, so its silence proves nothing."""
    more = {
        "unseen_since": _moment(facts.get("unseen_since")) or _moment(facts.get("created_at")) or 0.0,
        "seen_seconds": float(facts.get("seen_seconds") or 0.0),
    }
    subject = voice.ticket(facts, voice._("The watch proves nothing: application not seen"))
    return voice.letter("inconclusive", facts, subject, "caution", **more)


def old_code(facts: Facts, voice: RenderContext) -> RenderedMail:
    """To the admin: a process from before the correction still runs."""
    more = {**_reappearance(facts), "session": line(facts.get("session", ""))}
    return voice.letter(
        "old_code", facts, voice.ticket(facts, voice._("Old code is still running")), "caution", **more
    )


def reminder(facts: Facts, voice: RenderContext) -> RenderedMail:
    """To the admin: what waits for somebody, since long."""
    parts = [
        _part(facts, "tickets", voice._("Open tickets that nobody touched"),
              voice._("Correct the error, or close the ticket by hand.")),
        _part(facts, "watches", voice._("Watches that prove nothing"),
              voice._("Start the application again, or close the ticket by hand.")),
        _part(facts, "held", voice._("Mails to clients that wait for your release"),
              voice._("tocsin mail outbox shows them, and releases or drops them.")),
    ]  # fmt: skip
    parts = [part for part in parts if part["entries"]]
    total = sum(len(part["entries"]) + part["more"] for part in parts)
    said = voice.language.ngettext("%(num)s thing waits for you", "%(num)s things wait for you", total)
    summary = said % {"num": voice.language.number(total)}
    return voice.letter("reminder", facts, f"[Tocsin] {summary}", "caution", parts=parts, summary=summary)


def more_frequent(facts: Facts, voice: RenderContext) -> RenderedMail:
    """To the admin: an open error comes much more often than it did."""
    subject = voice.ticket(facts, voice._("Much more frequent: %(title)s", title=_of(facts, "title")))
    rates = {name: _rate(facts.get(f"{name}_rate"), voice) for name in ("usual", "recent")}
    return voice.letter("more_frequent", facts, subject, "alarm", **rates)


def digest(facts: Facts, voice: RenderContext) -> RenderedMail:
    """To anyone: many mails in one. `mails` is a list of `digest_item`s, `total` how many there were."""
    mails = [_digest_line(item) for item in facts.get("mails", ())][:DIGEST_LIMIT]
    total = max(int(facts.get("total") or 0), len(mails))
    said = voice.language.ngettext(
        "%(num)s message about your tickets", "%(num)s messages about your tickets", total
    )
    summary = said % {"num": voice.language.number(total)}
    more = {"mails": mails, "more": total - len(mails), "summary": summary}
    return voice.letter("digest", facts, f"[Tocsin] {summary}", "info", **more)


def test(facts: Facts, voice: RenderContext) -> RenderedMail:
    """To whoever asked for it with `tocsin mail test`."""
    subject = voice._("Test mail")
    return voice.letter("test", facts, f"[Tocsin] {subject}", "info")


KINDS: dict[str, Callable[[Facts, RenderContext], RenderedMail]] = {
    function.__name__: function
    for function in (detection, notice, validated, validation_failed, reappeared, reopened, closing,
                     inconclusive, old_code, reminder, more_frequent, digest, test)
}  # fmt: skip


def write(kind: str, facts: Facts, *, audience: str, spoken: str, templates: Templates) -> RenderedMail:
    """The letter of that kind. Raises MailError when there is no such kind or its facts are unusable."""
    if kind not in KINDS:
        raise MailError(f"no mail is called {line(kind, 60)!r}")
    voice = RenderContext(language(spoken), templates, admin=audience == "admin")
    try:
        return KINDS[kind](facts, voice)
    except Exception as error:  # facts are data: whatever they hold, only this mail is lost, and visibly
        raise MailError(f"the mail cannot be written: {type(error).__name__}: {error}") from error


def digest_item(mail: Mail, templates: Templates) -> dict[str, Any]:
    """What a digest says of one mail."""
    letter = write(mail.kind, mail.facts, audience=mail.audience, spoken=mail.language, templates=templates)
    return {
        "kind": mail.kind,
        "subject": letter.subject,
        "ticket_id": mail.ticket_id,
        "created_at": mail.created_at,
        "title": _of(mail.facts, "title") if mail.audience == "admin" or mail.facts.get("manual") else "",
        "ticket_url": mail.facts.get("ticket_url"),
    }


def compose(mail: Mail, *, sender: str, root: Mail | None, now: float, templates: Templates) -> EmailMessage:
    """The message of an outbox row. `root` is the first mail of its conversation, when that is another one.

    Raises MailError when the recipient is no mail address or the facts are unusable.
    """
    letter = write(mail.kind, mail.facts, audience=mail.audience, spoken=mail.language, templates=templates)
    name, address = parseaddr(sender)
    address = mail_address(address)
    domain = address.rpartition("@")[2]
    message = EmailMessage(policy=headers.WIRE)
    message["Subject"] = headers.subject(letter.subject)
    message["From"] = _mailbox(address, line(name, 100) or "Tocsin")
    message["To"] = _mailbox(mail_address(mail.recipient))
    message["Date"] = format_datetime(datetime.fromtimestamp(now, UTC))
    message["Message-ID"] = f"<{mail.message_id}@{domain}>"
    if root is not None:
        message["In-Reply-To"] = message["References"] = f"<{root.message_id}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message["List-Id"] = f"Tocsin <tocsin.{domain}>"
    message.set_content(letter.text, cte="quoted-printable")
    message.add_alternative(letter.html, subtype="html", cte="quoted-printable")
    message["Content-Language"] = language(mail.language).code
    return message


def _mailbox(address: str, name: str = "") -> Address:
    local, _, domain = address.rpartition("@")
    return Address(display_name=headers.display_name(name), username=local, domain=domain)


def mail_address(text: str) -> str:
    """The address as mail servers want it. Raises MailError when it is none."""
    try:
        return addresses.mail_address(line(text, 1000))
    except ValueError as error:
        raise MailError(f"{line(text, 100)!r} is not a mail address: {error}") from None


def line(value: object, limit: int = LINE_LIMIT) -> str:
    """One harmless line of at most `limit` characters: no control, format, line or surrogate characters."""
    return _short(" ".join(_printable(str(value)[: limit * 8], "").split()), limit)


def text(value: object, limit: int = TEXT_LIMIT) -> str:
    """Harmless text; line ends are kept as `\\n`."""
    lines = re.split(r"\r\n|[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]", str(value)[: limit * 2])
    return _short("\n".join(_printable(one, "\t").rstrip() for one in lines), limit).strip("\n")


def view(facts: Facts, voice: RenderContext) -> dict[str, Any]:
    """What templates see of the common facts, cleaned and put into words."""
    spoken = voice.language
    seen = {
        key: _of(facts, key)
        for key in ("service", "environment", "title", "source", "function", "client_name")
    }
    count = int(facts.get("occurrences") or 0)
    client = " ".join(
        filter(None, (seen["client_name"], f"({line(facts['client_id'])})" if facts.get("client_id") else ""))
    )
    place = ":".join(filter(None, (seen["source"], str(facts.get("line") or "")))) if seen["source"] else ""
    created_at = _moment(facts.get("created_at")) or 0.0
    return {
        **seen,
        "service": _service(facts, voice),
        "what_happened": _what_happened(facts, voice),
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
        "untold": _names(facts, "untold"),
        "strangers": _names(facts, "unknown_clients"),
        "priority_name": _priority(facts, voice),
        "created_at": created_at,
        "first_seen": _moment(facts.get("first_seen")) or created_at,
        "last_seen": _moment(facts.get("last_seen")) or created_at,
    }


def web_address(url: object) -> str | None:
    """The URL when it is one a mail may link to: http or https, nothing that ends an attribute."""
    if isinstance(url, str) and re.fullmatch(r"https?://[^\s\"'<>\x00-\x20\x7f]{1,2000}", url):
        return url
    return None


def _service(facts: Facts, voice: RenderContext) -> str:
    return _of(facts, "service") or voice._("your site")


def _what_happened(facts: Facts, voice: RenderContext) -> str:
    """In words for who reads: an error's title is a class and a masked value, nothing to a client."""
    if voice.admin or facts.get("manual"):
        return _of(facts, "title")
    return voice._("A technical error in %(service)s", service=_service(facts, voice))


def _names(facts: Facts, key: str) -> str:
    """The clients who could not be told, or names that are no client's, as one line."""
    names = [line(name, 60) for name in facts.get(key, ())]
    rest = f", … (+{len(names) - UNTOLD_LIMIT})" if len(names) > UNTOLD_LIMIT else ""
    return ", ".join(names[:UNTOLD_LIMIT]) + rest


def _priority(facts: Facts, voice: RenderContext) -> str:
    names = {
        "low": voice._("low"),
        "medium": voice._("medium"),
        "high": voice._("high"),
        "critical": voice._("critical"),
    }
    return names.get(str(facts.get("priority")), _of(facts, "priority"))


def _correction(facts: Facts, voice: RenderContext) -> dict[str, Any]:
    names = {"passed": voice._("passed"), "failed": voice._("failed"), "pending": voice._("pending")}
    return {
        "applied_by": _of(facts, "applied_by"),
        "description": text(facts.get("description") or "", 1000),
        "file_path": _of(facts, "file_path"),
        "test_status_name": names.get(str(facts.get("test_status")), _of(facts, "test_status")),
    }


def _reappearance(facts: Facts) -> dict[str, Any]:
    again = _moment(facts.get("reappeared_at")) or _moment(facts.get("last_seen")) or 0.0
    return {"reappeared_at": again, "late": bool(facts.get("late"))}


def _watched(facts: Facts, voice: RenderContext) -> str:
    """How long the error was watched and, where that counts, how long the application was seen alive."""
    watched = voice.language.duration(float(facts.get("watched_seconds") or 0.0))
    if facts.get("evidence") != "seen":
        return voice._("It was watched for %(watched)s: no reappearance.", watched=watched)
    seen = voice.language.duration(float(facts.get("seen_seconds") or 0.0))
    return voice._(
        "It was watched for %(watched)s, and the application was seen alive for %(seen)s of it: "
        "no reappearance.",
        watched=watched,
        seen=seen,
    )


def _part(facts: Facts, key: str, heading: str, remedy: str) -> dict[str, Any]:
    """One kind of what waits, each entry with since when."""
    entries = [
        {
            "text": " ".join(filter(None, [_number(one), _of(one, "title") or _of(one, "kind")])),
            "since": _moment(one.get("since")) or 0.0,
            "url": web_address(one.get("ticket_url")),
        }
        for one in facts.get(key, ())
    ]
    more = max(0, int(facts.get(f"{key}_total") or 0) - len(entries))
    return {"heading": heading, "remedy": remedy, "entries": entries, "more": more}


def _number(item: Facts) -> str:
    """Which ticket, and for whom."""
    ticket = f"#{line(item['ticket_id'], 20)}" if item.get("ticket_id") else ""
    return " ".join(filter(None, [ticket, _of(item, "recipient"), _of(item, "service")]))


def _rate(value: object, voice: RenderContext) -> str:
    """Occurrences an hour: whole above ten, two digits below."""
    rate = _moment(value) or 0.0
    return voice.language.number(round(rate) if rate >= 10 else float(f"{rate:.2g}"))


def _digest_line(item: Facts) -> dict[str, Any]:
    subject, title = line(item.get("subject", ""), SUBJECT_LIMIT), _of(item, "title")
    return {
        "subject": subject,
        "title": "" if title in subject else title,
        "created_at": _moment(item.get("created_at")) or 0.0,
        "ticket_url": web_address(item.get("ticket_url")),
    }


def _of(facts: Facts, key: str) -> str:
    value = facts.get(key)
    return "" if value is None else line(value)


def _moment(value: object) -> float | None:
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
