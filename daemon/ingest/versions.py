"""Two versions of the grouping rule side by side: which known error a signature means.

For 30 days after the upgrade each event is signed under both. An error known by the older signature keeps its
number and tickets. Errors that the newer rule calls one go on side by side until the older ones' tickets are
closed, then they are merged; one error that it calls several stays one while a ticket of it is open.
Runs inside the digest's transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from tocsin.daemon.config import Config
from tocsin.daemon.ingest.tally import Sum
from tocsin.daemon.store import errors, signatures
from tocsin.daemon.store import tickets as rows
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.errors import Key
from tocsin.daemon.store.models import ErrorLog, KeyValue
from tocsin.daemon.tickets.merge import merge

BOTH_FOR = 30 * 86400.0
"""Seconds for which events are signed under both versions; longer while errors that became one have tickets."""
ASKED_AGAIN = 3600.0
SINCE = "grouping_2_since"
"""Fact: when version 2 was first used here; 0 where there were no errors of version 1."""


class Versions:
    """Whether both versions are computed now. Used by the digest's thread, inside its transaction."""

    def __init__(self) -> None:
        self._until: float | None = None

    def both(self, now: float) -> bool:
        """Whether events are to be signed under the older version, too."""
        if self._until is None:
            since = _since(now)
            self._until = since + BOTH_FOR if since else 0.0
        if now >= self._until > 0.0:
            self._until = now + ASKED_AGAIN if signatures.has_open_aliases() else 0.0
            if not self._until:
                signatures.end_provisional()
        return now < self._until


def both_hold(now: float) -> bool:
    """Whether a daemon would sign under both versions now. Reads only."""
    known = KeyValue.get_or_none(KeyValue.key == SINCE)
    since = float(known.value) if known is not None else _named_under_version_1(now)
    return since > 0.0 and (now < since + BOTH_FOR or signatures.has_open_aliases())


def resolve(store: Store, config: Config, sums: Mapping[Key, Sum], now: float) -> dict[Key, ErrorLog]:
    """The errors that these signatures mean; a key that is not in the answer needs a new one."""
    if not any(key.older for key in sums):
        return errors.by_key(store, sums)
    wanted = {key.now for key in sums} | {key.before for key in sums if key.older}
    found = errors.by_key(store, wanted)
    if _merge_quiet(store, config, sums, found, now):
        found = errors.by_key(store, wanted)
    statuses = rows.open_by_client({error.id for error in found.values()})
    provisional = signatures.provisional([key.now for key in sums])
    meant: dict[Key, ErrorLog] = {}
    for key in sorted(sums):
        error, before = found.get(key.now), found.get(key.before) if key.older else None
        if error is not None and key.now in provisional and error.id not in statuses:
            signatures.unpoint(key.now)
            error, before = None, None
        if error is not None and before is not None and error.id != before.id:
            signatures.note_alias(key)
            error = before
        elif error is None and before is not None:
            error = _adopted(key, before, sums[key], with_tickets=before.id in statuses)
        if error is not None:
            found.setdefault(key.now, error)
            meant[key] = error
    return meant


def _since(now: float) -> float:
    """When version 2 was first used in this database."""
    known = KeyValue.get_or_none(KeyValue.key == SINCE)
    if known is not None:
        return float(known.value)
    since = _named_under_version_1(now)
    rows.keep_fact(SINCE, str(since))
    return since


def _named_under_version_1(now: float) -> float:
    """`now` where a signature of version 1 is known, else 0."""
    return now if signatures.has_version("1:") else 0.0


def _adopted(key: Key, before: ErrorLog, total: Sum, *, with_tickets: bool) -> ErrorLog | None:
    """The error known by the older signature: for good, or, where another one has it, while it has tickets."""
    provisional = signatures.has_counterpart(key)
    if provisional and not with_tickets:
        return None
    errors.point(key, before, counterpart=key.older, provisional=provisional)
    if not provisional:
        errors.set_location(before, total.signature.coarse)
    return before


def _merge_quiet(
    store: Store, config: Config, sums: Collection[Key], found: Mapping[Key, ErrorLog], now: float
) -> bool:
    """Merges errors that became one and of which the older has no open ticket any more; says whether any."""
    pairs: dict[int, int] = {}
    for key in sorted(sums):
        error, before = found.get(key.now), found.get(key.before)
        if key.older and error is not None and before is not None and error.id != before.id:
            pairs.setdefault(before.id, error.id)
    statuses = rows.open_by_client(pairs)
    merged = False
    for before_id, into_id in sorted(pairs.items()):
        if before_id not in statuses and into_id not in pairs:
            merge(store, config, before_id, into_id, "system", now)
            merged = True
    return merged
