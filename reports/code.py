"""Source and diffs as HTML: Pygments colours them; nothing of the text is left to be read as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache

from markupsafe import Markup
from msgspec import Struct
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer, TextLexer

from tocsin.daemon.visible_text import capped, visible

WIDTH = 400
"""Characters of one line that are shown."""

LINES = 400
"""Lines of one piece of code that are shown and compared: difflib's time grows with their square."""


PYTHON = (".py", ".pyi", ">")
"""How the names of Python files end, and of code that is in no file."""


class Line(Struct, frozen=True):
    """One line of code: `number` is None for one that is not there."""

    number: int | None
    html: Markup


class Pair(Struct, frozen=True):
    """One line of a diff: `kind` is equal, removed, added or changed."""

    kind: str
    old: Line
    new: Line


_formatter = HtmlFormatter(nowrap=True)
_python = PythonLexer(stripnl=False, ensurenl=False)
_text = TextLexer(stripnl=False, ensurenl=False)
_NOTHING = Line(None, Markup(""))


def source(path: str, first: int, lines: Sequence[str], line: int, around: int = LINES) -> list[Line]:
    """The lines of a file from number `first` on, coloured: at most `around` on each side of `line`."""
    start = max(0, line - first - around)
    shown = lines[start : max(0, line - first) + around + 1][:LINES]
    coloured = _cached(path.endswith(PYTHON), tuple(shown))
    return [Line(number, html) for number, html in enumerate(coloured, first + start)]


@lru_cache(maxsize=2048)
def _cached(python: bool, lines: tuple[str, ...]) -> list[Markup]:
    return _coloured(python, lines)


def diff(path: str, old: str, new: str) -> list[Pair]:
    """Old and new code line by line, side by side; numbers count from the start of the piece."""
    before, after = _lines(old), _lines(new)
    left = [Line(number, html) for number, html in enumerate(_coloured(path.endswith(PYTHON), before), 1)]
    right = [Line(number, html) for number, html in enumerate(_coloured(path.endswith(PYTHON), after), 1)]
    found: list[Pair] = []
    for tag, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            found += [Pair("equal", *both) for both in zip(left[a:b], right[c:d], strict=True)]
            continue
        for step in range(max(b - a, d - c)):
            was = left[a + step] if a + step < b else _NOTHING
            now = right[c + step] if c + step < d else _NOTHING
            kind = "changed" if was.number and now.number else "removed" if was.number else "added"
            found.append(Pair(kind, was, now))
    return found


def unified(pairs: list[Pair]) -> list[tuple[str, Line]]:
    """The same diff in one column: (kind, line), removed lines before the added ones of each change."""
    found: list[tuple[str, Line]] = []
    added: list[tuple[str, Line]] = []
    for pair in pairs:
        if pair.kind == "equal":
            found += [*added, ("equal", pair.new)]
            added = []
            continue
        if pair.old.number:
            found.append(("removed", pair.old))
        if pair.new.number:
            added.append(("added", pair.new))
    return found + added


def _lines(text: str) -> tuple[str, ...]:
    return tuple(text.splitlines()[:LINES])


def _coloured(python: bool, lines: Sequence[str]) -> list[Markup]:
    """One piece of HTML per line: its tags are Pygments' spans only."""
    text = "\n".join(visible(capped(line, WIDTH)).replace("\n", " ") for line in lines)
    lexer = _python if python else _text
    html = highlight(text, lexer, _formatter).split("\n")
    if len(html) == len(lines) + 1 and not html[-1]:
        html.pop()
    if len(html) != len(lines):
        return [Markup.escape(line) for line in text.split("\n")]
    return [Markup(piece) for piece in html]
