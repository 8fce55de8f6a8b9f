"""A coding agent's tries at an error: begun by one runner at a time, renewed while it works, ended with what it made.

A try is its runner's for a lease that every sign of it renews; one whose runner is gone is over with the lease, and
the next may begin. What a try made is recorded in the transaction that ends it: all of it, or nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from tocsin.daemon.config import Config
from tocsin.daemon.corrections.claims import ClaimError
from tocsin.daemon.corrections.recording import NewCorrection, Recorded, record
from tocsin.daemon.corrections.try_reasons import Because, because, reason
from tocsin.daemon.failure import Failed, Meanwhile, NotThere
from tocsin.daemon.store import corrections, tries
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Claim
from tocsin.daemon.store.try_models import Try
from tocsin.daemon.tickets.manual import locked_error
from tocsin.handler.capture.values import clean

LEASE = 300.0
"""Seconds for which a try is its runner's without a sign of it."""
MOST = 2
"""Tries at an error that may fail before a person is asked."""
DAY = 86400.0
OUTPUT = 20_000
"""Characters kept of what the agent printed."""

State = Literal["corrected", "unproved", "refused", "failed", "broken"]
FAILED: tuple[State, ...] = ("refused", "failed")
RECORDED: tuple[State, ...] = ("corrected", "unproved")


class TryError(Meanwhile):
    """The error is not to be tried now; the text says why."""


class TriedEnough(Failed):
    """The tries at the error that may fail have failed; a person has to look."""


class BudgetSpent(Failed):
    """As many tries began in the last 24 hours as may."""


class NoTry(NotThere):
    """There is no such try."""


class TryLost(Meanwhile):
    """The try is over: its lease ended and somebody else went on, or it was ended."""


class TryEnd(Struct, frozen=True):
    """How a try ended. `changes` are recorded where the state is corrected or unproved."""

    state: State
    reasons: Sequence[Because] = ()
    output: str = ""
    branch: str = ""
    revision: str = ""
    changes: Sequence[NewCorrection] = ()


def begin(
    store: Store,
    config: Config,
    error_id: int,
    *,
    agent: str,
    runner: str,
    by: str,
    now: float,
    again: bool = False,
    lease: float = LEASE,
) -> Try:
    """Begins a try and claims the error for its lease. `again`: also when the tries that may fail have failed.

    Raises TryError while somebody else is at it, TriedEnough, BudgetSpent, ClaimError, ManualError.
    """
    with store.transaction():
        tries.lock(store)
        locked_error(store, error_id)
        for row in tries.of_error(error_id):
            if row.state != tries.RUNNING:
                continue
            if row.lease_until > now:
                raise TryError(
                    "%(agent)s is at error %(error_id)s (runner %(runner)s), for another %(seconds).0f s at least",
                    agent=row.agent,
                    error_id=error_id,
                    runner=row.runner,
                    seconds=row.lease_until - now,
                )
            tries.end(row, "abandoned", now, reasons=[reason(because("lost")).stored])
        held = Claim.get_or_none((Claim.error == error_id) & (Claim.ends_at > now))
        if held is not None and held.claimed_by not in (by, agent):
            raise ClaimError(
                "error %(error_id)s is claimed by %(claimed_by)s for another %(minutes).0f min",
                error_id=error_id,
                claimed_by=held.claimed_by,
                minutes=(held.ends_at - now) / 60,
            )
        if not again and failed(error_id) >= MOST:
            raise TriedEnough(
                "error %(error_id)s was tried %(count)s times and not corrected; `tocsin tries %(error_id)s` says "
                "why, and --again tries it once more",
                error_id=error_id,
                count=MOST,
            )
        if tries.begun_since(now - DAY) >= config.agent.per_day:
            raise BudgetSpent(
                "agent.per_day = %(limit)s: as many tries began in the last 24 hours",
                limit=config.agent.per_day,
            )
        corrections.set_claim(error_id, agent, now, now + lease)
        return tries.add(
            error_id, agent=agent, runner=runner, started_by=by, begun_at=now, lease_until=now + lease
        )


def failed(error_id: int) -> int:
    """How many tries failed since a correction of the error was last recorded, or somebody handed it over."""
    since = max(tries.newest_correction(error_id), tries.asked_at(error_id) or 0.0)
    return sum(row.state in FAILED and row.begun_at > since for row in tries.of_error(error_id))


def renew(store: Store, try_id: int, runner: str, step: str, now: float, lease: float = LEASE) -> None:
    """The runner is at this step; the try is its for another lease. Raises TryLost, NoTry."""
    with store.transaction():
        row = _own(store, try_id, runner)
        tries.renew(row, clean(step)[:200], now + lease)
        corrections.set_claim(row.error_id, row.agent, now, now + lease)


def end(store: Store, config: Config, try_id: int, runner: str, given: TryEnd, now: float) -> list[Recorded]:
    """Ends the try, and records what it made. Raises TryLost, NoTry, CorrectionError, UnknownReason."""
    reasons = [reason(one).stored for one in given.reasons]
    with store.transaction():
        row = _own(store, try_id, runner)
        recorded: list[Recorded] = []
        if given.state in RECORDED:
            recorded = record(store, config, given.changes, project=None, now=now)
        tries.end(
            row,
            given.state,
            now,
            reasons=reasons,
            output=clean(given.output)[-OUTPUT:],
            branch=clean(given.branch),
            revision=clean(given.revision),
        )
        corrections.end_claim(row.error_id)
        if given.state in RECORDED or _ended_since_asked(row.error_id) >= MOST:
            tries.answer(row.error_id)
        return recorded


def _ended_since_asked(error_id: int) -> int:
    """How many tries ended with nothing since the error was handed over; those that broke too, lest none ends it."""
    since = tries.asked_at(error_id) or 0.0
    return sum(row.state in (*FAILED, "broken") and row.begun_at >= since for row in tries.of_error(error_id))


def _own(store: Store, try_id: int, runner: str) -> Try:
    """The running try of this runner, once its error is locked."""
    tries.lock(store)
    row: Try | None = Try.get_or_none(Try.id == try_id)
    if row is None:
        raise NoTry("there is no try %(try_id)s", try_id=try_id)
    if row.state != tries.RUNNING or row.runner != runner:
        raise TryLost("try %(try_id)s is over; what it made is not recorded", try_id=try_id)
    locked_error(store, row.error_id)
    return row
