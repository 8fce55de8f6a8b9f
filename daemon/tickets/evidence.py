"""What silence is worth: the verdict on a watch. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import pairwise
from typing import Any

import msgspec
from msgspec import Struct

from tocsin.daemon.store.intervals import REACH, RUN_GAP, Interval, within
from tocsin.daemon.tickets import chance as chances
from tocsin.daemon.tickets.chance import HOUR, Before
from tocsin.daemon.tickets.kinds import Kind
from tocsin.daemon.tickets.runs import Runs, not_exercised, times_until
from tocsin.daemon.tickets.runs import chance as chance_of_runs


class Verdict(StrEnum):
    """What a check of a watch says."""

    WAIT = "wait"
    CLOSE = "close"
    UNSEEN = "unseen"
    READY = "ready"
    """The evidence is complete, and a person closes."""


class Rule(Struct, frozen=True):
    """The settings of [watch], and whether the service runs in batches."""

    duration: float
    min_seen: float
    max_chance: float
    unseen_after: float
    by_clock: bool = False
    batch: bool = False
    min_runs: int = 1
    longest: float = 7 * 86400.0
    by_hand: bool = False
    """Every ticket of the error is closed by a person, once the evidence is complete."""


class WaitingFor(StrEnum):
    """What may stand between a silence and its closing."""

    PASSING_TESTS = "passing_tests"
    DURATION = "duration"
    BACKLOG = "backlog"
    RELEASE = "release"
    LOSS = "loss"
    RUN = "run"
    SEEN_ALIVE = "seen_alive"
    PROGRAM = "program"
    LOGGER = "logger"
    CHANCE = "chance"
    NOT_EXERCISED = "not_exercised"
    HAND = "hand"


class Waiting(Struct, frozen=True, omit_defaults=True):
    """What a closing waits for; `ticket_wording.waiting` says it to people. Stored with the watch as JSON."""

    kind: WaitingFor
    pid: int = 0
    """With BACKLOG: the process that may hold something back, on `host`."""
    host: str = ""
    name: str = ""
    """Of the kind of process (PROGRAM, RUN), the logger (LOGGER), the release or the function that is waited for."""

    @property
    def facts(self) -> dict[str, Any]:
        """As plain data."""
        return msgspec.to_builtins(self)


class Process(Struct, frozen=True):
    """A session of the error's service, as far as its silence is concerned."""

    pid: int
    host: str
    started_at: float
    last_heard: float
    interval: float
    """Seconds between two heartbeats, as announced."""
    backlog: int = 0
    """Bytes it held back, by its last word."""
    ended_at: float | None = None
    """When it said goodbye, or had written down that it ended in order."""
    gone: bool = False
    """Somebody wrote it off."""
    emptied: bool = False
    """Another process has shipped all that it left."""
    kind: Kind = Kind("")
    arguments: str = ""
    release: str = ""


class NotSeen(Struct, frozen=True):
    """What of a service says nothing of an error's silence."""

    program: str = ""
    """The kind of process that was seen least of those that logged it, '' where they are not told apart."""
    logger: str = ""
    """The logger that logged it, where its records do not reach the handler now."""
    untold: Sequence[Interval] = ()
    """Where the application was seen alive and could not have told."""


class Restart(Struct, frozen=True):
    """What restarts a silence: a known loss (this error may have been lost), or the release with the correction."""

    kind: WaitingFor
    at: float | None
    """None: it is still to come."""
    name: str = ""
    """Of the release, '' for whichever comes next."""


class Silence(Struct, frozen=True, kw_only=True):
    """What is known of an error's silence at the moment of a check."""

    quiet_since: float
    up: Sequence[Interval]
    """Where a daemon was up: only that is time. A step of the clock leaves a gap, a sleeping machine too."""
    seen: Sequence[Interval]
    """Where every kind of process that logged the error was seen alive, able to tell, while a daemon was up."""
    last_seen_alive: float | None
    """Last heartbeat of the kind that was seen last the longest ago."""
    held_back: Process | None = None
    """Which process may still hold occurrences, None when none does."""
    lost: Sequence[Process] = ()
    """Those that are written off and may have held some."""
    failed_tests: bool = False
    runs_ended: int = 0
    """Of a batch service: runs of what logged the error that began after `quiet_since` and said goodbye."""
    before: Before | None = None
    """Hours with and without the error before the silence; None when they cannot be told."""
    runs: Runs | str = ""
    """How often the function ran in which the error happens, or why that is not known."""
    corrected: bool = False
    restarts: Sequence[Restart] = ()
    """What restarts it beside the error itself."""
    not_seen: NotSeen = NotSeen()

    @property
    def since(self) -> float:
        """From when on it counts."""
        return max([self.quiet_since, *(one.at for one in self.restarts if one.at is not None)])


class Finding(Struct, frozen=True):
    """The verdict with its reasons, as shown to people. Durations in seconds."""

    verdict: Verdict
    quiet_seconds: float
    """Since the error was last heard of, counting only while a daemon was up."""
    seen_seconds: float
    """Of them, how many the application was seen alive."""
    waiting: Waiting | None
    """None when nothing is left to wait for."""
    chance: float | None
    """Probability of the same silence without any correction (`chance`), None when it cannot be told."""
    earliest_close: float
    """Not before this moment, provided that nothing else is in the way."""
    runs: Runs | str = ""
    """How often the function ran in which the error happens, or why that is not known."""
    untold_seconds: float = 0.0
    """Of the quiet ones, how many the application was seen alive and could not have told."""


def judge(silence: Silence, rule: Rule, now: float) -> Finding:
    """The verdict on a watch at `now` (docs/evidence.md)."""
    since = silence.since
    quiet, seen, untold = (
        within(intervals, since, now) if since < now else 0.0
        for intervals in (silence.up, silence.seen, silence.not_seen.untold)
    )
    counted = (quiet if rule.by_clock else seen) / HOUR
    chance = chances.of_silence(silence.before, counted) if silence.before is not None else None
    by_runs = chance_of_runs(silence.runs) if _all_counted(silence.runs) else None
    chance = chance if by_runs is None else by_runs
    waiting = _waiting(silence, rule, quiet, seen, chance)
    verdict = Verdict.WAIT if waiting else Verdict.CLOSE
    if waiting is None and rule.by_hand:
        waiting, verdict = Waiting(WaitingFor.HAND), Verdict.READY
    if verdict is Verdict.WAIT and waiting and not rule.by_clock:
        alive = max(since, silence.last_seen_alive or 0.0)
        unseen = within(silence.up, alive, now) if alive < now else 0.0
        stuck = silence.held_back or waiting.kind in _UNTIL_SEEN
        idle = waiting.kind is WaitingFor.NOT_EXERCISED and quiet >= rule.longest
        if unseen >= rule.unseen_after or (stuck and quiet >= rule.unseen_after) or idle:
            verdict = Verdict.UNSEEN
    earliest = _earliest(silence, rule, quiet, seen, now)
    return Finding(verdict, quiet, seen, waiting, chance, earliest, silence.runs, untold)


def _all_counted(runs: Runs | str) -> bool:
    """Whether every process counts the function; else there may be more runs than are known."""
    return isinstance(runs, Runs) and not runs.unknown


_UNTIL_SEEN = (WaitingFor.RELEASE, WaitingFor.RUN, WaitingFor.PROGRAM, WaitingFor.LOGGER)
"""What time alone may never bring: after `unseen_after` the admins are told."""


def _waiting(silence: Silence, rule: Rule, quiet: float, seen: float, chance: float | None) -> Waiting | None:
    """What the closing waits for, None when nothing is left."""
    if silence.failed_tests:
        return Waiting(WaitingFor.PASSING_TESTS)
    if to_come := next((one for one in silence.restarts if one.at is None), None):
        return Waiting(to_come.kind, name=to_come.name)
    if quiet < rule.duration:
        lost = [one.at for one in silence.restarts if one.kind is WaitingFor.LOSS]
        restarted = silence.since > silence.quiet_since and silence.since in lost
        return Waiting(WaitingFor.LOSS if restarted else WaitingFor.DURATION)
    if rule.by_clock:
        return None
    if silence.held_back is not None:
        return Waiting(WaitingFor.BACKLOG, silence.held_back.pid, silence.held_back.host)
    if rule.batch:
        # What a run calls at its start, before it is told what to count, would never be seen to run.
        return None if silence.runs_ended else Waiting(WaitingFor.RUN, name=silence.not_seen.program)
    if seen < rule.min_seen * rule.duration:
        return _until_seen(silence)
    if isinstance(silence.runs, Runs) and not_exercised(silence.runs, rule.min_runs):
        return Waiting(WaitingFor.NOT_EXERCISED, name=silence.runs.function)
    if not silence.corrected and rule.max_chance < 1 and (chance is None or chance > rule.max_chance):
        return Waiting(WaitingFor.CHANCE)
    return None


def _until_seen(silence: Silence) -> Waiting:
    if silence.not_seen.logger:
        return Waiting(WaitingFor.LOGGER, name=silence.not_seen.logger)
    if silence.not_seen.program:
        return Waiting(WaitingFor.PROGRAM, name=silence.not_seen.program)
    return Waiting(WaitingFor.SEEN_ALIVE)


def _earliest(silence: Silence, rule: Rule, quiet: float, seen: float, now: float) -> float:
    """When the time alone is enough, if a daemon is up and the application seen from now on."""
    noted = silence.up[-1][1] if silence.up else now
    since = noted if now - noted <= RUN_GAP else now
    left = [rule.duration - quiet]
    if not rule.by_clock and not rule.batch:
        left.append(rule.min_seen * rule.duration - seen)
        if 0 < rule.max_chance < 1 and not silence.corrected:
            left.append(_until_unlikely(silence, rule.max_chance, seen))
    return max(now, since + max(left))


def _until_unlikely(silence: Silence, at_most: float, seen: float) -> float:
    """Seconds that it must still be seen until its chance is that small: of runs, if they go on at their pace."""
    if (
        isinstance(silence.runs, Runs)
        and _all_counted(silence.runs)
        and chance_of_runs(silence.runs) is not None
    ):
        return seen * (times_until(silence.runs, at_most) - 1) if silence.runs.since else 0.0
    if silence.before is None:
        return 0.0
    return chances.units_until(silence.before, at_most) * HOUR - seen


def is_written_off(process: Process, up: Sequence[Interval], gone_after: float) -> bool:
    """Whether nothing is expected of it any more: somebody said so, or no daemon heard it for `gone_after` seconds.

    Only time in which a daemon was up counts. Without an end, a container whose disk is gone would hold every later
    ticket of its service open for ever; what it may have held is named in the closing instead.
    """
    unheard = within(up, process.last_heard, math.inf)
    return process.gone or unheard >= gone_after


def held_back(
    processes: Iterable[Process], up: Sequence[Interval], since: float, gone_after: float = math.inf
) -> Process | None:
    """Which process may still hold occurrences of a silence that began at `since`, None when none does.

    One does whose last word was a backlog, or that was alive when a daemon went down and was not heard since
    (docs/evidence.md). One not heard for `gone_after` seconds before the silence began is taken for gone:
    what it holds happened earlier, and a host that never comes back must not hold every later ticket open.
    """
    for process in processes:
        if process.last_heard < since - gone_after:
            continue
        settled = process.ended_at is not None or process.emptied
        if process.backlog or (not settled and _outlived_a_daemon(process, up, since)):
            return process
    return None


def _outlived_a_daemon(process: Process, up: Sequence[Interval], since: float) -> bool:
    """Alive when a daemon went down for a time that reaches into the silence, and not heard since."""
    reach = REACH * process.interval
    return any(
        end - reach <= process.last_heard <= end and start_again > max(process.last_heard, since)
        for (_, end), (start_again, _) in pairwise(up)
    )
