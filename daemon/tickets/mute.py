"""Which occurrences of a muted error are heard. A muted error goes on being counted; nobody is told of it.

Muted until a moment: what happened before it is not heard, also when it arrives later. Muted until it exceeds
a rate: nothing is heard until more than that many occurrences fall into one hour; then the mute ends.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tocsin.daemon.store.models import ErrorLog
from tocsin.daemon.tickets.lifecycle import reached

WINDOW = 3600.0
RATE_LIMIT = 10_000
"""Occurrences an hour, at most: so many moments an error muted by rate remembers."""
_RATE = re.compile(r"(\d{1,5})\s*/\s*h")


def parse_rate(text: str) -> int:
    """Occurrences an hour of `10/h`. Raises ValueError with what would be right."""
    found = _RATE.fullmatch(text.strip())
    if not found or not 1 <= int(found[1]) <= RATE_LIMIT:
        raise ValueError(f'write occurrences an hour such as "10/h", from 1 to {RATE_LIMIT}')
    return int(found[1])


def heard(error: ErrorLog, moments: Sequence[tuple[float, str]]) -> Sequence[tuple[float, str]]:
    """Of new occurrences (moment, client) those that are not muted; ends a mute whose rate is exceeded."""
    if error.muted_rate is not None:
        count = int(error.muted_rate) + 1
        known = sorted([*((float(at), str(client)) for at, client in error.recent), *moments])
        if not reached([at for at, _ in known], count, WINDOW):
            error.recent = known[-count:]
            return []
        error.muted_rate = None
        error.save(only=[ErrorLog.muted_rate])
    if error.muted_until is not None:
        return [(at, client) for at, client in moments if at > error.muted_until]
    return moments
