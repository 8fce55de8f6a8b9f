"""Who is correcting which error: read-only queries into small frozen values."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from tocsin.daemon.queries.moment import Moment, moment
from tocsin.daemon.queries.rows import dicts
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Claim


class ClaimFacts(Struct, frozen=True):
    """Somebody's claim of an error; it is over at `ends_at`."""

    error_id: int
    claimed_by: str
    claimed_at: Moment
    ends_at: Moment


def claims(
    store: Store, *, error_ids: Iterable[int] | None = None, now: float | None = None
) -> list[ClaimFacts]:
    """Claims, the one that ends last first; those of some errors, and with `now` those that are not over."""
    query = Claim.select().order_by(Claim.ends_at.desc())
    if error_ids is not None:
        query = query.where(Claim.error.in_(list(error_ids)))
    if now is not None:
        query = query.where(Claim.ends_at > now)
    with store.reading():
        return [
            ClaimFacts(row["error"], row["claimed_by"], moment(row["claimed_at"]), moment(row["ends_at"]))
            for row in dicts(query)
        ]
