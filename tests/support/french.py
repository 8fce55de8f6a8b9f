"""English words on a French page: what stands there and is neither data nor French."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

from babel.messages.pofile import read_po

from tocsin.daemon import language

PROJECT = Path(__file__).parents[2]
CATALOGUES = ("daemon/locale/fr/LC_MESSAGES/tocsin.po", "daemon/cli/locale/fr/LC_MESSAGES/command.po",
              "reports/locale/fr/LC_MESSAGES/reports.po")  # fmt: skip
SEEN = ("title", "aria-label", "placeholder", "alt", "data-lost", "data-done", "data-failed", "data-daemon")
"""Attributes that a reader sees or hears."""
UNREAD = frozenset(("script", "style", "code", "pre"))
"""Elements that hold programs and commands."""
VOID = frozenset(("meta", "link", "input", "br", "path", "rect", "line", "img"))
BOTH = frozenset(("auto-fix", "json", "csv", "utc", "python", "english", "tocsin", "diff"))
"""Words that French technical writing has too, and names."""
_FACT = re.compile(r"%\(\w+\)[a-z.0-9]+")
_WORD = re.compile(r"[A-Za-zÀ-ÿœ’'-]+")
_IDENTIFIER = re.compile(r"\S*(?:[\w)][@/_.:=][\w(]|\d)\S*")
"""Addresses, paths, keys of settings, numbers."""


def foreign(text: str) -> str:
    """Data that no French and no English word can be mistaken for: its letters are Greek."""
    return re.sub("[A-Za-z]", lambda found: chr(0x3B1 + ord(found[0].lower()) % 17), text)


class ReadAloud(HTMLParser):
    """All that a reader of a page sees or hears, piece by piece."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.pieces += [value for name, value in attrs if name in SEEN and value]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if data.strip() and not UNREAD.intersection(self._open):
            self.pieces.append(data.strip())


def english_on(page: str, data: Iterable[str] = ()) -> list[str]:
    """The pieces of a page with an English word; `data` are words that only look like one."""
    known = {word.lower() for word in data} | BOTH
    return [piece for piece in ReadAloud(page).pieces if (_words(piece) & _english()) - known]


def _words(text: str) -> set[str]:
    return {found.lower().strip("-'’") for found in _WORD.findall(_IDENTIFIER.sub(" ", text))}


@cache
def _english() -> frozenset[str]:
    """The words of our English texts and of the documentation that none of our French texts has."""
    english: set[str] = set()
    french: set[str] = set()
    for name in CATALOGUES:
        with (PROJECT / name).open("rb") as file:
            for message in read_po(file, locale="fr"):
                for texts, words in ((message.id, english), (message.string, french)):
                    for text in (texts,) if isinstance(texts, str) else texts:
                        words |= _words(_FACT.sub(" ", text))
    for page in (language.LOCALES.parents[1] / "docs").glob("*.md"):
        english |= _words(re.sub(r"```.*?```|`[^`]*`", " ", page.read_text("utf-8"), flags=re.S))
    return frozenset(word for word in english - french if len(word) > 1)
