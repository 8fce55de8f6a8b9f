"""Values become HTML: one method per page. No database, no files written, no clock."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from msgspec import Struct

from tocsin.daemon.config import Config
from tocsin.daemon.corrections.handoff.markdown import markdown
from tocsin.daemon.queries.corrections import CorrectionFacts
from tocsin.daemon.queries.details import ErrorDetail
from tocsin.daemon.queries.metrics import MetricsFacts, TopCorrected
from tocsin.daemon.queries.moment import to_json
from tocsin.daemon.queries.monitor import ErrorRow
from tocsin.daemon.queries.status import StatusFacts, problems
from tocsin.daemon.queries.tickets import ClientFacts, HistoryFacts, TicketDetail, TicketFacts, WatchFacts
from tocsin.daemon.reason import said
from tocsin.daemon.time_zone import TimeZone, is_time_zone
from tocsin.daemon.visible_text import SHOWN, capped, shown, visible
from tocsin.reports import code, timeline
from tocsin.reports.addresses import FileAddresses, ServedAddresses
from tocsin.reports.charts import Series, bars, filled, iso_day, marks, series
from tocsin.reports.validation import validation
from tocsin.reports.wording import Words

TEMPLATES = Path(__file__).parent / "templates"

SAMPLES = 6
"""Samples of an error that its page shows in full."""

CHARTED = 12
"""Services, clients or hands that a chart compares; the table beneath holds all."""

FOR_CLIENTS = frozenset(
    (
        "created",
        "email_sent",
        "reappeared",
        "auto_closed",
        "resolved",
        "reopened",
        "correction_logged",
        "validated",
    )
)
"""Actions that a client reads of, each in a sentence; descriptions may name others and stay with the admin."""

STATES = ("open", "in_progress", "monitoring", "new", "muted", "resolved")
TICKET_STATES = ("open", "in_progress", "monitoring", "closed")
TEST_STATES = ("pending", "passed", "failed")


class Evidence(Struct, frozen=True):
    """What a closing rested on, as the ticket keeps it. Durations in seconds; `chance` 0 to 1."""

    watched_seconds: float
    seen_seconds: float | None = None
    chance: float | None = None
    evidence: str = "seen"
    verified_by_tests: bool = False
    gone: list[dict[str, Any]] = []
    """Processes that were written off, with what they may still have held."""
    runs: dict[str, Any] = {}
    """How often the function ran in which the error happens."""
    programs_gone: list[str] = []
    """Kinds of process that logged the error and are not there any more."""
    untold_seconds: float = 0.0
    """How long the application was seen alive and could not have told."""


class Pages:
    """Every page in one language."""

    def __init__(
        self,
        language: str,
        config: Config,
        *,
        timezone: str | None = None,
        at: ServedAddresses | None = None,
        served: object = None,
    ) -> None:
        """`timezone`: the readers' own, where they have one; else it is the organisation's, else the server's."""
        self.words = Words(language)
        self.config = config
        self._own_zone = timezone if timezone and is_time_zone(timezone) else ""
        self.timezone = self._own_zone or config.organisation.timezone
        """None for the server's."""
        self.zone = TimeZone(self.timezone)
        self._templates = _environment(language)
        self._at = at
        self._served = served

    def served(self, at: ServedAddresses, served: object, timezone: str | None) -> Pages:
        """The same pages on the console; `served` is what templates know of the reader."""
        return Pages(self.words.language, self.config, timezone=timezone, at=at, served=served)

    def monitoring(
        self,
        rows: Sequence[Markup],
        status: StatusFacts | None,
        now: float,
        *,
        page: int,
        pages: int,
        services: Sequence[str],
        unresolved: int,
        open_tickets: int,
    ) -> str:
        """One page of the errors, by their lines, as of `now` (epoch seconds); the first refreshes itself."""
        _ = self.words.catalogue.gettext
        sorts = (
            ("last", _("Newest first")),
            ("count", _("Most frequent first")),
            ("clients", _("Most clients first")),
            ("first", _("First seen")),
        )
        values = {
            "rows": rows,
            "unresolved": unresolved,
            "open_tickets": open_tickets,
            "problems": problems(status, self.config, now, self.words.catalogue) if status else [],
            "status": status,
            "page": page,
            "pages": pages,
            "services": services,
            "states": STATES,
            "sorts": sorts,
            "state_words": "",
            "autofix": True,
            "every": f"{float(self.config.report.every):g}",
        }
        blank = self._render("index.html", "errors", "", stamp="", **values)
        return blank.replace('data-stamp=""', f'data-stamp="{stamp(blank)}"', 1)

    def line(self, row: ErrorRow) -> Markup:
        """One error's line of the monitoring page."""
        return Markup(self._render("row.html", "errors", "", row=row))

    def error(
        self, error: ErrorDetail, state: str, watch: WatchFacts | None, client_text: str = ""
    ) -> tuple[str, str]:
        """Everything about one error; and the script that brings it to the monitoring page."""
        readable = [sample for sample in error.samples if sample.event][:SAMPLES]
        text = markdown(error, self.config.command)
        labels = self.words.hour, self.words.day
        occurred = series(error.hours, error.last_seen, self.zone, *labels)
        page = self._render(
            "error.html", "errors", "../", error=error, state=state, watch=watch, samples=readable,
            client_text=client_text, timeline=timeline.of_error(error.timeline), markdown=text,
            series=occurred, deployed=marks(occurred, error.deployments, self.zone, *labels),
            text=plain_text(error),
        )  # fmt: skip
        corrections = self._render("sheet.html", "errors", "", error=error)
        return page, script(f"error {error.id}", {"markdown": text, "corrections": corrections})

    def tickets(
        self,
        tickets: Sequence[TicketFacts],
        open_count: int,
        total: int,
        *,
        page: int,
        pages: int,
        services: Sequence[str],
    ) -> str:
        """One page of the tickets, for admins: `total` in all, `open_count` not closed."""
        threshold, window = self.config.tickets.threshold, float(self.config.tickets.window)
        return self._render(
            "tickets.html",
            "tickets",
            "../",
            tickets=tickets,
            open_count=open_count,
            total=total,
            page=page,
            pages=pages,
            services=services,
            states=TICKET_STATES,
            state_words="",
            sorts=(),
            autofix=False,
            threshold=threshold,
            window=window,
        )

    def ticket(self, ticket: TicketDetail) -> str:
        """One ticket, for admins."""
        return self._render(
            "ticket.html",
            "tickets",
            "../",
            ticket=ticket,
            evidence=evidence(ticket.metadata),
            history=timeline.of_ticket(ticket.history),
        )

    def corrections(
        self,
        corrections: Sequence[CorrectionFacts],
        top: Sequence[TopCorrected],
        total: int,
        *,
        page: int,
        pages: int,
        services: Sequence[str],
    ) -> str:
        """One page of the corrections: `total` in all; the errors corrected most often come first."""
        return self._render(
            "corrections.html",
            "corrections",
            "",
            corrections=corrections,
            top=top,
            total=total,
            page=page,
            pages=pages,
            services=services,
            states=TEST_STATES,
            state_words="tests_",
            sorts=(),
            autofix=False,
        )

    def metrics(self, metrics: MetricsFacts) -> str:
        """The four numbers and the honest ones beside them."""
        days = filled(metrics.by_day)
        opened: Series = [(day.day, day.opened) for day in days]
        return self._render(
            "metrics.html",
            "metrics",
            "",
            metrics=metrics,
            days=days,
            opened=opened,
            deployed=marks(opened, metrics.deployments, TimeZone("UTC"), iso_day),
            closed=[(day.day, day.closed) for day in days],
            corrected=[(day.day, day.corrections) for day in days],
            took=[(day.day, day.mean_hours_to_resolution or 0) for day in days],
            charted=CHARTED,
        )

    def client(self, client: ClientFacts, tickets: Sequence[TicketFacts]) -> str:
        """A client's first page: its tickets and nothing else."""
        return self._render(
            "client.html", "", "", client=client, tickets=tickets, team=self.config.organisation.name
        )

    def client_ticket(self, client: ClientFacts, ticket: TicketDetail) -> str:
        """One ticket as its client sees it: no description that could name somebody else."""
        return self._render(
            "client_ticket.html",
            "",
            "../",
            client=client,
            ticket=ticket,
            history=for_client(ticket.history),
            team=self.config.organisation.name,
            evidence=evidence(ticket.metadata),
        )

    def page(self, template: str, section: str, **values: Any) -> str:
        """A page that only the console has."""
        return self._render(template, section, "", **values)

    def _render(self, template: str, section: str, up: str, **values: Any) -> str:
        return self._templates.get_template(template).render(
            section=section,
            at=self._at or FileAddresses(up),
            served=self._served,
            zone=self.zone,
            own_zone=self._own_zone,
            tocsin=self.config.command,
            **values,
        )


def for_client(history: Sequence[HistoryFacts]) -> list[HistoryFacts]:
    """What of a ticket's history its client reads; the mails to the admins are no news of the client's."""
    return [
        one
        for one in history
        if one.action in FOR_CLIENTS and (one.action != "email_sent" or not _to_admin(one))
    ]


def script(name: str, value: Any) -> str:
    """A script that hands a value to the page; ASCII only: nothing in it ends a string or a line."""
    return f"tocsin({json.dumps(name)}, {json.dumps(value)});\n"


def stamp(text: str) -> str:
    """A short name for exactly this content."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()


def plain_text(error: ErrorDetail) -> str:
    """The newest sample as Python would have printed it."""
    event = next((sample.event for sample in error.samples if sample.event), None)
    if event is None or not event.exceptions:
        return f"{error.source}:{error.line} {error.function}\n{error.message}"
    parts = [event.message]
    for raised in event.exceptions:
        parts.append(
            "Traceback (most recent call last):" if raised.relation == "raised" else f"({raised.relation})"
        )
        for frame in raised.frames:
            parts.append(f'  File "{frame.path}", line {frame.line}, in {frame.function}')
            if frame.source and 0 <= frame.line - frame.first < len(frame.source):
                parts.append(f"    {frame.source[frame.line - frame.first].strip()}")
        parts.append(f"{raised.type}: {raised.text}" if raised.text else raised.type)
    return "\n".join(parts)


def brief(text: str, limit: int) -> str:
    """At most `limit` characters, on a word's edge where there is one."""
    if len(text) <= limit:
        return text
    return text[:limit].rsplit(" ", 1)[0][:limit] + "…"


def tail(path: str) -> str:
    """The last two parts of a path."""
    return "/".join(path.rsplit("/", 2)[-2:])


def evidence(metadata: Any) -> Evidence | None:
    """What the closing rested on; None where the ticket does not say, or a person closed it."""
    try:
        found = msgspec.convert(metadata["watch"], Evidence)
    except (msgspec.ValidationError, KeyError, TypeError):
        return None
    return None if found.evidence == "manual" else found


def pretty(value: Any) -> str:
    """JSON for people; a text stays one."""
    return value if isinstance(value, str) else to_json(value, indent=2)


def seen_percent(watch: WatchFacts) -> int:
    """How much of the watch is done, 0 to 100."""
    return int(min(100.0, 100 * watch.seen_seconds / max(1.0, watch.required_seconds)))


def _to_admin(one: HistoryFacts) -> bool:
    return bool(one.details.get("audience") == "admin" or " to the admin " in one.description)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9_]", "", text.lower())[:40]


def _raw_text(text: str) -> Markup:
    """Escaped whole: what is copied must not be cut short like what is looked at."""
    return Markup.escape(visible(capped(text, 20 * SHOWN)))


@lru_cache(maxsize=4)
def _environment(language: str) -> Environment:
    words = Words(language)
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.install_gettext_translations(words.catalogue, newstyle=True)  # type: ignore[attr-defined]
    filters: dict[str, Callable[..., Any]] = {
        "brief": brief, "tail": tail, "pretty": pretty, "slug": _slug, "raw_text": _raw_text,
        "validation": validation, "seen_percent": seen_percent, "said": partial(said, code=language),
    }  # fmt: skip
    made.filters.update(filters)
    made.globals.update(
        language=language, word=words.word, number=words.number, duration=words.duration, hours=words.hours,
        percent=words.percent, size=words.size,
        moment=words.moment, minute=words.minute, bars=bars, source=code.source, diff=code.diff,
        unified=code.unified, waiting=words.waiting,
        history_text=words.history, happening_text=words.happening,
        plain_state=words.plain_state, happened=words.happened, client_title=words.client_title,
        client_history=words.client_history, client_note=words.client_note, not_known=words.not_known,
        runs=words.runs, validation_name=words.validation_name,
    )  # fmt: skip
    return made
