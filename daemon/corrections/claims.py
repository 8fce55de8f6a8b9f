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
                "error %(error_id)s is claimed by %(claimed_by)s for another %(minutes).0f min",
                error_id=error_id,
                claimed_by=held.claimed_by,
                minutes=(held.ends_at - now) / 60,
            )
        corrections.set_claim(error_id, by, now, now + HOUR)


def give_back(store: Store, error_id: int, by: str, now: float) -> None:
    """Ends a claim of one's own. Raises ClaimError when somebody else has it, NoClaim when nobody."""
    with store.transaction():
        locked_error(store, error_id)
        held = Claim.get_or_none((Claim.error == error_id) & (Claim.ends_at > now))
        if held is None:
            raise NoClaim("error %(error_id)s is not claimed", error_id=error_id)
        if held.claimed_by != by:
            raise ClaimError(
                "error %(error_id)s is claimed by %(claimed_by)s, who can give it back",
                error_id=error_id,
                claimed_by=held.claimed_by,
            )
        corrections.end_claim(error_id)
