"""What a validation found; kept as JSON with the correction. Pure."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

PASSED, FAILED, PENDING = "passed", "failed", "pending"
STATUSES = (PASSED, FAILED, PENDING)


class Check(Struct, frozen=True):
    """One fact looked at. `status`: passed, failed, skipped (it could not be told, `detail` says why)."""

    name: str
    status: str
    detail: str = ""


class Run(Struct, frozen=True):
    """One program run. `exit_code` is negative for a signal, None when it ran out of time."""

    name: str
    command: list[str]
    exit_code: int | None
    seconds: float
    tail: str
    """The end of its output."""


class Outcome(Struct, frozen=True):
    """`status`: passed, failed, pending (nothing could be proved). `summary` says in a sentence why.

    `reproduced`: the old code failed with the same error when it was called again as it was then.
    """

    error_id: int
    status: str
    summary: str
    reproduced: bool
    checks: list[Check]
    runs: list[Run]
    versions: dict[str, str]
    validated_at: str
    """ISO 8601, UTC."""
    change_ids: list[int] = []
    """The recorded corrections it is about; none of a bundle's new ones."""
    written: str | None = None
    """The test left in the project, relative to it."""


def results(outcome: Outcome) -> dict[str, Any]:
    """The outcome as plain data."""
    found: dict[str, Any] = msgspec.to_builtins(outcome)
    return found
