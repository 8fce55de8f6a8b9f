"""Queries that write corrections. Called inside the caller's transaction."""

from __future__ import annotations

from typing import Any

from tocsin.daemon.store.models import Correction


def add(error_id: int, **columns: object) -> Correction:
    """A new correction of this error."""
    row: Correction = Correction.create(error=error_id, **columns)
    return row


def set_test(correction: Correction, status: str, results: dict[str, Any]) -> None:
    """Sets what became of the correction's validation."""
    correction.test_status, correction.test_results = status, results
    correction.save(only=[Correction.test_status, Correction.test_results])
