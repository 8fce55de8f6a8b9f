"""Queries on what coding agents tried. Called inside the caller's transaction."""

from __future__ import annotations

from typing import Any

from peewee import fn

from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Correction
from tocsin.daemon.store.try_models import AgentRequest, Try

RUNNING = "running"


def lock(store: Store) -> None:
    """Nobody else begins or ends a try until the transaction's end; SQLite has one writer anyway."""
    if store.postgres:
        store.database.execute_sql("LOCK TABLE agent_tries IN SHARE ROW EXCLUSIVE MODE")


def of_error(error_id: int) -> list[Try]:
    """The tries at one error, oldest first."""
    return list(Try.select().where(Try.error == error_id).order_by(Try.id))


def begun_since(moment: float) -> int:
    """How many tries began after that moment."""
    return int(Try.select(fn.COUNT(Try.id)).where(Try.begun_at > moment).scalar() or 0)


def add(error_id: int, **columns: object) -> Try:
    """A new try that runs."""
    row: Try = Try.create(error=error_id, **columns)
    return row


def renew(row: Try, step: str, lease_until: float) -> None:
    """It is at this step, and its runner's until then."""
    row.step, row.lease_until = step, lease_until
    row.save(only=[Try.step, Try.lease_until])


def end(row: Try, state: str, now: float, **columns: Any) -> None:
    """It is over."""
    row.state, row.ended_at = state, now
    for name, value in columns.items():
        setattr(row, name, value)
    row.save(only=[Try.state, Try.ended_at, *(getattr(Try, name) for name in columns)])


def newest_correction(error_id: int) -> float:
    """When a correction of the error was last recorded; 0 without one."""
    recorded = Correction.select(fn.MAX(Correction.recorded_at)).where(Correction.error == error_id).scalar()
    found = Correction.recorded_at.python_value(recorded)
    return float(found or 0.0)


def asked_at(error_id: int) -> float | None:
    """Since when the error waits for an agent; None: it does not."""
    row = AgentRequest.get_or_none(AgentRequest.error == error_id)
    return None if row is None else float(row.asked_at)


def ask(error_id: int, by: str, now: float) -> None:
    """The error waits for an agent, from now on where it did not yet."""
    if asked_at(error_id) is None:
        AgentRequest.create(error=error_id, asked_by=by, asked_at=now)


def answer(error_id: int) -> int:
    """It waits no more; returns how many requests there were."""
    return int(AgentRequest.delete().where(AgentRequest.error == error_id).execute())
