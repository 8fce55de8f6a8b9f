"""Who is correcting an error right now: a claim is good for an hour, so that two do not do the same work.

It ends with the correction that is recorded, when it is given back, or by itself.
"""

from __future__ import annotations

from tocsin.daemon.failure import Meanwhile, NotThere
from tocsin.daemon.store import corrections
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Claim
from tocsin.daemon.tickets.manual import locked_error

HOUR = 3600.0


class ClaimError(Meanwhile):
    """Somebody else has the error; the text says who, and until when."""


class NoClaim(NotThere):
    """There is no such claim."""


def claim(store: Store, error_id: int, by: str, now: float) -> None:
    """Claims an error for an hour; whoever has it already gets another hour. Raises ClaimError, ManualError."""
    with store.transaction():
        locked_error(store, error_id)
        held = Claim.get_or_none((Claim.error == error_id) & (Claim.ends_at > now))
        if held is not None and held.claimed_by != by:
            raise ClaimError(
                f"error {error_id} is claimed by {held.claimed_by} for another {(held.ends_at - now) / 60:.0f} min"
            )
        corrections.set_claim(error_id, by, now, now + HOUR)


def give_back(store: Store, error_id: int, by: str, now: float) -> None:
    """Ends a claim of one's own. Raises ClaimError when somebody else has it, NoClaim when nobody."""
    with store.transaction():
        locked_error(store, error_id)
        held = Claim.get_or_none((Claim.error == error_id) & (Claim.ends_at > now))
        if held is None:
            raise NoClaim(f"error {error_id} is not claimed")
        if held.claimed_by != by:
            raise ClaimError(f"error {error_id} is claimed by {held.claimed_by}, who can give it back")
        corrections.end_claim(error_id)
