"""What the runs of a function say of the silence of its error. Pure.

A run counts where a process has counted it (docs/evidence.md). Runs say more than hours: a function that nobody calls
shows no error, whether it is corrected or not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Struct

NOT_LOADED = "not_loaded"
"""What a process says of a function whose module it has not imported: it has not run there."""
NOT_TOLD = "not_told"
"""Why runs are unknown where a process says nothing of the function: an older handler, or one that ended soon."""


class Counted(Struct, frozen=True):
    """What is counted of one function, over all processes."""

    caller: bool
    module: str
    name: str
    begun: int
    before: int
    """Of them, before the silence."""
    failed: int
    estimated: bool = False


class Reported(Struct, frozen=True):
    """What one process that was alive in the silence says of a function."""

    caller: bool
    unknown: str = ""
    """Why it does not count it, "" where it does."""


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
            return Runs(
                function=f"{function.module}.{function.name.removeprefix('*.')}",
                since=max(function.begun - function.before, 0),
                before=function.before,
                failed=min(function.failed, function.before),
                caller=function.caller,
                estimated=function.estimated,
                unknown=blind[0] if blind else "",
            )
        why = why or (blind[0] if blind else "")
    return why or NOT_TOLD


def not_exercised(runs: Runs | str, least: int) -> bool:
    """Whether every process counts the function, and all of them together have not run it often enough."""
    return isinstance(runs, Runs) and not runs.unknown and runs.since < least


def chance(runs: Runs | str) -> float | None:
    """The chance that so many runs do not fail though nothing was corrected; None when it cannot be told.

    Of k failures in m runs the next n are all clean with (m / (m + n))^k: exactly so where the last of the m failed,
    and more cautious where some of them came after it.
    """
    if not isinstance(runs, Runs) or not runs.failed or not runs.before:
        return None
    return math.pow(runs.before / (runs.before + runs.since), runs.failed)


def runs_until(runs: Runs, at_most: float) -> float:
    """How many runs it takes from the silence's beginning until the chance is that small; inf: it never is."""
    if not runs.failed or at_most <= 0:
        return math.inf
    return runs.before * (math.pow(at_most, -1 / runs.failed) - 1)
