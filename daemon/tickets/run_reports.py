"""Gathers what the processes of a service say of the runs of its errors' functions. Reads only; `runs` judges."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from msgspec import Struct, structs

from tocsin.daemon.store import runs as rows
from tocsin.daemon.store.models import Session
from tocsin.daemon.store.run_models import CountedRuns, ErrorFunction
from tocsin.daemon.tickets import runs
from tocsin.daemon.tickets.kinds import Kind
from tocsin.daemon.tickets.runs import Counted, Reported, Runs

SOON = 2
"""Heartbeats within which a process may say nothing of a function: it is named to it with the first."""


Wanted = Sequence[tuple[str, Collection[Kind] | None]]
"""(name, kinds) of the processes whose runs count, each entry for itself; None: any process of the service."""
ANY: Wanted = [("", None)]
Lacks = Callable[[str], bool]
"""Whether a release is without an error's correction."""


def _nothing(release: str) -> bool:
    return False


class Speaker(Struct, frozen=True):
    """A process that was alive, and what it says of each error's functions."""

    first_heard: float
    last_heard: float
    interval: float
    says: Mapping[int, Sequence[Reported]]
    kind: Kind = Kind("")
    release: str = ""

    def bears_on(self, error_id: int, since: float) -> bool:
        """Whether it was alive in a silence since then, for long enough to say something of it."""
        if self.last_heard <= since:
            return False
        lived = self.last_heard - max(self.first_heard, since)
        return error_id in self.says or lived >= SOON * self.interval


class RunReports(Struct, frozen=True):
    """Of one service."""

    functions: Mapping[int, Sequence[ErrorFunction]] = {}
    counted: Mapping[rows.Counted, Sequence[CountedRuns]] = {}
    speakers: Sequence[Speaker] = ()
    failing_hours: Mapping[rows.Counted, int] = {}
    """Per function in how many hours counted runs of it failed."""

    def of(
        self, error_id: int, quiet_since: float, wanted: Wanted = ANY, lacks: Lacks = _nothing
    ) -> Runs | str:
        """The runs of an error's function in its silence since then, or why they are not known.

        `wanted`: the kinds of process that logged it, the only ones whose runs say anything of it. `lacks`: whether
        a release is without its correction; what ran in such a one, ran before.
        """
        return runs.together({name: self._in(error_id, quiet_since, of, lacks) for name, of in wanted})

    def _in(
        self, error_id: int, quiet_since: float, kinds: Collection[Kind] | None, lacks: Lacks
    ) -> Runs | str:
        said = [
            one.says.get(error_id, ())
            for one in self.speakers
            if (kinds is None or one.kind in kinds)
            and not lacks(one.release)
            and one.bears_on(error_id, quiet_since)
        ]
        functions = [
            structs.replace(
                _added_up(one, self.counted.get((error_id, one.caller), ()), kinds, lacks),
                failing_hours=self.failing_hours.get((error_id, one.caller), 0),
            )
            for one in self.functions.get(error_id, ())
        ]
        return runs.known(functions, said)


def gathered(service: str, environment: str, since: float) -> RunReports:
    """What is said of the watched errors of a service whose oldest silence began at `since`."""
    functions = rows.watched_functions(service, environment)
    if not functions:
        return RunReports()
    heard = rows.speakers(service, environment, since)
    said = [_speaker(one, functions.keys()) for one in heard]
    return RunReports(functions, rows.counted(functions), said, rows.failing_hours(functions))


def _added_up(
    function: ErrorFunction,
    counted: Iterable[CountedRuns],
    kinds: Collection[Kind] | None,
    lacks: Lacks,
) -> Counted:
    own = [one for one in counted if kinds is None or Kind(one.program, one.role) in kinds]
    return Counted(
        function.caller,
        function.module,
        function.name,
        begun=sum(one.begun for one in own),
        before=sum(one.begun if lacks(one.release) else one.before for one in own),
        failed=sum(one.failed for one in own),
        estimated=any(one.estimated for one in own),
    )


def _speaker(session: Session, error_ids: Collection[int]) -> Speaker:
    says: dict[int, list[Reported]] = {}
    for (error_id, caller), told in rows.reported_by(session).items():
        if error_id in error_ids:
            says.setdefault(error_id, []).append(Reported(caller, told.unknown))
    kind = Kind(session.program, session.role)
    return Speaker(
        session.first_heard, session.last_heard, session.interval, says, kind, session.release or ""
    )
