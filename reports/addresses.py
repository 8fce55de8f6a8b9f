"""Where pages find each other: in the files beside each other, on the console under its root."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlencode

from tocsin.reports.report_files import STATIC

_FILE_LISTINGS = {
    "errors": ("index.html", "page-{}.html", "search.js"),
    "tickets": ("tickets/index.html", "tickets/page-{}.html", "tickets/search.js"),
    "corrections": ("corrections.html", "corrections-{}.html", "corrections-search.js"),
}


class FileAddresses:
    """From a page to the others as files; `up` leads from its directory to the root of its pages."""

    def __init__(self, up: str) -> None:
        self._up = up

    def listing(self, name: str, page: int = 1) -> str:
        """A listing's page: `errors`, `tickets`, `corrections`."""
        first, others, _ = _FILE_LISTINGS[name]
        return self._up + (first if page == 1 else others.format(page))

    def search(self, name: str) -> str:
        """The script with the titles of a whole listing."""
        return self._up + _FILE_LISTINGS[name][2]

    def folder(self, name: str) -> str:
        """What an error's or a ticket's number and `.html` are put behind, for titles found by a search."""
        return f"{self._up}{'tickets' if name == 'tickets' else 'errors'}/"

    def metrics(self, suffix: str = "html") -> str:
        return f"{self._up}metrics.{suffix}"

    def error(self, number: int) -> str:
        return f"{self._up}errors/{number}.html"

    def ticket(self, number: int) -> str:
        return f"{self._up}tickets/{number}.html"

    def own_tickets(self) -> str:
        """A client's first page."""
        return f"{self._up}index.html"

    own_ticket = ticket
    home = own_tickets

    def static(self, name: str) -> str:
        return f"{self._up}static/{name}"


class ServedAddresses:
    """From any page of the console to the others; a listing keeps what it was narrowed to."""

    def __init__(self, narrowed: Mapping[str, str] | None = None) -> None:
        self._narrowed = narrowed or {}

    def listing(self, name: str, page: int = 1) -> str:
        """A listing's page: `errors`, `tickets`, `corrections`, ..."""
        query = {key: value for key, value in self._narrowed.items() if value and key != "page"}
        query |= {"page": str(page)} if page > 1 else {}
        return f"/{name}?{urlencode(query)}" if query else f"/{name}"

    def metrics(self, suffix: str = "html") -> str:
        return "/metrics" if suffix == "html" else f"/metrics.{suffix}"

    def error(self, number: int) -> str:
        return f"/errors/{number}"

    def ticket(self, number: int) -> str:
        return f"/tickets/{number}"

    def own_tickets(self) -> str:
        """A client's first page."""
        return "/my/tickets"

    def own_ticket(self, number: int) -> str:
        return f"/my/tickets/{number}"

    def home(self) -> str:
        return "/"

    def static(self, name: str) -> str:
        return f"/static/{name}?{_mark(STATIC / name)}"


@lru_cache(maxsize=16)
def _mark(path: Path) -> str:
    """Changes with the file."""
    found = path.stat()
    return f"{found.st_mtime_ns:x}"
