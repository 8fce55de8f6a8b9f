"""A listing in parts: the cursor is the last row of a part, so that what comes meanwhile shifts nothing."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any

from tocsin.daemon.queries.moment import iso
from tocsin.daemon.queries.selection import Selection
from tocsin.daemon.settings import Duration
from tocsin.reports.api.operation import LARGEST_NUMBER, InvalidValue, Page
from tocsin.reports.api.shapes import Listing, Narrowed

LAST_MOMENT = 253_402_300_799.0
"""The end of the year 9999."""


def selection(query: Listing, now: float, *, client: str | None = None) -> Selection:
    """What a listing's query means, with one row more than is shown. Raises InvalidValue."""
    narrowed = query if isinstance(query, Narrowed) else Narrowed()
    return Selection(
        service=narrowed.service,
        client=client or narrowed.client,
        since=None if narrowed.since is None else since(narrowed.since, now),
        limit=query.limit + 1,
        after=_position(query.cursor) if query.cursor else None,
    )


def page(found: list[Any], query: Listing, position: Callable[[Any], tuple[float, int]]) -> Page:
    """The part that was asked for of what `selection` found; `position` is a row's place in the order."""
    if len(found) <= query.limit:
        return Page(found, None)
    shown = found[: query.limit]
    return Page(shown, _cursor(*position(shown[-1])))


def since(text: str, now: float) -> float:
    """Epoch seconds of `2h` or of an ISO 8601 moment. Raises InvalidValue."""
    try:
        found: float | None = now - Duration.parse(text)
    except ValueError:
        found = iso(text)
    if found is None:
        raise InvalidValue(
            "since", f"since {text!r}: write how long ago, as 2h or 7d, or 2026-01-31T14:05:00Z"
        )
    return min(max(found, 0.0), LAST_MOMENT)


def _cursor(at: float, number: int) -> str:
    return urlsafe_b64encode(f"{float(at)!r} {number}".encode()).decode().rstrip("=")


def _position(cursor: str) -> tuple[float, int]:
    try:
        at, number = urlsafe_b64decode(cursor.encode("ascii") + b"===").decode("ascii").split(" ")
        moment, row = float(at), int(number)
    except ValueError:  # also what is no base64 or no ASCII
        raise InvalidValue("cursor", "the cursor is none that a Link header gave") from None
    if not (0.0 <= moment <= LAST_MOMENT and 0 <= row <= LARGEST_NUMBER):
        raise InvalidValue("cursor", "the cursor is none that a Link header gave")
    return moment, row
