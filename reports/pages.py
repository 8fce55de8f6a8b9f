"""Values become HTML: one method per page. No database, no files written, no clock."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from msgspec import Struct

from tocsin.daemon.config import Config
from tocsin.reports import code
from tocsin.reports.facts.corrections import CorrectionFacts
from tocsin.reports.facts.details import ErrorDetail, HourFacts
from tocsin.reports.facts.metrics import Day, MetricsFacts
from tocsin.reports.facts.moment import Moment, to_json
from tocsin.reports.facts.monitor import ErrorRow
from tocsin.reports.facts.status import StatusFacts, problems
from tocsin.reports.facts.tickets import ClientFacts, TicketDetail, TicketFacts, WatchFacts
from tocsin.reports.markdown import markdown
from tocsin.reports.text import SHOWN, capped, shown, visible
from tocsin.reports.words import Words

TEMPLATES = Path(__file__).parent / "templates"

SAMPLES = 6
"""Samples of an error that its page shows in full."""

TABLE = 300
"""Tickets that one listing shows."""

CORRECTIONS = 200
"""Corrections that one listing shows: each with its difference."""

FOR_CLIENTS = frozenset(
    ("created", "email_sent", "status_changed", "reappeared", "auto_closed", "reopened", "validated")
)
"""Actions that a client reads of; their descriptions may name others and stay with the admin."""

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


class Pages:
    """Every page in one language."""

    def __init__(self, language: str, config: Config) -> None:
        self.words = Words(language)
        self.config = config
        self._templates = _environment(language)

    def monitoring(
        self,
        rows: Sequence[ErrorRow],
        status: StatusFacts,
        now: float,
        *,
        page: int,
        pages: int,
        services: Sequence[str],
    ) -> str:
        """One page of the errors as of `now` (epoch seconds); the first one refreshes itself."""
        _ = self.words.catalogue.gettext
        sorts = (
            ("last", _("Newest first")),
            ("count", _("Most frequent first")),
            ("clients", _("Most clients first")),
            ("first", _("First seen")),
        )
        values = {
            "rows": rows,
            "problems": problems(status, self.config, now, self.words.catalogue),
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

    def error(self, error: ErrorDetail, state: str, watch: WatchFacts | None) -> str:
        """Everything about one error."""
        readable = [sample for sample in error.samples if sample.event][:SAMPLES]
        return self._render(
            "error.html", "errors", "../", error=error, state=state, watch=watch, samples=readable,
            series=series(error.hours, error.last_seen), markdown=markdown(error), text=plain_text(error),
        )  # fmt: skip

    def error_data(self, error: ErrorDetail) -> str:
        """The script that brings an error's Markdown and corrections to the monitoring page."""
        corrections = self._render("sheet.html", "errors", "", error=error)
        return script(f"error {error.id}", {"markdown": markdown(error), "corrections": corrections})

    def tickets(self, tickets: Sequence[TicketFacts], open_count: int, total: int) -> str:
        """Tickets, for admins: `total` in all, `open_count` not closed."""
        threshold, window = self.config.tickets.threshold, float(self.config.tickets.window)
        return self._render(
            "tickets.html",
            "tickets",
            "../",
            tickets=tickets,
            total=total,
            sorts=(),
            autofix=False,
            open_count=open_count,
            states=TICKET_STATES,
            state_words="",
            services=sorted({ticket.service for ticket in tickets if ticket.service}),
            threshold=threshold,
            window=window,
        )

    def ticket(self, ticket: TicketDetail) -> str:
        """One ticket, for admins."""
        return self._render(
            "ticket.html", "tickets", "../", ticket=ticket, evidence=evidence(ticket.metadata)
        )

    def corrections(self, corrections: Sequence[CorrectionFacts]) -> str:
        """All corrections."""
        return self._render(
            "corrections.html",
            "corrections",
            "",
            corrections=corrections[:CORRECTIONS],
            total=len(corrections),
            states=TEST_STATES,
            state_words="tests_",
            services=sorted({one.service for one in corrections}),
            sorts=(),
            autofix=False,
        )

    def metrics(self, metrics: MetricsFacts) -> str:
        """The four numbers and the honest ones beside them."""
        days = _filled(metrics.by_day)
        return self._render(
            "metrics.html",
            "metrics",
            "",
            metrics=metrics,
            days=days,
            opened=[(day.day, day.opened) for day in days],
            closed=[(day.day, day.closed) for day in days],
        )

    def client(self, client: ClientFacts, tickets: Sequence[TicketFacts]) -> str:
        """A client's first page: its tickets and nothing else."""
        return self._render("client.html", "", "", client=client, tickets=tickets)

    def client_ticket(self, client: ClientFacts, ticket: TicketDetail) -> str:
        """One ticket as its client sees it: no description that could name somebody else."""
        history = [one for one in ticket.history if one.action in FOR_CLIENTS]
        return self._render(
            "client_ticket.html",
            "",
            "../",
            client=client,
            ticket=ticket,
            history=history,
            evidence=evidence(ticket.metadata),
        )

    def _render(self, template: str, section: str, up: str, **values: Any) -> str:
        return self._templates.get_template(template).render(section=section, up=up, **values)


def script(name: str, value: Any) -> str:
    """A script that hands a value to the page; ASCII only: nothing in it ends a string or a line."""
    return f"tocsin({json.dumps(name)}, {json.dumps(value)});\n"


def stamp(text: str) -> str:
    """A short name for exactly this content."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()


def series(hours: Sequence[HourFacts], last_seen: float) -> list[tuple[str, int]]:
    """(label, occurrences) for a chart: by the hour for a life of up to 3 days, else by the day.

    It ends at the last occurrence, not now: a page changes only when its error does.
    """
    if not hours:
        return []
    hourly = hours[-1].at - hours[0].at <= 72 * 3600
    size, most = (3600, 73) if hourly else (86400, 60)
    counts = Counter[int]()
    for hour in hours:
        counts[int(hour.at // size)] += hour.count
    end = int(max(last_seen, hours[-1].at) // size)
    start = max(end - most + 1, min(int(hours[0].at // size), end - 11))
    cut = 16 if hourly else 10
    return [(Moment(one * size).text[:cut], counts[one]) for one in range(start, end + 1)]


def _filled(days: Sequence[Day]) -> list[Day]:
    """The last 60 days at most, 14 at least, up to the newest one, those without tickets too."""
    if not days:
        return []
    known = {date.fromisoformat(day.day): day for day in days}
    newest = max(known)
    count = min(60, max(14, (newest - min(known)).days + 1))
    wanted = [newest - timedelta(days=ago) for ago in range(count - 1, -1, -1)]
    return [known.get(day, Day(day.isoformat(), 0, 0)) for day in wanted]


def bars(counts: Sequence[int], height: int) -> str:
    """An SVG path of bars, 4 wide with 1 between; an hour with anything in it is at least 2 high."""
    top = max(counts, default=0) or 1
    tall = [max(2, round(height * count / top)) if count else 0 for count in counts]
    return (
        "".join(f"M{at * 4} {height}v-{one}h3v{one}z" for at, one in enumerate(tall) if one)
        or f"M0 {height}h0"
    )


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
    """What the closing rested on; None where the ticket does not say."""
    try:
        return msgspec.convert(metadata["watch"], Evidence)
    except (msgspec.ValidationError, KeyError, TypeError):
        return None


def pretty(value: Any) -> str:
    """JSON for people; a text stays one."""
    return value if isinstance(value, str) else to_json(value, indent=2)


def seen_percent(watch: WatchFacts) -> int:
    """How much of the watch is done, 0 to 100."""
    return int(min(100.0, 100 * watch.seen_seconds / max(1.0, watch.required_seconds)))


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
        "seen_percent": seen_percent,
    }  # fmt: skip
    made.filters.update(filters)
    made.globals.update(
        language=language, word=words.word, number=words.number, duration=words.duration, hours=words.hours,
        percent=words.percent, size=words.size, bars=bars, source=code.source, diff=code.diff,
        unified=code.unified, plain_state=lambda ticket: words.plain_state(ticket.status),
    )  # fmt: skip
    return made
