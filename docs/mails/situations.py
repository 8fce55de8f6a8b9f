"""Every situation that a mail tells of, and what its reader reads: the table in docs/mails/texts.md.

Run `python docs/mails/situations.py` after a change of a text; a test keeps the table fresh.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec import Struct

from tocsin.daemon.outgoing import mail
from tocsin.daemon.outgoing.mailcheck import sample
from tocsin.daemon.outgoing.rendering import RenderedMail
from tocsin.daemon.outgoing.templating import Templates
from tocsin.daemon.settings import Organisation

TEXTS = Path(__file__).with_name("texts.md")
LANGUAGES = ("en", "fr")
ORGANISATION = Organisation(name="Atelier Dupont", reply_to="aide@dupont.example", site="https://dupont.example",
                            timezone="Europe/Paris")  # fmt: skip
HEAD = """# What each mail says

Each situation with its reader, in English and in French: the subject, then what the mail begins with. Drawn from the
templates by `python docs/mails/situations.py`; a test keeps it fresh.

| situation | reader | English | Français |
| --- | --- | --- | --- |
"""


class Situation(Struct, frozen=True):
    """What happened, who is told, and the facts that make it this situation."""

    name: str
    text: str
    kind: str
    audience: str
    facts: dict[str, Any] = {}

    def written(self, language: str) -> RenderedMail:
        """The mail in that language."""
        facts = {**sample(self.kind), **self.facts}
        templates = Templates(None, ORGANISATION)
        return mail.write(self.kind, facts, audience=self.audience, spoken=language, templates=templates)


BY_HAND = {"manual": True, "error_id": None, "occurrences": 0, "service": "", "environment": "",
           "source": "", "function": "", "frames": (),
           "subject": "Two invoices are missing", "title": "Two invoices are missing",
           "message": "We noticed that the invoices of Tuesday did not leave."}  # fmt: skip
QUIET = {"resolution": "no_reappearance", "corrections": 0, "verified_by_tests": False,
         "runs": {"unknown": "no_monitoring"}}  # fmt: skip
IDLE = {"waiting": {"kind": "not_exercised", "name": "shop.orders.next_number"}}
CLOSED_BY_HAND = {"resolution": "manual", "evidence": "manual", "corrections": 0, "chance": None, "runs": {},
                  "client_note": "The printer was off; it is on again."}  # fmt: skip
REOPENED = {"by_hand": True, "client_note": "One invoice is still missing."}

SITUATIONS = (
    Situation("detection", "an error keeps happening", "detection", "client"),
    Situation("detection-batch", "an error of a batch service keeps happening", "detection", "client",
              {"service": "nightly", "service_kind": "batch"}),
    Situation("detection-by-hand", "a ticket is opened by hand", "detection", "client", BY_HAND),
    Situation("received", "the client writes a ticket", "received", "client"),
    Situation("message", "the team writes to the client", "message", "client"),
    Situation("closing", "corrected, and quiet through the watch", "closing", "client"),
    Situation("closing-quiet", "merely quiet through the watch", "closing", "client", QUIET),
    Situation("closing-by-hand", "closed by hand", "closing", "client", CLOSED_BY_HAND),
    Situation("reopened", "the error came back", "reopened", "client"),
    Situation("reopened-by-hand", "opened again by hand", "reopened", "client", REOPENED),
    Situation("access", "the client asks for a link to sign in", "access", "client"),
    Situation("notice", "an error keeps happening", "notice", "admin"),
    Situation("notice-by-hand", "a ticket is opened by hand", "notice", "admin", BY_HAND),
    Situation("notice-by-client", "a client writes a ticket", "notice", "admin", {**BY_HAND, "by_client": True}),
    Situation("message-admin", "the client writes to the team", "message", "admin"),
    Situation("validated", "a correction passed its tests", "validated", "admin"),
    Situation("validation_failed", "a correction failed its tests", "validation_failed", "admin"),
    Situation("reappeared", "the error came back during the watch", "reappeared", "admin"),
    Situation("ready", "the evidence is complete, and a person closes", "ready", "admin"),
    Situation("inconclusive", "the watch proves nothing", "inconclusive", "admin"),
    Situation("inconclusive-idle", "the code has not run since", "inconclusive", "admin", IDLE),
    Situation("old_code", "old code still runs", "old_code", "admin"),
    Situation("closing-admin", "corrected, and quiet through the watch", "closing", "admin"),
    Situation("closing-quiet-admin", "merely quiet through the watch", "closing", "admin", QUIET),
    Situation("closing-by-hand-admin", "closed by hand", "closing", "admin", CLOSED_BY_HAND),
    Situation("reopened-admin", "the error came back", "reopened", "admin"),
    Situation("reopened-by-hand-admin", "opened again by hand", "reopened", "admin", REOPENED),
    Situation("reminder", "tickets, watches and mails wait", "reminder", "admin"),
    Situation("more_frequent", "an open error comes ten times as often", "more_frequent", "admin"),
    Situation("weekly", "a week is over", "weekly", "admin"),
    Situation("digest", "more mails than the hour has room for", "digest", "admin"),
    Situation("access-password", "a user asks for a new password", "access", "admin", {"purpose": "password"}),
    Situation("test", "`tocsin mail test`", "test", "admin"),
)  # fmt: skip


def beginning(written: RenderedMail) -> str:
    """The subject, and the first sentences that are no greeting."""
    paragraphs = [part.strip() for part in written.text.split("\n\n") if part.strip()]
    said = next((part for part in paragraphs[1:] if not part.endswith(",")), "")
    return f"**{written.subject}**<br>{' '.join(said.split())}".replace("|", "\\|").replace("*:", "\\*:")


def page() -> str:
    """The whole page as Markdown."""
    lines = [
        f"| {one.text} | {one.audience} | {beginning(one.written('en'))} | {beginning(one.written('fr'))} |"
        for one in SITUATIONS
    ]
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    TEXTS.write_text(page(), "utf-8")
