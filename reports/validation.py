"""What a validation found, ready for a page: its runs red and green, its checks, why nothing was proved."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct


class ValidationRun(Struct, frozen=True):
    """One program that was run. `exit_code` is None when it ran out of time."""

    name: str
    exit_code: int | None
    command: list[str] = []
    seconds: float = 0.0
    tail: str = ""
    """The end of its output."""

    @property
    def colour(self) -> Literal["green", "red"]:
        """Green for what ended well. The old code's run should be red, the corrected code's green."""
        return "green" if self.exit_code == 0 else "red"


class ValidationCheck(Struct, frozen=True):
    """One fact that was looked at: passed, failed, or skipped where it could not be told."""

    name: str
    status: Literal["passed", "failed", "skipped"]
    detail: str = ""


class ValidationVerdict(Struct, frozen=True):
    """The last validation of a correction. `reported_by`: who says so, where it was run elsewhere."""

    summary: str
    runs: list[ValidationRun] = []
    checks: list[ValidationCheck] = []
    versions: dict[str, str] = {}
    reported_by: str = ""


def validation(results: Any) -> ValidationVerdict | None:
    """A correction's stored results; None where they are of another form, such as an agent's own."""
    try:
        return msgspec.convert(results, ValidationVerdict)
    except msgspec.ValidationError:
        return None
