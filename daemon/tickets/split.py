"""One error that is several, told apart by what no rule knows: by client, by route, by a part of the text."""

from __future__ import annotations

import re

from tocsin.daemon.store import errors, signatures
from tocsin.daemon.store.database import Store
from tocsin.daemon.tickets.manual import ManualError, find


def split(store: Store, error_id: int, by: str, created_by: str, now: float) -> None:
    """Tells an error's events apart by `client`, `route` or `text:REGEX`, from now on.

    What is stored stays with the error. `merge` of a part into it undoes that part; of the last one, the split.
    Raises ManualError.
    """
    if by.startswith("text:"):
        try:
            re.compile(by.removeprefix("text:"))
        except re.error as error:
            raise ManualError("%(by)r is no regular expression: %(reason)s", by=by, reason=error) from None
    elif by not in ("client", "route"):
        raise ManualError("%(by)r: write client, route or text:REGEX", by=by)
    with store.transaction():
        errors.lock(store, [error_id])
        signatures.split(find(error_id).id, by, created_by, now)
