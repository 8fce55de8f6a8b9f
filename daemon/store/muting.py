"""When an error is muted, of a row's values and as a condition: both say the same."""

from __future__ import annotations

from typing import Any

from tocsin.daemon.store.models import ErrorLog


def is_muted(until: float | None, rate: float | None, now: float) -> bool:
    """Whether nobody is notified of an error at `now`: it is muted until a moment, or until it exceeds a rate."""
    return rate is not None or (until is not None and until > now)


def muted(now: float) -> Any:
    """The same of `ErrorLog`, for a query."""
    return ErrorLog.muted_rate.is_null(False) | (
        ErrorLog.muted_until.is_null(False) & (ErrorLog.muted_until > now)
    )
