"""What the runs of a function say of the silence of its error. Pure.

A run counts where a process has counted it (docs/evidence.md). Runs say more than hours: a function that nobody calls
shows no error, whether it is corrected or not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

NOT_LOADED = "not_loaded"
"""What a process says of a function whose module it has not imported: it has not run there."""
NOT_TOLD = "not_told"
"""Why runs are unknown where a process says nothing of the function: an older handler, or one that ended soon."""

_MOST = 1e9
"""Times as many runs after which nobody waits any longer."""


class Counted(Struct, frozen=True):
    """What is counted of one function, over the processes of one kind."""

    caller: bool
    module: str
    name: str
    begun: int
    before: int
    """Of them, before the silence."""
    failed: int
    estimated: bool = False
    failing_hours: int = 0
    """Hours in which they failed, 0 where that is not known."""


class Reported(Struct, frozen=True):
    """What one process that was alive in the silence says of a function."""

    caller: bool
    unknown: str = ""
    """Why it does not count it, "" where it does."""


class KindRuns(Struct, frozen=True):
    """The runs of a function in processes of one kind."""

    name: str
    """Of the kind of process."""
    since: int
    before: int
    failed: int


class Runs(Struct, frozen=True, omit_defaults=True):
    """How often the function ran in which an error happens, or where that one is gone, its caller."""

    function: str
    """`module.name`."""
    since: int
    """Runs in the silence; none of them failed."""
    before: int
    """Runs that were counted before it."""
    failed: int
    """Of those before, how many failed."""
    caller: bool = False
    estimated: bool = False
    unknown: str = ""
    """Why a process that is alive does not count them: there may be more. "" where all of them do."""
    failing_hours: int = 0
    """Hours in which those came that failed, where several came in one; 0: each in one of its own."""
    kinds: Sequence[KindRuns] = ()
    """The same by the kinds of process that logged the error, where there are several."""

    @property
    def of_each_kind(self) -> Sequence[KindRuns]:
        """The runs by kind, also where there is one only."""
        return self.kinds or [KindRuns("", self.since, self.before, self.failed)]

    @property
    def facts(self) -> dict[str, Any]:
        """As plain data."""
        return msgspec.to_builtins(self)


def known(functions: Iterable[Counted], processes: Iterable[Sequence[Reported]]) -> Runs | str:
    """The runs of an error's function by what each process says; else why nothing is known of them.

    `processes`: of each process that was alive in the silence, what it says of the error's functions.
    """
    told = [list(process) for process in processes]
    why = ""
    for function in sorted(functions, key=lambda one: one.caller):
        said = [next((one for one in process if one.caller == function.caller), None) for process in told]
        reasons = [NOT_TOLD if one is None else one.unknown for one in said]
        blind = sorted({reason for reason in reasons if reason not in ("", NOT_LOADED)})
        if function.begun or "" in reasons:
            failed = min(function.failed, function.before)
            return Runs(
                function=f"{function.module}.{function.name.removeprefix('*.')}",
                since=max(function.begun - function.before, 0),
                before=function.before,
                failed=failed,
                caller=function.caller,
                estimated=function.estimated,
                unknown=blind[0] if blind else "",
                failing_hours=function.failing_hours if function.failing_hours < failed else 0,
            )
        why = why or (blind[0] if blind else "")
    return why or NOT_TOLD


def together(kinds: Mapping[str, Runs | str]) -> Runs | str:
    """The runs in all kinds of process that logged the error, each by its name; else why nothing is known of them."""
    counted = {name: one for name, one in kinds.items() if isinstance(one, Runs)}
    reasons = [one.unknown if isinstance(one, Runs) else one for one in kinds.values()]
    why = next((reason for reason in reasons if reason), "")
    if not counted or len(kinds) == 1:
        return next(iter(counted.values()), why)
    return Runs(
        function=next(iter(counted.values())).function,
        since=sum(one.since for one in counted.values()),
        before=sum(one.before for one in counted.values()),
        failed=sum(one.failed for one in counted.values()),
        caller=any(one.caller for one in counted.values()),
        estimated=any(one.estimated for one in counted.values()),
        unknown=why,
        failing_hours=max(one.failing_hours for one in counted.values()),
        kinds=[KindRuns(name, one.since, one.before, one.failed) for name, one in counted.items()],
    )


def not_exercised(runs: Runs | str, least: int) -> bool:
    """Whether every process counts the function, and those of one kind together have not run it often enough."""
    if not isinstance(runs, Runs) or runs.unknown:
        return False
    return min(one.since for one in runs.of_each_kind) < least


def chance(runs: Runs | str) -> float | None:
    """The chance that so many runs do not fail though nothing was corrected; None when it cannot be told.

    Of k failures in m runs the next n are all clean with (m / (m + n))^k: exactly so where the last of the m failed,
    and more cautious where some of them came after it. Failures of one hour are one: they may have one cause, which
    went as it came. Each kind of process has its own share of failing runs.
    """
    if not isinstance(runs, Runs):
        return None
    told = _told(runs)
    return (
        math.prod(math.pow(before / (before + since), failed) for failed, before, since in told)
        if told
        else None
    )


def _told(runs: Runs) -> list[tuple[int, int, int]]:
    """Of each kind that failed (failures, each hour's as one; runs before; runs since)."""
    most = runs.failing_hours or math.inf
    kinds = [one for one in runs.of_each_kind if one.failed and one.before]
    return [(int(min(one.failed, most)), one.before, one.since) for one in kinds]


def times_until(runs: Runs, at_most: float) -> float:
    """How many times as many runs as since the silence began it takes until the chance is that small; inf: never."""
    kinds = [(failed, since / before) for failed, before, since in _told(runs) if since]
    if not kinds or at_most <= 0:
        return math.inf
    wanted = -math.log(at_most)

    def grown(times: float) -> float:
        return math.fsum(failed * math.log1p(pace * times) for failed, pace in kinds)

    low, high = 0.0, 1.0
    while grown(high) < wanted:
        low, high = high, high * 2
        if high > _MOST:
            return math.inf
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if grown(middle) >= wanted else (middle, high)
    return high
