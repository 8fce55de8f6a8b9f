"""Is this the error come back, and does it count? The two rules that need more than a signature. Pure."""

from __future__ import annotations

from tocsin.handler.capture.source import canonical


def same_after_correction(statement: str, new_code: str) -> bool:
    """Whether a statement that fails under a new signature is the corrected one: it is in the new code."""
    return bool(statement) and statement in canonical(new_code)


def old_code(process_started_at: float, applied_at: float, *, newer_process: bool) -> bool:
    """Whether a closed error was only logged by a process that began before the correction was applied.

    `newer_process`: one of the same service began after it, so the new code does run. Moments in epoch
    seconds (docs/lifecycle.md, *old code still running*).
    """
    return process_started_at < applied_at and newer_process
