"""Reads HTML strictly: what is open must be closed, in order."""

from __future__ import annotations

from collections import Counter
from html.parser import HTMLParser

VOID = frozenset(("meta", "link", "input", "br", "path"))


class Markup(HTMLParser):
    """The elements of a page, each with its attributes; raises AssertionError where the nesting is wrong."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        assert len({name for name, _ in attrs}) == len(attrs), (tag, attrs)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open[-1] == tag, f"</{tag}> inside {self._open}"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def shape(self) -> Counter[tuple[str, tuple[str, ...]]]:
        """How often each element with these attribute names is there; Pygments' spans depend on the text."""
        return Counter(
            (tag, tuple(sorted(attributes)))
            for tag, attributes in self.elements
            if tag != "span" or "class" not in attributes
        )
