"""The lines of the errors' list, drawn once for all readers of a language and a time zone."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from tocsin.daemon.queries.monitor import ErrorRow
from tocsin.reports.pages import Pages

MOST = 1000


class DrawnLines:
    """For several threads: at worst a line is drawn twice."""

    def __init__(self) -> None:
        self._drawn: dict[tuple[str, str | None, int], tuple[ErrorRow, Markup]] = {}

    def of(self, rows: Sequence[ErrorRow], pages: Pages) -> list[Markup]:
        """The lines of these rows; what is as it was the last time is not drawn again."""
        return [self._line(row, pages) for row in rows]

    def _line(self, row: ErrorRow, pages: Pages) -> Markup:
        key = (pages.words.language, pages.timezone, row.error.id)
        known = self._drawn.get(key)
        if known is not None and known[0] == row:
            return known[1]
        made = pages.line(row)
        if len(self._drawn) >= MOST:
            self._drawn.clear()
        self._drawn[key] = (row, made)
        return made
