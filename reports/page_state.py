"""What each page was last written from, kept beside the pages: what is the same needs no writing. Writes no page."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping

import msgspec
from msgspec import Struct

from tocsin.reports.pages import stamp
from tocsin.reports.report_files import ReportFiles

_FILE = "admin/.written"
"""Names each client's folder: among the admins' pages, and for the writer alone."""
_SINGLE = re.compile(r"admin/(errors|tickets)/\d+\.html")


def ticket_page(ticket_id: int) -> str:
    """A ticket's page below the root."""
    return f"admin/tickets/{ticket_id}.html"


def error_page(error_id: int) -> str:
    """An error's page below the root."""
    return f"admin/errors/{error_id}.html"


def data_file(page: str) -> str:
    """The script beside a page, with what an open page of it asks for."""
    return page.removesuffix(".html") + ".js"


class Listing(Struct, frozen=True):
    """The files of a listing below the root: the first page, and the pattern of the others."""

    first: str
    others: str

    def name(self, page: int) -> str:
        """The file of this page."""
        return self.first if page == 1 else self.others.format(page)


class Part(Struct, frozen=True):
    """One page of a listing: what stands on it, by number."""

    name: str
    page: int
    pages: int
    numbers: list[int]


class PageState:
    """By a page's path below the root: the content hash that it was last written from."""

    def __init__(self, files: ReportFiles, edition: str) -> None:
        """`edition` changes with everything but the facts: pages of another one have to be written again."""
        self.edition = edition
        self._files = files
        self._hashes: dict[str, str] = {}
        self._listed: tuple[frozenset[int], frozenset[int]] = (frozenset(), frozenset())
        """The errors and tickets that there were when the pages of what is gone were removed last."""

    def current(self, name: str, content_hash: str) -> bool:
        """Whether the page was last written from just this."""
        return self._hashes.get(name) == content_hash

    def record(self, name: str, content_hash: str) -> None:
        """The page is written from this now."""
        self._hashes[name] = content_hash

    def outdated(self, hashes: Mapping[int, str], page: Callable[[int], str]) -> list[int]:
        """The errors or tickets whose page was written from something else, or never. `page` names their pages."""
        return [
            number for number, content_hash in hashes.items() if not self.current(page(number), content_hash)
        ]

    def parts(
        self, listing: Listing, order: Mapping[int, str], size: int, more: object, *, every: bool
    ) -> Iterator[Part]:
        """The pages of a listing that must be written: the first one always, with `every` all that changed.

        `order` holds the content hashes in the order of the listing; `more` is what every page depends on
        besides. With `every` the files of pages that the listing no longer has are removed.
        """
        numbers = list(order)
        parts = [numbers[at : at + size] for at in range(0, len(numbers), size)] or [[]]
        for page, part in enumerate(parts if every else parts[:1], 1):
            name = listing.name(page)
            content_hash = stamp(repr(([(one, order[one]) for one in part], len(parts), more)))
            if page == 1 or not self.current(name, content_hash):
                yield Part(name, page, len(parts), part)
                self.record(name, content_hash)
        gone = len(parts) + 1
        while every and self._files.exists(listing.name(gone)):
            self._files.remove(listing.name(gone))
            gone += 1

    def prune(self, errors: Collection[int], tickets: Collection[int], *, every: bool) -> None:
        """Removes the pages of errors and tickets that are gone since the last time; with `every` all such."""
        numbers = (frozenset(errors), frozenset(tickets))
        if not every and all(before <= after for before, after in zip(self._listed, numbers, strict=True)):
            return
        self._listed = numbers
        wanted = {*map(ticket_page, tickets), *map(error_page, errors)}
        for name in [name for name in self._hashes if _SINGLE.fullmatch(name) and name not in wanted]:
            self._files.remove(name)
            self._files.remove(data_file(name))
            del self._hashes[name]

    def refresh_static(self, folder: str) -> None:
        """Writes what pages need of style and script into this folder, unless it is there in this edition."""
        if not self.current(folder, self.edition):
            self._files.put_static(folder)
            self.record(folder, self.edition)

    def load(self) -> None:
        """Compares with the files that are there: written by an earlier process too, or removed since."""
        known = self._hashes or self._kept()
        self._hashes = {
            name: content_hash for name, content_hash in known.items() if self._files.exists(name)
        }
        for folder in ("admin/errors", "admin/tickets"):
            for name in self._files.names(folder, "*.html"):
                self._hashes.setdefault(name, "")

    def save(self) -> None:
        """Writes it down for the next process. Raises OSError."""
        self._files.keep(_FILE, msgspec.msgpack.encode((self.edition, self._hashes)))

    def _kept(self) -> dict[str, str]:
        try:
            data = (self._files.root / _FILE).read_bytes()
            edition, hashes = msgspec.msgpack.decode(data, type=tuple[str, dict[str, str]])
        except (FileNotFoundError, msgspec.MsgspecError):
            return {}
        return hashes if edition == self.edition else {}
