"""The user's words for states, actions and durations, in the reader's language."""

from __future__ import annotations

import gettext
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from babel.dates import format_date, format_datetime
from msgspec import Struct, structs

from tocsin.daemon import ticket_wording
from tocsin.daemon.language import language as spoken
from tocsin.daemon.queries.details import Happening
from tocsin.daemon.queries.status import LOST
from tocsin.daemon.queries.tickets import HistoryFacts, TicketFacts, WatchFacts
from tocsin.daemon.time_zone import TimeZone

LOCALE = Path(__file__).parent / "locale"
DOMAIN = "reports"


def _(text: str) -> str:
    """Marks a text for the catalogue; it is translated where it is shown."""
    return text


WORDS = {
    # what an error or a ticket needs
    "new": _("new"),
    "open": _("open"),
    "in_progress": _("being corrected"),
    "monitoring": _("watched"),
    "closed": _("closed"),
    "resolved": _("resolved"),
    "muted": _("muted"),
    "unmuted": _("no longer muted"),
    # tests
    "tests_pending": _("not tested yet"),
    "tests_passed": _("tests passed"),
    "tests_failed": _("tests failed"),
    "check_passed": _("passed"),
    "check_failed": _("failed"),
    "check_skipped": _("cannot be told"),
    # tickets
    "low": _("low"),
    "medium": _("medium"),
    "high": _("high"),
    "critical": _("critical"),
    "auto_detection": _("opened by itself"),
    "manual": _("by hand"),
    "duplicate": _("duplicate"),
    "corrected": _("corrected"),
    "no_reappearance": _("did not come back"),
    # what happened
    "first_seen": _("First seen"),
    "created": _("Ticket opened"),
    "email_sent": _("Mail sent"),
    "email_failed": _("Mail not delivered"),
    "channel_sent": _("Channel notified"),
    "channel_failed": _("Channel not notified"),
    "role_admin": _("admin"),
    "role_client": _("client"),
    "client_not_told": _("Client not told: no mail address is known"),
    "status_changed": _("State changed"),
    "reappeared": _("Came back"),
    "correction": _("Correction applied"),
    "deployed": _("Release deployed"),
    "correction_logged": _("Correction recorded"),
    "correction_withdrawn": _("Correction withdrawn"),
    "message": _("Message"),
    "assigned": _("Assigned"),
    "linked": _("Linked"),
    "validated": _("Tests passed"),
    "validation_failed": _("Tests failed"),
    "old_code_running": _("Old code still running"),
    "auto_closed": _("Closed by itself"),
    "reopened": _("Reopened"),
    "note": _("Note"),
    "changed": _("Changed"),
    "priority_changed": _("Priority changed"),
    "category_changed": _("Category changed"),
    "subject_changed": _("Subject changed"),
    "described": _("Text for clients"),
    "merged": _("Merged"),
    "split": _("Told apart"),
    "ready": _("Ready to be closed"),
    "inconclusive": _("Silence proves nothing"),
    # mails
    "mail_waiting": _("waiting"),
    "mail_held": _("held for you"),
    "mail_sent": _("sent"),
    "mail_failed": _("failed"),
    "mail_dropped": _("dropped"),
    "mail_digested": _("in a digest"),
    "mail_kind_detection": _("detection"),
    "mail_kind_notice": _("notice"),
    "mail_kind_access": _("link to sign in"),
    "mail_kind_closing": _("closing"),
    "mail_kind_reopened": _("reopening"),
    "mail_kind_reappeared": _("came back"),
    "mail_kind_validated": _("tests passed"),
    "mail_kind_validation_failed": _("tests failed"),
    "mail_kind_ready": _("ready to be closed"),
    "mail_kind_inconclusive": _("silence proves nothing"),
    "mail_kind_old_code": _("old code still running"),
    "mail_kind_reminder": _("reminder"),
    "mail_kind_more_frequent": _("much more frequent"),
    "mail_kind_weekly": _("weekly report"),
    "mail_kind_received": _("confirmation"),
    "mail_kind_message": _("message"),
    "mail_kind_digest": _("digest"),
    # how one exception belongs to another
    "relation_cause": _("which was caused by"),
    "relation_context": _("which happened while this one was handled"),
    "relation_group": _("which holds"),
    "relation_root": _("whose chain began with"),
    # why events were lost
    **{f"lost_{reason}": text for reason, text in LOST.items()},
}

HAPPENED = {
    "resolved": _("Resolved by hand"),
    "muted": _("Muted"),
    "unmuted": _("No longer muted"),
}
"""What happened where the same word is a state too."""

PLAIN_STATES = {
    "open": _("We noticed an error and are looking into it."),
    "in_progress": _("We are correcting it and make sure that it does not come back."),
    "monitoring": _("It has been corrected. We are making sure that it does not come back."),
    "opened_by_hand": _("Our team is looking into it."),
    "open_again": _("It is open again. Our team is looking into it."),
    "closed": _("Our team has closed it."),
    "corrected": _("It was corrected, and it did not come back while we watched."),
    "no_reappearance": _("It no longer occurs: it did not come back while we watched."),
}

CLIENT_HISTORY = {
    "created": _("The ticket was opened."),
    "created_by_client": _("You opened the ticket."),
    "email_sent": _("We sent you a mail."),
    "reappeared": _("The error happened again."),
    "auto_closed": _("The error stayed away, so the ticket was closed."),
    "resolved": _("Our team closed the ticket."),
    "reopened": _("The error came back, so the ticket is open again."),
    "reopened_by_hand": _("Our team opened the ticket again."),
    "correction_logged": _("A correction was made; we watch whether it holds."),
    "validated": _("The correction passed its tests."),
}
"""What a client reads of each action."""


VALIDATION_NAMES = frozenset(
    (
        _("old code"),
        _("corrected code"),
        _("the project's own tests"),
        _("the corrected files compile"),
        _("the new code is in place, the old is gone"),
        _("the failing module imports"),
        _("the error does not come back"),
        _("the test ends"),
    )
)
"""What the validation of a correction calls its runs and checks."""
IN_PLACE = "in place: "
"""What it calls the check of one file, before the file's path."""


def translations(language: str) -> gettext.NullTranslations:
    """The catalogue of a language; English is the source's own."""
    return gettext.translation(DOMAIN, LOCALE, [language], fallback=True)


class Words:
    """What a page says, in one language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._language = spoken(language)
        self.catalogue = translations(language)

    def word(self, key: str) -> str:
        """The user's word for a state or an action; one we do not know is shown as it is."""
        known = WORDS.get(key)
        if known:
            return self.catalogue.gettext(known)
        return key.removeprefix("mail_kind_").removeprefix("lost_").replace("_", " ")

    def happened(self, action: str) -> str:
        """The user's word for what happened."""
        return self.catalogue.gettext(HAPPENED[action]) if action in HAPPENED else self.word(action)

    def plain_state(self, ticket: TicketFacts) -> str:
        """A client's sentence on a ticket's state; true of how it was opened and how it was closed."""
        state = ticket.status
        if state == "closed" and ticket.resolution in PLAIN_STATES:
            state = ticket.resolution
        elif state == "open" and "watch" in (ticket.metadata or {}):
            state = "open_again"
        elif state == "open" and ticket.source == "manual":
            state = "opened_by_hand"
        return self.catalogue.gettext(PLAIN_STATES.get(state, PLAIN_STATES["open"]))

    def client_title(self, ticket: TicketFacts) -> str:
        """What a client reads a ticket is about."""
        own = ticket.source == "manual" or "subject_by" in (ticket.metadata or {})
        subject = ticket.subject if own else ""
        return ticket_wording.client_title(
            subject, ticket.client_text or "", ticket.service or "", self._language
        )

    def client_history(self, row: HistoryFacts) -> str:
        """A client's sentence on what happened to its ticket."""
        key = row.action
        if key == "reopened" and row.created_by != "system":
            key = "reopened_by_hand"
        elif key == "created" and row.details.get("by_client"):
            key = "created_by_client"
        return self.catalogue.gettext(CLIENT_HISTORY[key])

    def client_note(self, row: HistoryFacts) -> str:
        """What somebody wrote for the client when closing its ticket or opening it again."""
        return str(row.details.get("client_note") or "")

    def waiting(self, watch: WatchFacts) -> str:
        """What a watch waits for."""
        return ticket_wording.waiting(watch.waiting, self._language) or watch.waiting_for

    def runs(self, facts: Mapping[str, Any]) -> str:
        """How often an error's function ran."""
        return ticket_wording.runs(facts, self._language)

    def not_known(self, evidence: Struct) -> str:
        """What a closing, as `pages.Evidence`, does not know of; '' for nothing."""
        return ticket_wording.not_known(structs.asdict(evidence), self._language)

    def history(self, row: HistoryFacts) -> str:
        """What happened to a ticket, besides its action."""
        return ticket_wording.history(row.action, row.details, row.description, self._language)

    def happening(self, line: Happening) -> str:
        """What a timeline says, besides its kind."""
        return ticket_wording.history(line.kind, line.details, line.text, self._language)

    def moment(self, at: float, zone: TimeZone) -> str:
        """Epoch seconds as a reader in that zone writes them: `22 nov. 2026, 15:00:00`."""
        return str(format_datetime(zone.local(at), "medium", locale=self.language))

    def minute(self, at: float, zone: TimeZone) -> str:
        """The same, as short as it can be: `22 nov. 2026 15:00`."""
        return str(format_datetime(zone.local(at), "d MMM y HH:mm", locale=self.language))

    def hour(self, local: datetime) -> str:
        """An hour of a chart: `22 nov. 15:00`."""
        return str(format_datetime(local, "d MMM HH:mm", locale=self.language))

    def day(self, local: datetime) -> str:
        """A day of a chart: `22 nov. 2026`."""
        return str(format_date(local, "medium", locale=self.language))

    def validation_name(self, name: str) -> str:
        """What a validation calls a run or a check; one of another origin as it is."""
        if name.startswith(IN_PLACE):
            placed = self.catalogue.gettext("in place: %(path)s")
            return placed % {"path": name.removeprefix(IN_PLACE)}
        return self.catalogue.gettext(name) if name in VALIDATION_NAMES else name

    def number(self, value: float) -> str:
        """1234.5 as `1,234.5` or `1 234,5` (narrow no-break space)."""
        text = f"{value:,}"
        return text.replace(",", "\u202f").replace(".", ",") if self.language == "fr" else text

    def duration(self, seconds: float) -> str:
        """`45 s`, `12 min`, `3 h 10 min`, `2 d 4 h`."""
        whole = max(0, int(seconds))
        day = self.catalogue.gettext("d")
        if whole < 60:
            return f"{whole} s"
        if whole < 3600:
            return f"{whole // 60} min"
        if whole < 48 * 3600:
            hours, minutes = divmod(whole // 60, 60)
            return f"{hours} h {minutes} min" if minutes else f"{hours} h"
        days, hours = divmod(whole // 3600, 24)
        return f"{days} {day} {hours} h" if hours else f"{days} {day}"

    def hours(self, hours: float | None) -> str:
        """Hours with one decimal, minutes below one hour; a dash when there is nothing."""
        if hours is None:
            return "–"
        return f"{self.number(_short(hours))} h" if hours >= 1 else self.duration(hours * 3600)

    def percent(self, percent: float | None) -> str:
        """`87.5 %`; a dash when there is nothing."""
        return "–" if percent is None else f"{self.number(_short(percent))}\N{NO-BREAK SPACE}%"

    def size(self, count: int) -> str:
        """Bytes for people; French counts them in octets."""
        byte = "o" if self.language == "fr" else "B"
        value, prefix = float(count), ""
        for prefix in ("", "K", "M", "G"):
            if value < 1000 or prefix == "G":
                break
            value /= 1000
        return f"{self.number(_short(value))} {prefix}{byte}"


def _short(value: float) -> float:
    """One decimal where it says something."""
    rounded = round(value, 1)
    return int(rounded) if rounded == int(rounded) else rounded
