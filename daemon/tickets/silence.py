"""Gathers what is known of an error's silence: who logged it, and what of `known` bears on it.

Reads only; `evidence` judges.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from msgspec import Struct

from tocsin.daemon.config import Config
from tocsin.daemon.store import deployments, errors, sources
from tocsin.daemon.store import tickets as rows
from tocsin.daemon.store.models import ErrorLog
from tocsin.daemon.store.source_models import ErrorSource
from tocsin.daemon.tickets import chance, evidence, kinds
from tocsin.daemon.tickets.evidence import NotSeen, Process, Restart, Silence, WaitingFor
from tocsin.daemon.tickets.kinds import Kind, Run
from tocsin.daemon.tickets.known import Known
from tocsin.daemon.tickets.releases import FixedIn, fixed_in
from tocsin.daemon.tickets.runs import Runs as JudgedRuns
from tocsin.daemon.tickets.seen_alive import Needed

GATED = "critical"
"""Priority of the tickets that a person closes."""


class Logged(Struct, frozen=True):
    """What is known of an error: who logged it lately, and in which hours since the epoch it came."""

    sources: Sequence[ErrorSource] = ()
    hours: Sequence[int] = ()
    fixed_in: FixedIn | None = None
    """The release that has its newest correction, where releases say anything of it."""
    by_hand: bool = False
    """A person closes its tickets, all that are open (`watch.critical`)."""


def logged(config: Config, found: Collection[ErrorLog], now: float) -> dict[int, Logged]:
    """What is known of these errors at `now`."""
    gated = {GATED} if config.watch.critical == "by_hand" else set()
    ids = [error.id for error in found]
    who, hours = sources.of_errors(ids, now - kinds.LOGGED_WITHIN), errors.hours_of(ids)
    corrected = rows.newest_corrections(ids)
    places = {(error.service, error.environment) for error in found if error.id in corrected}
    out = {place: deployments.of_service(*place) for place in places}
    priorities = rows.open_priorities(ids)
    known: dict[int, Logged] = {}
    for error in found:
        fix = None
        if (newest := corrected.get(error.id)) is not None:
            fix = fixed_in(newest.fixed_in, newest.applied_at, out[error.service, error.environment])
        known[error.id] = Logged(
            who.get(error.id, ()), hours.get(error.id, ()), fix, priorities.get(error.id, {""}) <= gated
        )
    return known


def silence_of(
    error: ErrorLog, quiet_since: float, last_test: str | None, of: Known, found: Logged
) -> Silence:
    """An error's silence since then; `last_test`: the newest correction's test status, None without one."""
    loggers = {source.logger for source in found.sources}
    needed = _needed(of, found.sources)
    fix = found.fixed_in
    older = fix.older if fix is not None else frozenset()
    heard = of.alive.of(needed, loggers, older)
    restarts = _restarts(of, fix)
    since = max([quiet_since, *(one.at for one in restarts if one.at is not None)])
    held = (of.up, quiet_since, of.rule.unseen_after)
    return Silence(
        quiet_since=quiet_since,
        up=of.up,
        seen=heard.together,
        last_seen_alive=min((one[-1][1] if one else 0.0 for _, one in heard.each), default=None) or None,
        held_back=evidence.held_back(of.processes.holding, *held),
        lost=[one for one in of.processes.gone if evidence.held_back([one], *held)],
        failed_tests=last_test == "failed",
        runs_ended=of.processes.ended.count(since, _runs(found.sources), older),
        before=chance.hours_before(found.hours, heard.before, error.first_seen, quiet_since),
        runs=_runs_in(of, error.id, quiet_since, needed, fix),
        corrected=last_test is not None,
        restarts=restarts,
        not_seen=NotSeen(
            program=min(heard.each, key=lambda one: one[1].within(since, of.now))[0],
            logger=of.alive.unheard_now(needed, loggers),
            untold=heard.untold,
        ),
    )


def _runs_in(
    of: Known, error_id: int, quiet_since: float, needed: Sequence[Needed], fix: FixedIn | None
) -> JudgedRuns | str:
    """How often the error's function ran in the processes that its silence is judged by."""
    if fix is None:
        return of.reports.of(error_id, quiet_since, needed)
    return of.reports.of(error_id, quiet_since, needed, fix.lacks)


def _restarts(of: Known, fix: FixedIn | None) -> list[Restart]:
    found = [] if of.lost_at is None else [Restart(WaitingFor.LOSS, of.lost_at)]
    return found if fix is None else [*found, Restart(WaitingFor.RELEASE, fix.deployed_at, fix.release)]


def _needed(of: Known, who: Iterable[ErrorSource]) -> list[Needed]:
    """The kinds that must each be seen."""
    facts = {one.kind: one for one in of.kinds}
    needed: list[Needed] = []
    for kind in dict.fromkeys(Kind(source.program, source.role) for source in who):
        if not kind.program or kind not in facts:
            continue  # Its handler does not say, or none of its sessions is kept any more.
        later = kinds.successors(facts[kind], of.kinds, of.up, of.rule.unseen_after, of.now)
        if later is None:
            needed.append((kind.name, frozenset({kind})))
        elif later:
            needed.append((later[0].name, frozenset({kind, *later})))
    return needed or [("", None)]


def given_up(of: Known, found: Logged) -> list[str]:
    """Names of the kinds of process that logged the error and are not waited for any more."""
    facts = {one.kind: one for one in of.kinds}
    names = dict.fromkeys(Kind(source.program, source.role) for source in found.sources)
    return [
        kind.name
        for kind in names
        if kind in facts
        and kind.program
        and kinds.successors(facts[kind], of.kinds, of.up, of.rule.unseen_after, of.now) is not None
    ]


def _runs(who: Iterable[ErrorSource]) -> set[Run]:
    """The runs that logged the error; none where their handlers do not say what they run."""
    return {Run.of(Kind(one.program, one.role), one.arguments) for one in who if one.program}


def said(gone: Sequence[Process]) -> list[dict[str, Any]]:
    """Processes as a closing names them."""
    return [{"pid": one.pid, "host": one.host, "last_heard": one.last_heard} for one in gone]
