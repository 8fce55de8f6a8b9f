"""Rows and labelled facts on a terminal of any width: nothing breaks inside a time, a word or a number.

What does not fit beside the rest goes on a line of its own, indented. Knows no command and prints nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from unicodedata import combining, east_asian_width

from tocsin.daemon.queries.moment import Moment
from tocsin.daemon.time_zone import TimeZone

GAP = "  "
INDENT = 4
READABLE = 24
"""Columns of a text that are worth having beside the other cells; a text with less gets its own line."""

_BREAKS = re.compile("[ \t\n\v\f\r]+")
_KEPT = "\n\t\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}"


class Column(NamedTuple):
    """A column's title; `text` may be broken between its words, everything else never is."""

    title: str
    text: bool = False
    number: bool = False


class Table(NamedTuple):
    """The lines of a table: those of its titles and those of its rows."""

    head: list[str]
    body: list[str]


def table(
    columns: Sequence[Column], rows: Sequence[Sequence[object]], width: int | None, zone: TimeZone
) -> Table:
    """The lines of a table that fit the width; None: one line a row. A column without any value is dropped.

    A line is wider only where a single word is. The title of a column of moments names the time zone.
    """
    cells = [[cell_text(cell, zone) for cell in row] for row in rows]
    kept = [at for at in range(len(columns)) if any(row[at] for row in cells)]
    titles = [_zoned(columns[at].title, [row[at] for row in rows], zone) for at in kept]
    columns = [columns[at] for at in kept]
    cells = [[row[at] for at in kept] for row in cells]
    lines = _lines(columns, [titles, *cells], width)
    return Table(
        list(_row(columns, lines, titles)), [line for row in cells for line in _row(columns, lines, row)]
    )


def labelled(facts: Sequence[tuple[str, object]], width: int | None, zone: TimeZone) -> list[str]:
    """Lines of `label  value`; a long value goes on below itself, broken between words. No value: no line.

    The label of a moment names the time zone.
    """
    known = [(_zoned(label, [value], zone), cell_text(value, zone)) for label, value in facts]
    known = [(label, value) for label, value in known if value]
    first = max((columns_of(label) for label, _ in known), default=0)
    lines = []
    for label, value in known:
        pieces = wrapped(value, None if width is None else width - first - len(GAP))
        lines.append(f"{_padded(label, first)}{GAP}{pieces[0]}")
        lines += [" " * (first + len(GAP)) + piece for piece in pieces[1:]]
    return lines


def cell_text(value: object, zone: TimeZone) -> str:
    """A value on one line: a moment to the minute, '' for None, control characters made visible."""
    if isinstance(value, Moment):
        return zone.local(value).strftime("%Y-%m-%d %H:%M")
    return printable(_BREAKS.sub(" ", "" if value is None else str(value)).strip(" "))


def printable(text: str) -> str:
    """The text without control characters other than line breaks and tabs."""
    return "".join(c if c.isprintable() or c in _KEPT else "\N{REPLACEMENT CHARACTER}" for c in text)


def brief(text: str, limit: int) -> str:
    """The text, or its beginning and an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def wrapped(text: str, width: int | None) -> list[str]:
    """The text in lines of that width, broken between words only; at least one line."""
    if width is None or columns_of(text) <= width:
        return [text]
    lines: list[str] = []
    for word in text.split(" "):
        if lines and columns_of(lines[-1]) + 1 + columns_of(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def columns_of(text: str) -> int:
    """How many columns of a terminal the text takes."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def _zoned(title: str, values: Sequence[object], zone: TimeZone) -> str:
    """The title of such values; that of moments names the time zone."""
    return f"{title} ({zone.label})" if any(isinstance(value, Moment) for value in values) else title


class _Place(NamedTuple):
    """Which column stands here, and how wide."""

    column: int
    width: int


def _lines(
    columns: Sequence[Column], cells: Sequence[Sequence[str]], width: int | None
) -> list[list[_Place]]:
    """Which columns share a line: in their order, as many as fit."""
    full = [max(columns_of(row[at]) for row in cells) for at in range(len(columns))]
    if width is None:
        return [[_Place(at, wide) for at, wide in enumerate(full)]]
    room = width - INDENT
    needs = []
    for at, column in enumerate(columns):
        longest = max(columns_of(word) for row in cells for word in row[at].split(" "))
        breaks = column.text or full[at] > room
        needs.append(min(full[at], max(longest, min(READABLE, room))) if breaks else full[at])
    lines: list[list[int]] = [[]]
    used = 0
    for at, need in enumerate(needs):
        if lines[-1] and used + len(GAP) + need > width:
            lines.append([])
            used = INDENT
        used += need + (len(GAP) if lines[-1] else 0)
        lines[-1].append(at)
    return [_filled(line, needs, full, width if number == 0 else room) for number, line in enumerate(lines)]


def _filled(line: list[int], needs: list[int], full: list[int], width: int) -> list[_Place]:
    """The line's columns, the room that is left given to those that could use it."""
    left = max(0, width - sum(needs[at] for at in line) - len(GAP) * (len(line) - 1))
    places = []
    for at in line:
        more = min(left, full[at] - needs[at])
        left -= more
        places.append(_Place(at, needs[at] + more))
    return places


def _row(columns: Sequence[Column], lines: list[list[_Place]], cells: Sequence[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        indent = " " * INDENT if number else ""
        pieces = [wrapped(cells[place.column], place.width) for place in line]
        for at in range(max(map(len, pieces), default=0)):
            shown = (
                _padded(piece[at] if at < len(piece) else "", place.width, columns[place.column].number)
                for piece, place in zip(pieces, line, strict=True)
            )
            if (said := (indent + GAP.join(shown)).rstrip()) or number == 0:
                yield said


def _padded(text: str, width: int, number: bool = False) -> str:
    blanks = " " * (width - columns_of(text))
    return blanks + text if number else text + blanks
