"""Gathers what the processes of a service say of the runs of its errors' functions. Reads only; `runs` judges."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct

from tocsin.daemon.store import runs as rows
from tocsin.daemon.store.models import Session
from tocsin.daemon.store.run_models import ErrorFunction
from tocsin.daemon.tickets import runs
from tocsin.daemon.tickets.runs import Counted, Reported, Runs

SOON = 2
"""Heartbeats within which a process may say nothing of a function: it is named to it with the first."""


class Speaker(Struct, frozen=True):
    """A process that was alive, and what it says of each error's functions."""

    first_heard: float
    last_heard: float
    interval: float
    says: Mapping[int, Sequence[Reported]]

    def bears_on(self, error_id: int, since: float) -> bool:
        """Whether it was alive in a silence since then, for long enough to say something of it."""
        if self.last_heard <= since:
            return False
        lived = self.last_heard - max(self.first_heard, since)
        return error_id in self.says or lived >= SOON * self.interval


class RunReports(Struct, frozen=True):
    """Of one service."""

    functions: Mapping[int, Sequence[Counted]] = {}
    speakers: Sequence[Speaker] = ()

    def of(self, error_id: int, quiet_since: float) -> Runs | str:
        """The runs of an error's function in its silence since then, or why they are not known."""
        said = [one.says.get(error_id, ()) for one in self.speakers if one.bears_on(error_id, quiet_since)]
        return runs.known(self.functions.get(error_id, ()), said)


def gathered(service: str, environment: str, since: float) -> RunReports:
    """What is said of the watched errors of a service whose oldest silence began at `since`."""
    functions = rows.watched_functions(service, environment)
    if not functions:
        return RunReports()
    heard = rows.speakers(service, environment, since)
    return RunReports(
        {error_id: [counted(one) for one in found] for error_id, found in functions.items()},
        [_speaker(one, functions.keys()) for one in heard],
    )


def counted(function: ErrorFunction) -> Counted:
    """A row of the table as a value."""
    return Counted(
        function.caller,
        function.module,
        function.name,
        function.begun,
        function.before,
        function.failed,
        function.estimated,
    )


def _speaker(session: Session, error_ids: Collection[int]) -> Speaker:
    says: dict[int, list[Reported]] = {}
    for (error_id, caller), told in rows.reported_by(session).items():
        if error_id in error_ids:
            says.setdefault(error_id, []).append(Reported(caller, told.unknown))
    return Speaker(session.first_heard, session.last_heard, session.interval, says)
