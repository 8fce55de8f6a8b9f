"""Queries that write corrections. Called inside the caller's transaction."""

from __future__ import annotations

from typing import Any

from peewee import SqliteDatabase, fn

from tocsin.daemon.store.models import Claim, Correction, WithdrawnCorrection


def add(error_id: int, **columns: object) -> Correction:
    """A new correction of this error, under a number that no withdrawn one has."""
    if isinstance(Correction._meta.database, SqliteDatabase):
        # SQLite gives the number of the newest row again once that row is gone.
        taken = (table.select(fn.MAX(table.id)).scalar() or 0 for table in (Correction, WithdrawnCorrection))
        columns["id"] = max(taken) + 1
    row: Correction = Correction.create(error=error_id, **columns)
    return row


def set_test(correction: Correction, status: str, results: dict[str, Any]) -> None:
    """Sets what became of the correction's validation."""
    correction.test_status, correction.test_results = status, results
    correction.save(only=[Correction.test_status, Correction.test_results])


def set_release(correction: Correction, release: str) -> None:
    """Sets the release that has the correction."""
    correction.fixed_in = release
    correction.save(only=[Correction.fixed_in])


def withdraw(correction: Correction, by: str, now: float) -> None:
    """Takes the correction out of those that stand, and keeps it beside them under its number."""
    columns = {name: correction.__data__[name] for name in Correction._meta.fields}
    WithdrawnCorrection.create(**columns, withdrawn_by=by, withdrawn_at=now)
    Correction.delete().where(Correction.id == correction.id).execute()


def set_claim(error_id: int, by: str, now: float, ends_at: float) -> Claim:
    """Gives the error to somebody until then."""
    Claim.delete().where(Claim.error == error_id).execute()
    row: Claim = Claim.create(error=error_id, claimed_by=by, claimed_at=now, ends_at=ends_at)
    return row


def end_claim(error_id: int) -> int:
    """Nobody has the error; returns how many claims there were."""
    return int(Claim.delete().where(Claim.error == error_id).execute())
