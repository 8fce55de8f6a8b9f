"""The mails and the channels' messages: what waits, what is held for review, what failed and why."""

from __future__ import annotations

from starlette.responses import HTMLResponse, Response

from tocsin.daemon.outgoing import mail as letters
from tocsin.daemon.outgoing.rendering import MailError, RenderedMail
from tocsin.daemon.outgoing.templating import Templates
from tocsin.daemon.queries import listings
from tocsin.daemon.queries.outbox import mails_by_id
from tocsin.daemon.store import outbox
from tocsin.daemon.store.models import Mail
from tocsin.daemon.tickets.manual import AlreadySo, ManualError
from tocsin.reports.console import answers, listing
from tocsin.reports.console.request import ConsoleRequest

ROWS = 50
STATES = ("held", "waiting", "failed", "sent", "dropped", "digested")
UNSHOWN = "access"
"""The kind whose text lets somebody in: nobody else reads it."""
MAIL_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'none'"
SUBJECT_LIMIT = 180
TEXT_LIMIT = 20_000


def mails(request: ConsoleRequest) -> Response:
    """One page of them, the newest first."""
    store, asked = request.site.store, listing.asked(request)
    part = listings.mails(store, asked, listing.page_number(request), ROWS)
    found = mails_by_id(store, part.ids)
    with store.reading():
        counts, channels = outbox.counts(), outbox.channels()
    pages = answers.pages(request, asked, listings.Choices([], channels=channels))
    text = pages.page(
        "console/mails.html",
        "mails",
        mails=[found[one] for one in part.ids],
        counts=counts,
        part=part,
        states=STATES,
    )
    return answers.html(request, text)


def mail(request: ConsoleRequest) -> Response:
    """One mail as its recipient will read it; what is held can be rewritten and released."""
    row = _mail(request)
    rendered = None if row is None or row.kind == UNSHOWN else _rendered(request, row)
    if row is None:
        return answers.refusal(request, 404)
    facts = mails_by_id(request.site.store, [row.id])[row.id]
    return answers.page(request, "console/mail.html", "mails", mail=facts, rendered=rendered)


def as_html(request: ConsoleRequest) -> Response:
    """The mail's HTML part by itself, under a policy that lets it load and run nothing."""
    row = _mail(request)
    rendered = None if row is None or row.kind == UNSHOWN else _rendered(request, row)
    if rendered is None:
        return answers.refusal(request, 404)
    return HTMLResponse(rendered.page, headers={"Content-Security-Policy": MAIL_POLICY})


def release(request: ConsoleRequest) -> Response:
    """Lets a held mail go."""
    with request.site.store.transaction():
        changed = outbox.release([request.path["mail_id"]], request.now)
    return _done(request, changed, request.say("The mail is on its way."))


def retry(request: ConsoleRequest) -> Response:
    """Tries a mail again that waits or was given up."""
    with request.site.store.transaction():
        changed = outbox.retry([request.path["mail_id"]], request.now)
    return _done(request, changed, request.say("The mail is tried again."))


def drop(request: ConsoleRequest) -> Response:
    """Never sends it."""
    with request.site.store.transaction():
        changed = outbox.drop([request.path["mail_id"]])
    return _done(request, changed, request.say("The mail will not be sent."))


def rewrite(request: ConsoleRequest) -> Response:
    """Puts the admin's own words in the place of a held mail's."""
    subject, text = " ".join(request.field("subject").split()), request.field("text").strip()
    if not subject or not text or len(subject) > SUBJECT_LIMIT or len(text) > TEXT_LIMIT:
        raise ManualError(request.say("Write a subject and a message."))
    row = _mail(request)
    if row is None or row.kind == UNSHOWN:
        return answers.refusal(request, 404)
    with request.site.store.transaction():
        changed = outbox.rewrite(row.id, subject, text)
    return _done(request, int(changed), request.say("Saved."))


def _mail(request: ConsoleRequest) -> Mail | None:
    with request.site.store.reading():
        found: Mail | None = Mail.get_or_none(Mail.id == request.path["mail_id"])
    return found


def _rendered(request: ConsoleRequest, row: Mail) -> RenderedMail | None:
    """The mail in its recipient's language; None where its facts make none."""
    config = request.site.config
    templates = Templates(config.mail.templates, config.organisation)
    try:
        return letters.write(
            row.kind, row.facts, audience=row.audience, spoken=row.language, templates=templates
        )
    except MailError:
        return None


def _done(request: ConsoleRequest, changed: int, said: str) -> Response:
    """Raises AlreadySo when the mail has gone on meanwhile."""
    if not changed:
        raise AlreadySo(request.say("The mail is in another state by now."))
    return answers.go(request, f"/mails/{request.path['mail_id']}", said)
