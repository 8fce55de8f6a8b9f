"""Which occurrences of a muted error are heard. A muted error goes on being counted; nobody is notified of it.

Muted until a moment: what happened before it is not heard, also when it arrives later. Muted until it exceeds
a rate: nothing is heard until more than that many occurrences fall into one hour; then the mute ends.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tocsin.daemon.store import errors
from tocsin.daemon.store.models import ErrorLog
from tocsin.daemon.tickets.lifecycle import reached

WINDOW = 3600.0
RATE_LIMIT = 10_000
"""Occurrences an hour, at most: so many moments an error muted by rate remembers."""
Occurrence = tuple[float, str]
"""(moment, client id or '')."""

_RATE = re.compile(r"(\d{1,5})\s*/\s*h")


def parse_rate(text: str) -> int:
    """Occurrences an hour of `10/h`. Raises ValueError with what would be right."""
    found = _RATE.fullmatch(text.strip())
    if not found or not 1 <= int(found[1]) <= RATE_LIMIT:
        raise ValueError(f'write occurrences an hour such as "10/h", from 1 to {RATE_LIMIT}')
    return int(found[1])


def may_be_muted(error: ErrorLog) -> bool:
    """Whether there is anything to ask `heard` about: a rate, or a moment, which may have passed."""
    return error.muted_until is not None or error.muted_rate is not None


def heard(error: ErrorLog, moments: Sequence[Occurrence]) -> Sequence[Occurrence]:
    """Of new occurrences (moment, client) those that are not muted. Changes nothing."""
    if error.muted_rate is not None and not _exceeds_rate(error, moments):
        return []
    if error.muted_until is not None:
        return [(at, client) for at, client in moments if at > error.muted_until]
    return moments


def count_towards_rate(error: ErrorLog, moments: Sequence[Occurrence]) -> None:
    """Counts new occurrences of an error muted by rate; ends the mute once they exceed it.

    What is counted stands in the error's `recent`, which the caller saves.
    """
    if error.muted_rate is None:
        return
    if _exceeds_rate(error, moments):
        errors.end_rate_mute(error)
    else:
        error.recent = _known(error, moments)[-(int(error.muted_rate) + 1) :]


def _exceeds_rate(error: ErrorLog, moments: Sequence[Occurrence]) -> bool:
    return reached([at for at, _ in _known(error, moments)], int(error.muted_rate) + 1, WINDOW)


def _known(error: ErrorLog, moments: Sequence[Occurrence]) -> list[Occurrence]:
    return sorted([*((float(at), str(client)) for at, client in error.recent), *moments])
