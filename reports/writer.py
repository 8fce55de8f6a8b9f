"""The files: writes only pages whose facts changed, each whole or not at all, and removes what is gone.

One writer at a time by a lock file; a second one waits, so that an older page never replaces a newer one.
"""

from __future__ import annotations

import csv
import fcntl
import io
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from markupsafe import Markup
from msgspec import Struct

from tocsin.daemon import queries
from tocsin.daemon.config import Config
from tocsin.daemon.failure import Failed
from tocsin.daemon.queries import monitor
from tocsin.daemon.queries.details import ErrorDetail
from tocsin.daemon.queries.metrics import MetricsFacts
from tocsin.daemon.queries.rows import first
from tocsin.daemon.queries.tickets import ClientFacts
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Run
from tocsin.handler.failpoints import reach
from tocsin.reports import content_hash
from tocsin.reports.content_hash import ContentHasher, ContentHashes
from tocsin.reports.pages import SAMPLES, Pages, script, stamp
from tocsin.reports.wording import LOCALE

HERE = Path(__file__).parent
STATIC = HERE / "static"

ROWS = 100
"""Errors or tickets on one page of a listing: keeps it well under 500 KB."""

CHANGES = 50
"""Corrections on one page: each with its difference."""

BATCH = 25
"""Errors or tickets read with one set of queries, and the grain of the budget."""

SLOW = 60.0
"""Seconds between two writings of what lists everything, and two looks at which files are there."""

LINE_AGE = 300.0
"""Seconds after which a line of the monitoring page is drawn anew: a mute may have ended."""

DEAR = 0.05
"""CPU seconds of a listing from which on it is made only every `SLOW` seconds."""

_SINGLE = re.compile(r"admin/(errors|tickets)/\d+\.html")

Progress = Callable[[int, int], None]


class ReportError(Failed):
    """The pages cannot be written; the text names the file and the reason."""


class Listing(Struct, frozen=True):
    """The files of a listing below the root: the first page, and the pattern of the others."""

    first: str
    others: str

    def name(self, page: int) -> str:
        return self.first if page == 1 else self.others.format(page)


class Part(Struct, frozen=True):
    """One page of a listing: what stands on it, by number."""

    name: str
    page: int
    pages: int
    numbers: list[int]


ERRORS = Listing("admin/index.html", "admin/page-{}.html")
TICKETS = Listing("admin/tickets/index.html", "admin/tickets/page-{}.html")
CORRECTIONS = Listing("admin/corrections.html", "admin/corrections-{}.html")


class ReportWriter:
    """The report directory of one configuration. Not for several threads; several processes may share one."""

    def __init__(self, store: Store, config: Config) -> None:
        self.store = store
        self.config = config
        self.root = config.report_dir
        self.admin = self.root / "admin"
        self.pages = Pages(config.report_language, config)
        self._edition = _edition(config)
        self._hasher = ContentHasher(store)
        self._drawn: dict[int, tuple[str, Markup]] = {}
        """The lines of the first page by error, each with what it was drawn from."""
        self._numbers: tuple[frozenset[int], frozenset[int]] = (frozenset(), frozenset())
        """The errors and tickets that there were when the pages of what is gone were removed last."""
        self._known: dict[str, str] = {}
        """What each page was last written from, by its path below the root."""
        self._quiet = ""
        self._listed_at = float("-inf")
        self._dear: dict[str, tuple[float, float]] = {}
        """When each listing was made last, and the CPU seconds it took."""
        self._deadline = float("inf")
        self._written = 0

    def write(self, now: float, *, budget: float | None = None, progress: Progress | None = None) -> int:
        """Brings the files up to date with the database; returns how many were written.

        `now` in epoch seconds. With a `budget` (seconds) errors and tickets that do not fit wait for the
        next call; without, everything is written. `progress` is told (done, of). Raises ShelfError.
        """
        self._written = 0
        try:
            with self._locked():
                self._deadline = float("inf") if budget is None else time.monotonic() + budget
                self._write(now, progress or (lambda done, of: None))
        except OSError as error:
            where = error.filename or self.root
            raise ReportError(
                f"report.dir = {self.root}: cannot write {where}: {error.strerror or error}"
            ) from error
        return self._written

    def _write(self, now: float, progress: Progress) -> None:
        slow = not 0 <= now - self._listed_at < SLOW
        if slow:
            self._remember()
        quiet = content_hash.unchanged(self.store)
        if quiet and not slow and self._quiet == f"{quiet} {now // 60}":
            return
        seen = self._hasher.content_hash()
        self._static(self.admin / "static")
        self._monitoring(now, seen, slow)
        complete = self._single_pages(now, seen, progress)
        self._listings(now, seen, slow)
        self._clients(now, seen)
        self._prune(seen, slow)
        if slow:
            self._listed_at = now
            self._keep()
        self._quiet = f"{quiet} {now // 60}" if complete else ""

    # Monitoring

    def _monitoring(self, now: float, seen: ContentHashes, slow: bool) -> None:
        status = queries.status(self.store, self.config, now)
        self._put(self.admin / "status.json", queries.to_json(status, indent=2) + "\n")
        services = monitor.services(self.store)
        order = {one: content_hash for one, content_hash in seen.errors.items() if one not in seen.merged}
        for part in self._parts(ERRORS, order, ROWS, [services, now // 3600], slow):
            rows = self._lines(part.numbers, seen, now, keep=part.page == 1)
            text = self.pages.monitoring(
                rows, status, now, page=part.page, pages=part.pages, services=services
            )
            self._put(self.root / part.name, text)
            if part.page == 1:
                self._put(self.admin / "index.js", script("index", {"html": text}))
                self._live(text)
        if slow:
            self._put(self.admin / "search.js", script("search", monitor.titles(self.store, now)))

    def _lines(self, numbers: list[int], seen: ContentHashes, now: float, *, keep: bool) -> list[Markup]:
        """The lines of some errors; of those that were kept the last time only what changed is drawn."""
        made = {one: f"{seen.errors[one]} {now // LINE_AGE}" for one in numbers}
        drawn = {one: self._drawn[one] for one in numbers if self._drawn.get(one, ("",))[0] == made[one]}
        for row in monitor.rows(self.store, self.config, [one for one in numbers if one not in drawn], now):
            drawn[row.error.id] = (made[row.error.id], self.pages.line(row))
        if keep:
            self._drawn = drawn
        return [drawn[one][1] for one in numbers if one in drawn]

    def _parts(
        self, listing: Listing, order: Mapping[int, str], size: int, more: object, slow: bool
    ) -> Iterator[Part]:
        """The pages of a listing that must be written: the first one when anything changed, all when `slow`.

        `order` holds the looks in the order of the listing; `more` is what every page depends on besides.
        """
        numbers = list(order)
        parts = [numbers[at : at + size] for at in range(0, len(numbers), size)] or [[]]
        for page, part in enumerate(parts if slow else parts[:1], 1):
            name = listing.name(page)
            content_hash = stamp(repr(([(one, order[one]) for one in part], len(parts), more)))
            if page == 1 or self._known.get(name) != content_hash:
                yield Part(name, page, len(parts), part)
                self._known[name] = content_hash
        gone = len(parts) + 1
        while slow and (self.root / listing.name(gone)).exists():
            (self.root / listing.name(gone)).unlink(missing_ok=True)
            gone += 1

    def _live(self, text: str) -> None:
        """What an open page asks for every few seconds: did anything change, is the daemon alive."""
        mark = text.partition('data-stamp="')[2].partition('"')[0]
        with self.store.reading():
            run = first(Run.select(Run.alive_until).order_by(Run.alive_until.desc()))
        self._put(
            self.admin / "live.js", script("live", {"stamp": mark, "alive": run and run["alive_until"]})
        )

    # Errors and tickets

    def _single_pages(self, now: float, seen: ContentHashes, progress: Progress) -> bool:
        """The pages of tickets and errors that changed, in batches; False when the budget ended first."""
        known = self._known
        tickets = [
            one for one, content_hash in seen.tickets.items() if known.get(_ticket_name(one)) != content_hash
        ]
        errors = [
            one for one, content_hash in seen.errors.items() if known.get(_error_name(one)) != content_hash
        ]
        done, of = 0, len(tickets) + len(errors)
        batches: list[tuple[Callable[[list[int], float, ContentHashes], None], list[int]]] = []
        batches += [(self._tickets, batch) for batch in _batches(tickets)]
        batches += [(self._errors, batch) for batch in _batches(errors)]
        for write, batch in batches:
            if time.monotonic() > self._deadline:
                return False
            write(batch, now, seen)
            done += len(batch)
            progress(done, of)
        return True

    def _tickets(self, ticket_ids: list[int], now: float, seen: ContentHashes) -> None:
        for one, ticket in queries.ticket_details(self.store, ticket_ids, self.config, now).items():
            self._put(self.root / _ticket_name(one), self.pages.ticket(ticket))
            self._known[_ticket_name(one)] = seen.tickets[one]

    def _errors(self, error_ids: list[int], now: float, seen: ContentHashes) -> None:
        with self.store.reading():
            found = queries.details(self.store, error_ids, samples=SAMPLES)
            watches = queries.watches(self.store, self.config, error_ids, now)
        for one, error in found.items():
            page, data = self.pages.error(error, self._state(error, now), watches.get(one))
            self._put(self.root / _error_name(one), page)
            self._put((self.root / _error_name(one)).with_suffix(".js"), data)
            self._known[_error_name(one)] = seen.errors[one]

    @staticmethod
    def _state(error: ErrorDetail, now: float) -> str:
        statuses = [ticket.status for ticket in error.tickets]
        urgent = next((status for status in monitor.URGENCY if status in statuses), "")
        return monitor.state(error, urgent, now)

    # Listings and clients

    def _listings(self, now: float, seen: ContentHashes, slow: bool) -> None:
        tickets, corrections = stamp(repr(seen.tickets)), stamp(repr(seen.corrections))
        self._make("tickets", tickets, now, lambda: self._ticket_list(seen, slow), slow)
        self._make("corrections", corrections, now, lambda: self._correction_list(seen, slow), slow)
        self._make("metrics", stamp(tickets + corrections + seen.history), now, self._metrics, False)

    def _make(self, name: str, content_hash: str, now: float, make: Callable[[], None], slow: bool) -> None:
        """Makes a listing that changed; one that was dear the last time, at most every `SLOW` seconds."""
        made_at, took = self._dear.get(name, (float("-inf"), 0.0))
        if not slow and (
            self._known.get(name) == content_hash or (took > DEAR and 0 <= now - made_at < SLOW)
        ):
            return
        started = time.thread_time()
        make()
        self._known[name] = content_hash
        self._dear[name] = (now, time.thread_time() - started)

    def _ticket_list(self, seen: ContentHashes, slow: bool) -> None:
        order = {one: seen.tickets[one] for one in seen.ticket_order}
        services = monitor.services(self.store)
        for part in self._parts(TICKETS, order, ROWS, services, slow):
            found = {one.id: one for one in queries.tickets(self.store, ticket_ids=part.numbers)}
            rows = [found[one] for one in part.numbers if one in found]
            text = self.pages.tickets(
                rows, seen.tickets_open, len(order), page=part.page, pages=part.pages, services=services
            )
            self._put(self.root / part.name, text)
        if slow:
            self._put(
                self.admin / "tickets" / "search.js", script("search", queries.ticket_titles(self.store))
            )

    def _correction_list(self, seen: ContentHashes, slow: bool) -> None:
        services = monitor.services(self.store)
        top = queries.top_corrected(self.store)
        for part in self._parts(CORRECTIONS, seen.corrections, CHANGES, services, slow):
            found = {one.id: one for one in queries.corrections(self.store, correction_ids=part.numbers)}
            rows = [found[one] for one in part.numbers if one in found]
            text = self.pages.corrections(
                rows, top, len(seen.corrections), page=part.page, pages=part.pages, services=services
            )
            self._put(self.root / part.name, text)
        if slow:
            known = queries.correction_titles(self.store)
            self._put(self.admin / "corrections-search.js", script("search", known))

    def _metrics(self) -> None:
        numbers = queries.metrics(self.store)
        self._put(self.admin / "metrics.html", self.pages.metrics(numbers))
        self._put(self.admin / "metrics.json", queries.to_json(numbers, indent=2) + "\n")
        self._put(self.admin / "metrics.csv", metrics_csv(numbers))

    def _clients(self, now: float, seen: ContentHashes) -> None:
        content_hash = stamp(repr((seen.by_client, seen.clients)))
        if self._known.get("clients") == content_hash:
            return
        known = queries.clients(self.store)
        for client in known:
            self._client(client, seen.by_client.get(client.id, {}), now)
        folders = {client.folder for client in known}
        for path in (self.root / "clients").glob("*"):
            if path.name not in folders:
                _remove(path)
        self._known["clients"] = content_hash

    def _client(self, client: ClientFacts, own: Mapping[int, str], now: float) -> None:
        """A client's pages: with its own files for style and script, so that its folder is all it needs."""
        place = self.root / "clients" / client.folder
        name = f"clients/{client.folder}/index.html"
        content_hash = stamp(repr((client, own)))
        if self._known.get(name) == content_hash:
            return
        pages = Pages(client.language or self.config.report_language, self.config)
        self._static(place / "static")
        self._put(
            place / "index.html", pages.client(client, queries.tickets(self.store, client_id=client.id))
        )
        names = {one: f"clients/{client.folder}/tickets/{one}.html" for one in own}
        for batch in _batches([one for one, seen in own.items() if self._known.get(names[one]) != seen]):
            for one, ticket in queries.ticket_details(self.store, batch, self.config, now).items():
                self._put(self.root / names[one], pages.client_ticket(client, ticket))
                self._known[names[one]] = own[one]
        for path in (place / "tickets").glob("*.html"):
            if f"clients/{client.folder}/tickets/{path.name}" not in names.values():
                path.unlink(missing_ok=True)
        self._known[name] = content_hash

    # Files

    def _put(self, path: Path, text: str) -> None:
        """Writes a file whole, unless it already says the same."""
        data = text.encode("utf-8", "replace")
        with suppress(FileNotFoundError):
            if path.stat().st_size == len(data) and path.read_bytes() == data:
                return
        passing = path.with_name(f".{path.name}.new")
        try:
            _write(passing, data)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(passing, data)
        reach("in_page")
        os.replace(passing, path)
        self._written += 1

    def _static(self, place: Path) -> None:
        name = str(place.relative_to(self.root))
        if self._known.get(name) == self._edition:
            return
        for path in sorted(STATIC.iterdir()):
            if path.suffix in (".css", ".js", ".svg"):
                self._put(place / path.name, path.read_text("utf-8"))
        self._known[name] = self._edition

    def _prune(self, seen: ContentHashes, slow: bool) -> None:
        """Removes the pages of what is gone: since the last writing, or when `slow` whatever is there."""
        numbers = (frozenset(seen.errors), frozenset(seen.tickets))
        if not slow and all(before <= after for before, after in zip(self._numbers, numbers, strict=True)):
            return
        self._numbers = numbers
        wanted = {*map(_ticket_name, seen.tickets), *map(_error_name, seen.errors)}
        for name in [name for name in self._known if _SINGLE.fullmatch(name) and name not in wanted]:
            (self.root / name).unlink(missing_ok=True)
            (self.root / name).with_suffix(".js").unlink(missing_ok=True)
            del self._known[name]

    def _remember(self) -> None:
        """What the files that are there were written from: by an earlier process too."""
        if not self._known:
            self._known = self._kept()
        self._known = {
            name: content_hash for name, content_hash in self._known.items() if (self.root / name).exists()
        }
        for path in (*(self.admin / "errors").glob("*.html"), *(self.admin / "tickets").glob("*.html")):
            self._known.setdefault(str(path.relative_to(self.root)), "")

    def _kept(self) -> dict[str, str]:
        try:
            data = (self.root / ".shelf").read_bytes()
            edition, known = msgspec.msgpack.decode(data, type=tuple[str, dict[str, str]])
        except (FileNotFoundError, msgspec.MsgspecError):
            return {}
        return known if edition == self._edition else {}

    def _keep(self) -> None:
        passing = self.root / ".shelf.new"
        passing.write_bytes(msgspec.msgpack.encode((self._edition, self._known)))
        os.replace(passing, self.root / ".shelf")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _write(path: Path, data: bytes) -> None:
    """Without the questions that `open` asks of each new file: there are tens of thousands."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
    finally:
        os.close(descriptor)


def _ticket_name(ticket_id: int) -> str:
    return f"admin/tickets/{ticket_id}.html"


def _error_name(error_id: int) -> str:
    return f"admin/errors/{error_id}.html"


def _batches(numbers: list[int]) -> Iterator[list[int]]:
    return (numbers[at : at + BATCH] for at in range(0, len(numbers), BATCH))


def metrics_csv(numbers: MetricsFacts) -> str:
    """The numbers as `group,name,number,value` lines; the same values as in the JSON."""
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(("group", "name", "number", "value"))
    for key, value in queries.to_builtins(numbers).items():
        if not isinstance(value, list):
            lines.writerow(("all", "", key, "" if value is None else value))
            continue
        for entry in value:
            label, *rest = entry.items()
            name = label[1]
            if key == "top_corrected":
                name = f"{entry['source']} {entry['message']}"
                rest = [("corrections_count", entry["corrections_count"])]
            for number, one in rest:
                lines.writerow((key, _cell(name), number, "" if one is None else one))
    return out.getvalue()


def _cell(text: str) -> str:
    """A text that a spreadsheet does not take for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _edition(config: Config) -> str:
    """Changes with everything but the facts that pages are made of: templates, texts, settings."""
    files = [*(HERE / "templates").iterdir(), *STATIC.iterdir(), *LOCALE.rglob("*.mo"), *HERE.glob("*.py")]
    content = [stamp(path.read_bytes().decode("latin-1")) for path in sorted(files) if path.is_file()]
    return stamp(repr((content, config.report, config.watch, config.tickets, config.mail.language)))


def _remove(folder: Path) -> None:
    """A client's folder with all that is in it."""
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
    folder.rmdir() if folder.is_dir() else folder.unlink(missing_ok=True)
