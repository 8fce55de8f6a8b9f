"""What silence is worth: the verdict on a watch. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import pairwise
from typing import Any

import msgspec
from msgspec import Struct

from tocsin.daemon.store.intervals import REACH, RUN_GAP, Interval, clipped, length
from tocsin.daemon.tickets.runs import Runs, not_exercised
from tocsin.daemon.tickets.runs import chance as chance_of_runs


class Verdict(StrEnum):
    """What a check of a watch says."""

    WAIT = "wait"
    CLOSE = "close"
    UNSEEN = "unseen"


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


class WaitingFor(StrEnum):
    """What may stand between a silence and its closing."""

    PASSING_TESTS = "passing_tests"
    DURATION = "duration"
    BACKLOG = "backlog"
    RUN = "run"
    SEEN_ALIVE = "seen_alive"
    CHANCE = "chance"
    NOT_EXERCISED = "not_exercised"


class Waiting(Struct, frozen=True, omit_defaults=True):
    """What a closing waits for; `ticket_wording.waiting` says it to people. Stored with the watch as JSON."""

    kind: WaitingFor
    pid: int = 0
    """With BACKLOG: the process that may hold something back, on `host`."""
    host: str = ""
    name: str = ""
    """With NOT_EXERCISED: the function that has not run."""

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
    """When it said goodbye."""
    gone: bool = False
    """Somebody wrote it off."""


class Silence(Struct, frozen=True):
    """What is known of an error's silence at the moment of a check."""

    quiet_since: float
    up: Sequence[Interval]
    """Where a daemon was up: only that is time. A step of the clock leaves a gap, a sleeping machine too."""
    seen: Sequence[Interval]
    """Where the service was seen alive while a daemon was up."""
    last_seen_alive: float | None
    """Last heartbeat of the service."""
    held_back: Process | None = None
    """Which process may still hold occurrences, None when none does."""
    lost: Sequence[Process] = ()
    """Those that are written off and may have held some."""
    failed_tests: bool = False
    runs_ended: int = 0
    """Of a batch service: runs that began after `quiet_since` and said goodbye."""
    rate: float | None = None
    """Occurrences a second before the silence; None when it cannot be told."""
    runs: Runs | str = ""
    """How often the function ran in which the error happens, or why that is not known."""


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
    """Probability of the same silence without any correction: e^(-rate * seen)."""
    earliest_close: float
    """Not before this moment, provided that nothing else is in the way."""
    runs: Runs | str = ""
    """How often the function ran in which the error happens, or why that is not known."""


def judge(silence: Silence, rule: Rule, now: float) -> Finding:
    """The verdict on a watch at `now` (docs/evidence.md)."""
    quiet = length(clipped(silence.up, silence.quiet_since, now)) if silence.quiet_since < now else 0.0
    seen = length(clipped(silence.seen, silence.quiet_since, now)) if silence.quiet_since < now else 0.0
    counted = quiet if rule.by_clock else seen
    chance = math.exp(-silence.rate * counted) if silence.rate is not None else None
    by_runs = chance_of_runs(silence.runs)
    chance = chance if by_runs is None else by_runs
    waiting = _waiting(silence, rule, quiet, seen, chance)
    verdict = Verdict.WAIT if waiting else Verdict.CLOSE
    if waiting and not rule.by_clock:
        alive = max(silence.quiet_since, silence.last_seen_alive or 0.0)
        unseen = length(clipped(silence.up, alive, now)) if alive < now else 0.0
        if (
            unseen >= rule.unseen_after
            or (silence.held_back and quiet >= rule.unseen_after)
            or (waiting.kind is WaitingFor.NOT_EXERCISED and quiet >= rule.longest)
        ):
            verdict = Verdict.UNSEEN
    earliest = _earliest(silence, rule, quiet, seen, now)
    return Finding(verdict, quiet, seen, waiting, chance, earliest, silence.runs)


def _waiting(silence: Silence, rule: Rule, quiet: float, seen: float, chance: float | None) -> Waiting | None:
    """What the closing waits for, None when nothing is left."""
    if silence.failed_tests:
        return Waiting(WaitingFor.PASSING_TESTS)
    if quiet < rule.duration:
        return Waiting(WaitingFor.DURATION)
    if rule.by_clock:
        return None
    if silence.held_back is not None:
        return Waiting(WaitingFor.BACKLOG, silence.held_back.pid, silence.held_back.host)
    if rule.batch:
        # What a run calls at its start, before it is told what to count, would never be seen to run.
        return None if silence.runs_ended else Waiting(WaitingFor.RUN)
    if seen < rule.min_seen * rule.duration:
        return Waiting(WaitingFor.SEEN_ALIVE)
    if isinstance(silence.runs, Runs) and not_exercised(silence.runs, rule.min_runs):
        return Waiting(WaitingFor.NOT_EXERCISED, name=silence.runs.function)
    if rule.max_chance < 1 and (chance is None or chance > rule.max_chance):
        return Waiting(WaitingFor.CHANCE)
    return None


def _earliest(silence: Silence, rule: Rule, quiet: float, seen: float, now: float) -> float:
    """When the time alone is enough, if a daemon is up and the application seen from now on."""
    noted = silence.up[-1][1] if silence.up else now
    since = noted if now - noted <= RUN_GAP else now
    left = [rule.duration - quiet]
    if not rule.by_clock and not rule.batch:
        left.append(rule.min_seen * rule.duration - seen)
        if 0 < rule.max_chance < 1 and silence.rate:
            left.append(-math.log(rule.max_chance) / silence.rate - seen)
    return max(now, since + max(left))


def is_written_off(process: Process, up: Sequence[Interval], gone_after: float) -> bool:
    """Whether nothing is expected of it any more: somebody said so, or no daemon heard it for `gone_after` seconds.

    Only time in which a daemon was up counts. Without an end, a container whose disk is gone would hold every later
    ticket of its service open for ever; what it may have held is named in the closing instead.
    """
    unheard = length(clipped(up, process.last_heard, math.inf))
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
        if process.backlog or (process.ended_at is None and _outlived_a_daemon(process, up, since)):
            return process
    return None


def _outlived_a_daemon(process: Process, up: Sequence[Interval], since: float) -> bool:
    """Alive when a daemon went down for a time that reaches into the silence, and not heard since."""
    reach = REACH * process.interval
    return any(
        end - reach <= process.last_heard <= end and start_again > max(process.last_heard, since)
        for (_, end), (start_again, _) in pairwise(up)
    )


def runs_ended(processes: Iterable[Process], since: float) -> int:
    """Of a batch service: runs that began after `since`, said goodbye and hold nothing back."""
    return sum(
        1 for one in processes if one.started_at > since and one.ended_at is not None and not one.backlog
    )


def rate_before(occurrences: int, first_seen: float, last_seen: float) -> float | None:
    """Occurrences a second between the first and the last, over a second at least; None for a single one."""
    return (occurrences - 1) / max(last_seen - first_seen, 1.0) if occurrences > 1 else None
