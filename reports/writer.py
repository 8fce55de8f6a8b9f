"""The pages brought up to date with the database: only those whose facts changed are written."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from markupsafe import Markup

from tocsin.daemon import queries
from tocsin.daemon.config import Config
from tocsin.daemon.failure import Failed
from tocsin.daemon.ownership import remedy
from tocsin.daemon.queries import listings, monitor
from tocsin.daemon.queries.details import ErrorDetail
from tocsin.daemon.queries.rows import first
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Run
from tocsin.reports import content_hash
from tocsin.reports.client_pages import ClientPages
from tocsin.reports.content_hash import ContentHasher, ContentHashes
from tocsin.reports.metrics_csv import metrics_csv
from tocsin.reports.page_state import Listing, PageState, data_file, error_page, ticket_page
from tocsin.reports.pages import SAMPLES, Pages, script, stamp
from tocsin.reports.report_files import STATIC, ReportFiles
from tocsin.reports.wording import LOCALE

HERE = Path(__file__).parent

ROWS = 100
"""Errors or tickets on one page of a listing: keeps it well under 500 KB."""

CHANGES = 50
"""Corrections on one page: each with its difference."""

BATCH = 25
"""Errors or tickets read with one set of queries, and the grain of the budget."""

SLOW = 60.0
"""Seconds between two writings of what lists everything, and two looks at which files are there."""

LINE_AGE = 300.0
"""Seconds after which a line of the monitoring page is drawn again: a mute may have ended."""

DEAR = 0.05
"""CPU seconds of a listing from which on it is made only every `SLOW` seconds."""

Progress = Callable[[int, int], None]


class ReportError(Failed):
    """The pages cannot be written; the text names the file and the reason."""


ERRORS = Listing("admin/index.html", "admin/page-{}.html")
TICKETS = Listing("admin/tickets/index.html", "admin/tickets/page-{}.html")
CORRECTIONS = Listing("admin/corrections.html", "admin/corrections-{}.html")


class ReportWriter:
    """The report directory of one configuration. Not for several threads; several processes may share one."""

    def __init__(self, store: Store, config: Config) -> None:
        self.store = store
        self.config = config
        self.pages = Pages(config.report_language, config)
        self.files = ReportFiles(config.report_dir, config.report.group)
        self._state = PageState(self.files, _edition(config))
        self._clients = ClientPages(store, config, self.files, self._state)
        self._hasher = ContentHasher(store)
        self._drawn: dict[int, tuple[str, Markup]] = {}
        """The lines of the first page by error, each with what it was drawn from."""
        self._quiet = ""
        self._listed_at = float("-inf")
        self._dear: dict[str, tuple[float, float]] = {}
        """When each listing was made last, and the CPU seconds it took."""

    def write(self, now: float, *, budget: float | None = None, progress: Progress | None = None) -> int:
        """Brings the files up to date with the database; returns how many were written.

        `now` in epoch seconds. With a `budget` (seconds) errors and tickets that do not fit wait for the
        next call; without, everything is written. `progress` is told (done, of). Raises ReportError.
        """
        before = self.files.written
        try:
            with self.files.locked():
                deadline = float("inf") if budget is None else time.monotonic() + budget
                self._write(now, deadline, progress or (lambda done, of: None))
        except OSError as error:
            root = self.files.root
            hint = remedy(Path(error.filename or root)) if isinstance(error, PermissionError) else ""
            text = f"report.dir = {root}: cannot write {error.filename or root}: {error.strerror or error}"
            raise ReportError(f"{text}; {hint}" if hint else text) from error
        return self.files.written - before

    def _write(self, now: float, deadline: float, progress: Progress) -> None:
        slow = not 0 <= now - self._listed_at < SLOW
        if slow:
            self._state.load()
        quiet = content_hash.unchanged(self.store)
        if quiet and not slow and self._quiet == f"{quiet} {now // 60}":
            return
        seen = self._hasher.content_hash()
        self._state.refresh_static("admin/static")
        self._monitoring(now, seen, slow)
        complete = self._single_pages(now, seen, deadline, progress)
        self._listings(now, seen, slow)
        self._clients.write(seen, now)
        self._state.prune(seen.errors.keys(), seen.tickets.keys(), every=slow)
        if slow:
            self._listed_at = now
            self._state.save()
        self._quiet = f"{quiet} {now // 60}" if complete else ""

    # Monitoring

    def _monitoring(self, now: float, seen: ContentHashes, slow: bool) -> None:
        status = queries.status(self.store, self.config, now)
        self.files.put("admin/status.json", queries.to_json(status, indent=2) + "\n")
        services = monitor.services(self.store)
        unresolved, open_tickets = listings.counts(self.store)
        order = {one: content_hash for one, content_hash in seen.errors.items() if one not in seen.merged}
        for part in self._state.parts(ERRORS, order, ROWS, [services, now // 3600], every=slow):
            rows = self._lines(part.numbers, seen, now, keep=part.page == 1)
            text = self.pages.monitoring(
                rows, status, now, page=part.page, pages=part.pages, services=services,
                unresolved=unresolved, open_tickets=open_tickets,
            )  # fmt: skip
            self.files.put(part.name, text)
            if part.page == 1:
                self.files.put("admin/index.js", script("index", {"html": text}))
                self._live(text)
        if slow:
            self.files.put("admin/search.js", script("search", monitor.titles(self.store, now)))

    def _lines(self, numbers: list[int], seen: ContentHashes, now: float, *, keep: bool) -> list[Markup]:
        """The lines of some errors; of those that were kept the last time only what changed is drawn."""
        made = {one: f"{seen.errors[one]} {now // LINE_AGE}" for one in numbers}
        drawn = {one: self._drawn[one] for one in numbers if self._drawn.get(one, ("",))[0] == made[one]}
        for row in monitor.rows(self.store, self.config, [one for one in numbers if one not in drawn], now):
            drawn[row.error.id] = (made[row.error.id], self.pages.line(row))
        if keep:
            self._drawn = drawn
        return [drawn[one][1] for one in numbers if one in drawn]

    def _live(self, text: str) -> None:
        """What an open page asks for every few seconds: did anything change, is the daemon alive."""
        mark = text.partition('data-stamp="')[2].partition('"')[0]
        with self.store.reading():
            run = first(Run.select(Run.alive_until).order_by(Run.alive_until.desc()))
        self.files.put("admin/live.js", script("live", {"stamp": mark, "alive": run and run["alive_until"]}))

    # Errors and tickets

    def _single_pages(self, now: float, seen: ContentHashes, deadline: float, progress: Progress) -> bool:
        """The pages of tickets and errors that changed, in batches; False when the budget ended first."""
        tickets = self._state.outdated(seen.tickets, ticket_page)
        errors = self._state.outdated(seen.errors, error_page)
        done, of = 0, len(tickets) + len(errors)
        batches: list[tuple[Callable[[list[int], float, ContentHashes], None], list[int]]] = []
        batches += [(self._tickets, batch) for batch in _batches(tickets)]
        batches += [(self._errors, batch) for batch in _batches(errors)]
        for write, batch in batches:
            if time.monotonic() > deadline:
                return False
            write(batch, now, seen)
            done += len(batch)
            progress(done, of)
        return True

    def _tickets(self, ticket_ids: list[int], now: float, seen: ContentHashes) -> None:
        for one, ticket in queries.ticket_details(self.store, ticket_ids, self.config, now).items():
            self.files.put(ticket_page(one), self.pages.ticket(ticket))
            self._state.record(ticket_page(one), seen.tickets[one])

    def _errors(self, error_ids: list[int], now: float, seen: ContentHashes) -> None:
        with self.store.reading():
            found = queries.details(self.store, error_ids, samples=SAMPLES)
            watches = queries.watches(self.store, self.config, error_ids, now)
        for one, error in found.items():
            page, data = self.pages.error(error, _shown_state(error, now), watches.get(one))
            self.files.put(error_page(one), page)
            self.files.put(data_file(error_page(one)), data)
            self._state.record(error_page(one), seen.errors[one])

    # Listings

    def _listings(self, now: float, seen: ContentHashes, slow: bool) -> None:
        tickets, corrections = stamp(repr(seen.tickets)), stamp(repr(seen.corrections))
        self._make("tickets", tickets, now, lambda: self._ticket_list(seen, slow), slow)
        self._make("corrections", corrections, now, lambda: self._correction_list(seen, slow), slow)
        self._make("metrics", stamp(tickets + corrections + seen.history), now, self._metrics, False)

    def _make(self, name: str, content_hash: str, now: float, make: Callable[[], None], slow: bool) -> None:
        """Makes a listing that changed; one that was dear the last time, at most every `SLOW` seconds."""
        made_at, took = self._dear.get(name, (float("-inf"), 0.0))
        if not slow and (
            self._state.current(name, content_hash) or (took > DEAR and 0 <= now - made_at < SLOW)
        ):
            return
        started = time.thread_time()
        make()
        self._state.record(name, content_hash)
        self._dear[name] = (now, time.thread_time() - started)

    def _ticket_list(self, seen: ContentHashes, slow: bool) -> None:
        order = {one: seen.tickets[one] for one in seen.ticket_order}
        services = monitor.services(self.store)
        for part in self._state.parts(TICKETS, order, ROWS, services, every=slow):
            found = {one.id: one for one in queries.tickets(self.store, ticket_ids=part.numbers)}
            rows = [found[one] for one in part.numbers if one in found]
            text = self.pages.tickets(
                rows, seen.tickets_open, len(order), page=part.page, pages=part.pages, services=services
            )
            self.files.put(part.name, text)
        if slow:
            self.files.put("admin/tickets/search.js", script("search", queries.ticket_titles(self.store)))

    def _correction_list(self, seen: ContentHashes, slow: bool) -> None:
        services = monitor.services(self.store)
        top = queries.top_corrected(self.store)
        for part in self._state.parts(CORRECTIONS, seen.corrections, CHANGES, services, every=slow):
            found = {one.id: one for one in queries.corrections(self.store, correction_ids=part.numbers)}
            rows = [found[one] for one in part.numbers if one in found]
            text = self.pages.corrections(
                rows, top, len(seen.corrections), page=part.page, pages=part.pages, services=services
            )
            self.files.put(part.name, text)
        if slow:
            known = queries.correction_titles(self.store)
            self.files.put("admin/corrections-search.js", script("search", known))

    def _metrics(self) -> None:
        numbers = queries.metrics(self.store)
        self.files.put("admin/metrics.html", self.pages.metrics(numbers))
        self.files.put("admin/metrics.json", queries.to_json(numbers, indent=2) + "\n")
        self.files.put("admin/metrics.csv", metrics_csv(numbers))


def _shown_state(error: ErrorDetail, now: float) -> str:
    return monitor.state(error, monitor.most_urgent(ticket.status for ticket in error.tickets), now)


def _batches(numbers: list[int]) -> Iterator[list[int]]:
    return (numbers[at : at + BATCH] for at in range(0, len(numbers), BATCH))


def _edition(config: Config) -> str:
    """Changes with everything but the facts that pages are made of: templates, texts, settings."""
    files = [*(HERE / "templates").iterdir(), *STATIC.iterdir(), *LOCALE.rglob("*.mo"), *HERE.glob("*.py")]
    content = [stamp(path.read_bytes().decode("latin-1")) for path in sorted(files) if path.is_file()]
    settings = config.report, config.watch, config.tickets, config.mail.language, config.organisation
    return stamp(repr((content, settings)))
