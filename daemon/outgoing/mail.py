"""The mails: one function for each, from facts to what its reader gets.

Does not decide whether to mail, and sends nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tocsin.daemon.language import language
from tocsin.daemon.outgoing import overviews
from tocsin.daemon.outgoing.edited import edited
from tocsin.daemon.outgoing.rendering import (
    SUBJECT_LIMIT,
    Facts,
    MailError,
    RenderContext,
    RenderedMail,
    epoch,
    line,
    service_name,
    text,
    value,
    web_address,
    what_happened,
)
from tocsin.daemon.outgoing.templating import Templates
from tocsin.daemon.reason import Reason
from tocsin.daemon.store.models import Mail
from tocsin.daemon.ticket_wording import not_known, runs, waiting

DIGEST_LIMIT = 100
"""Mails a digest names; it says how many more there are."""
MESSAGE_LIMIT = 20_000
"""Characters of a message that its mail holds: all that one may have."""


def detection(facts: Facts, context: RenderContext) -> RenderedMail:
    """To the client: an error keeps happening, a ticket is open; or somebody opened one by hand."""
    service = service_name(facts, context)
    if facts.get("manual"):
        heading, tone = context._("A ticket was opened for you"), "info"
        subject = glimpse = value(facts, "subject") or heading
    elif facts.get("service_kind") == "batch":
        subject, tone = context._("Error detected in %(service)s", service=service), "alarm"
        heading = context._("An error was detected in %(service)s", service=service)
    else:
        subject, tone = context._("Error detected on your site"), "alarm"
        heading = context._("An error was detected on your site")
    if not facts.get("manual"):
        glimpse = context._("An error keeps happening in %(service)s; we are on it.", service=service)
        subject = value(facts, "subject") or subject
    return context.render(
        "detection", facts, context.ticket(facts, subject), tone, heading=heading, preheader=glimpse
    )


def notice(facts: Facts, context: RenderContext) -> RenderedMail:
    """To the admin: a ticket was opened."""
    if facts.get("by_client"):
        who = _client_name(facts, context)
        said = context._("%(client)s has opened a ticket: %(title)s", client=who, title=value(facts, "title"))
        return context.render("notice", facts, context.ticket(facts, said), "info", by_client=True, who=who)
    if facts.get("manual"):
        said = context._("Ticket opened by hand: %(title)s", title=value(facts, "title"))
        return context.render("notice", facts, context.ticket(facts, said), "info", by_client=False, who="")
    said = context._(
        "New error in %(service)s: %(title)s",
        service=service_name(facts, context),
        title=value(facts, "title"),
    )
    return context.render("notice", facts, context.ticket(facts, said), "alarm", by_client=False, who="")


def received(facts: Facts, context: RenderContext) -> RenderedMail:
    """To the client: the ticket that it wrote has arrived."""
    said = context._("We have received your ticket: %(subject)s", subject=value(facts, "subject"))
    return context.render("received", facts, context.ticket(facts, said), "info")


def message(facts: Facts, context: RenderContext) -> RenderedMail:
    """To the client: the team has written to it on its ticket; to the admin: the client has."""
    who = _client_name(facts, context)
    about = what_happened(facts, context)
    if context.admin:
        said = context._("%(client)s has written: %(title)s", client=who, title=about)
    else:
        said = context._("Message about: %(subject)s", subject=about)
    written = text(facts.get("text") or "", MESSAGE_LIMIT)
    return context.render("message", facts, context.ticket(facts, said), "info", who=who, written=written)


def _client_name(facts: Facts, context: RenderContext) -> str:
    return value(facts, "client_name") or value(facts, "client_id") or context._("The client")


def validated(facts: Facts, context: RenderContext) -> RenderedMail:
    """To the admin: a correction passed its tests."""
    subject = context.ticket(facts, context._("Correction validated by its tests"))
    return context.render("validated", facts, subject, "info", **_correction(facts, context))


def validation_failed(facts: Facts, context: RenderContext) -> RenderedMail:
    """To the admin: a correction failed its tests; the ticket does not close by itself."""
    subject = context.ticket(facts, context._("Correction failed its tests"))
    return context.render("validation_failed", facts, subject, "alarm", **_correction(facts, context))


def reappeared(facts: Facts, context: RenderContext) -> RenderedMail:
    """To the admin: the error came back during the watch, which starts again."""
    subject = context.ticket(facts, context._("The error came back during the watch"))
    return context.render("reappeared", facts, subject, "caution", **_reappearance(facts))


def reopened(facts: Facts, context: RenderContext) -> RenderedMail:
    """To client and admin: the error came back after closing, or somebody opened the ticket again."""
    by_hand = bool(facts.get("by_hand"))
    said = context._("Ticket reopened") if by_hand else context._("Incident reopened")
    if by_hand:
        glimpse = context._("Our team has opened the ticket again.")
    else:
        service = service_name(facts, context)
        glimpse = context._("The error in %(service)s came back; we are on it again.", service=service)
    more = {
        **_reappearance(facts),
        "by_hand": by_hand,
        "note": text(facts.get("client_note") or ""),
        "preheader": glimpse,
    }
    return context.render(
        "reopened", facts, context.ticket(facts, said), "info" if by_hand else "alarm", **more
    )


def closing(facts: Facts, context: RenderContext) -> RenderedMail:
    """To client and admin: the ticket is closed, and on what evidence."""
    evidence = facts.get("evidence", "manual")
    more = {
        "resolution": facts.get("resolution", "manual"),
        "evidence": evidence,
        "quiet_since": None if evidence == "manual" else epoch(facts.get("quiet_since")),
        "corrections": int(facts.get("corrections") or 0),
        "verified_by_tests": bool(facts.get("verified_by_tests")),
        "chance": facts.get("chance"),
        "watched": _watched(facts, context),
        "note": text(facts.get("client_note") or ""),
        "runs": line(runs(facts.get("runs"), context.language), 1000),
        "missing": line(not_known(facts, context.language), 1000),
    }
    subject, heading, preheader = _closed(str(more["resolution"]), facts, context)
    more |= {"heading": heading, "preheader": preheader}
    return context.render("closing", facts, context.ticket(facts, subject), "good", **more)


def _closed(resolution: str, facts: Facts, context: RenderContext) -> tuple[str, str, str]:
    """Subject, heading and first glimpse: mere silence resolves nothing, and a person may close anything."""
    service = service_name(facts, context)
    if resolution == "corrected":
        said = context._("The error in %(service)s is resolved.", service=service)
        return context._("Incident resolved ✅"), context._("The incident is resolved"), said
    if resolution == "no_reappearance":
        heading = context._("The incident no longer occurs")
        return heading, heading, context._("The error in %(service)s no longer occurs.", service=service)
    heading = context._("The ticket is closed")
    return heading, heading, context._("Our team has closed the ticket.")


def ready(facts: Facts, context: RenderContext) -> RenderedMail:
    """To the admin: nothing speaks against closing the ticket any more, which a person does."""
    more = {"watched": _watched(facts, context), "chance": facts.get("chance")}
    subject = context.ticket(facts, context._("Ready to be closed"))
    return context.render("ready", facts, subject, "good", **more)


def inconclusive(facts: Facts, context: RenderContext) -> RenderedMail:
    """To the admin: the silence proves nothing: the application was not seen alive, or what else is missing."""
    missing = facts.get("waiting") or {}
    kind = missing.get("kind")
    idle = line(missing.get("name", "")) if kind == "not_exercised" else ""
    known = kind not in (None, "not_exercised", "seen_alive", "duration")
    more = {
        "idle": idle,
        "waits_for": line(waiting(missing, context.language), 300) if known else "",
        "quiet_since": epoch(facts.get("quiet_since")) or epoch(facts.get("created_at")) or 0.0,
        "unseen_since": epoch(facts.get("unseen_since")) or epoch(facts.get("created_at")) or 0.0,
        "seen_seconds": float(facts.get("seen_seconds") or 0.0),
    }
    if idle:
        said = context._("Not exercised yet: the code has not run")
    elif known:
        said = context._("The watch proves nothing yet")
    else:
        said = context._("The watch proves nothing: application not seen")
    subject = context.ticket(facts, said)
    return context.render("inconclusive", facts, subject, "caution", **more)


def old_code(facts: Facts, context: RenderContext) -> RenderedMail:
    """To the admin: a process from before the correction still runs."""
    more = {**_reappearance(facts), "session": line(facts.get("session", ""))}
    return context.render(
        "old_code", facts, context.ticket(facts, context._("Old code is still running")), "caution", **more
    )


def digest(facts: Facts, context: RenderContext) -> RenderedMail:
    """To anyone: many mails in one. `mails` is a list of `digest_item`s, `total` how many there were."""
    mails = [_digest_line(item) for item in facts.get("mails", ())][:DIGEST_LIMIT]
    total = max(int(facts.get("total") or 0), len(mails))
    said = context.language.ngettext(
        "%(num)s message about your tickets", "%(num)s messages about your tickets", total
    )
    summary = said % {"num": context.language.number(total)}
    more = {"mails": mails, "more": total - len(mails), "summary": summary}
    return context.render("digest", facts, f"[Tocsin] {summary}", "info", **more)


def access(facts: Facts, context: RenderContext) -> RenderedMail:
    """To whoever asked for it on the console: the link by which one signs in, or sets a new password."""
    new_password = facts.get("purpose") == "password"
    subject = context._("Set a new password") if new_password else context._("Your link to sign in")
    minutes = str(int(float(facts.get("lasts") or 0.0) // 60))
    return context.render(
        "access", facts, f"[Tocsin] {subject}", "info", url=web_address(facts.get("url")),
        new_password=new_password, minutes=minutes,
    )  # fmt: skip


def test(facts: Facts, context: RenderContext) -> RenderedMail:
    """To whoever asked for it with `tocsin mail test`."""
    subject = context._("Test mail")
    return context.render("test", facts, f"[Tocsin] {subject}", "info")


KINDS: dict[str, Callable[[Facts, RenderContext], RenderedMail]] = {
    function.__name__: function
    for function in (detection, received, message, notice, validated, validation_failed, reappeared, reopened,
                     closing, ready, inconclusive, old_code, overviews.reminder, overviews.more_frequent,
                     overviews.weekly, digest, access, test)
}  # fmt: skip


def write(kind: str, facts: Facts, *, audience: str, spoken: str, templates: Templates) -> RenderedMail:
    """The mail of that kind. Raises MailError when there is no such kind or its facts are unusable."""
    if kind not in KINDS:
        raise MailError(Reason("no mail is called '%(kind)s'", kind=line(kind, 60)))
    zone = facts.get("timezone") or templates.organisation.timezone
    context = RenderContext(language(spoken, zone), templates, admin=audience == "admin")
    try:
        return edited(facts, context) or KINDS[kind](facts, context)
    except Exception as error:  # facts are data: whatever they hold, only this mail is lost, and visibly
        reason = Reason("the mail cannot be written: %(error)s", error=f"{type(error).__name__}: {error}")
        raise MailError(reason) from error


def digest_item(mail: Mail, templates: Templates) -> dict[str, Any]:
    """What a digest says of one mail."""
    rendered = write(mail.kind, mail.facts, audience=mail.audience, spoken=mail.language, templates=templates)
    context = RenderContext(language(mail.language), templates, admin=mail.audience == "admin")
    return {
        "kind": mail.kind,
        "subject": rendered.subject,
        "ticket_id": mail.ticket_id,
        "created_at": mail.created_at,
        "title": what_happened(mail.facts, context),
        "ticket_url": mail.facts.get("ticket_url"),
    }


def _correction(facts: Facts, context: RenderContext) -> dict[str, Any]:
    names = {"passed": context._("passed"), "failed": context._("failed"), "pending": context._("pending")}
    return {
        "applied_by": value(facts, "applied_by"),
        "description": text(facts.get("description") or "", 1000),
        "file_path": value(facts, "file_path"),
        "test_status_name": names.get(str(facts.get("test_status")), value(facts, "test_status")),
    }


def _reappearance(facts: Facts) -> dict[str, Any]:
    again = epoch(facts.get("reappeared_at")) or epoch(facts.get("last_seen")) or 0.0
    return {"reappeared_at": again, "late": bool(facts.get("late"))}


def _watched(facts: Facts, context: RenderContext) -> str:
    """How long the error was watched and, where that counts, how long the application was seen alive."""
    watched = context.language.duration(float(facts.get("watched_seconds") or 0.0))
    if facts.get("evidence") != "seen":
        return context._("It was watched for %(watched)s: no reappearance.", watched=watched)
    seen = context.language.duration(float(facts.get("seen_seconds") or 0.0))
    return context._(
        "It was watched for %(watched)s, and the application was seen alive for %(seen)s of it: "
        "no reappearance.",
        watched=watched,
        seen=seen,
    )


def _digest_line(item: Facts) -> dict[str, Any]:
    subject, title = line(item.get("subject", ""), SUBJECT_LIMIT), value(item, "title")
    return {
        "subject": subject,
        "title": "" if title in subject else title,
        "created_at": epoch(item.get("created_at")) or 0.0,
        "ticket_url": web_address(item.get("ticket_url")),
    }
