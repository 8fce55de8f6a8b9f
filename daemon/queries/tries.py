"""What coding agents tried: read-only queries into small frozen values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from tocsin.daemon.queries.moment import Moment, moment
from tocsin.daemon.queries.rows import dicts, tuples
from tocsin.daemon.queries.selection import EVERYTHING, Selection, following
from tocsin.daemon.reason import Reason
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import ErrorLog
from tocsin.daemon.store.try_models import AgentRequest, Try


class TryFacts(Struct, frozen=True):
    """One go of an agent at one error.

    `state`: running, corrected (tested), unproved (on its branch, for a person to look at), refused (what may not be
    accepted), failed (the tests say so, or the agent), broken (Tocsin could not do its part), or abandoned (its
    runner was not heard of any more).
    """

    id: int
    error_id: int
    agent: str
    runner: str
    started_by: str
    state: str
    step: str
    begun_at: Moment
    lease_until: Moment
    ended_at: Moment | None
    reasons: list[Reason]
    output: str
    branch: str
    revision: str


class RequestFacts(Struct, frozen=True):
    """An error that waits for an agent. `step`: what the agent that is at it does; '' while nobody is."""

    error_id: int
    title: str
    service: str
    asked_by: str
    asked_at: Moment
    agent: str
    step: str


def requests(store: Store, now: float) -> list[RequestFacts]:
    """What was handed to agents, the oldest first."""
    query = (
        AgentRequest.select(AgentRequest, ErrorLog.title, ErrorLog.service)
        .join(ErrorLog)
        .order_by(AgentRequest.asked_at, AgentRequest.error)
    )
    running = Try.select().where((Try.state == "running") & (Try.lease_until > now))
    with store.reading():
        rows = dicts(query)
        working = {row["error"]: row for row in dicts(running)}
    found = []
    for row in rows:
        at = working.get(row["error"], {"agent": "", "step": ""})
        asked = row["asked_by"], moment(row["asked_at"])
        found.append(
            RequestFacts(row["error"], row["title"], row["service"], *asked, at["agent"], at["step"])
        )
    return found


def handed_over(store: Store, error_ids: Iterable[int]) -> set[int]:
    """Which of these errors wait for an agent."""
    query = AgentRequest.select(AgentRequest.error).where(AgentRequest.error.in_(list(error_ids)))
    with store.reading():
        return {error_id for (error_id,) in tuples(query)}


def tries(
    store: Store,
    *,
    error_ids: Iterable[int] | None = None,
    try_ids: Iterable[int] | None = None,
    running: bool = False,
    selection: Selection = EVERYTHING,
) -> list[TryFacts]:
    """The tries, the newest first; of some errors, some of them, or only those that run."""
    query = following(
        Try.select().order_by(Try.begun_at.desc(), Try.id.desc()), selection, Try.begun_at, Try.id
    )
    if error_ids is not None:
        query = query.where(Try.error.in_(list(error_ids)))
    if try_ids is not None:
        query = query.where(Try.id.in_(list(try_ids)))
    if running:
        query = query.where(Try.state == "running")
    with store.reading():
        return [_facts(row) for row in dicts(query.limit(selection.limit))]


def _facts(row: dict[str, Any]) -> TryFacts:
    values: dict[str, Any] = {
        name: row.get(name) for name in TryFacts.__struct_fields__ if name != "error_id"
    }
    for name in ("begun_at", "lease_until", "ended_at"):
        values[name] = moment(row.get(name))
    values["reasons"] = [Reason.read("", parts) for parts in row["reasons"] or ()]
    return TryFacts(error_id=row["error"], **values)
