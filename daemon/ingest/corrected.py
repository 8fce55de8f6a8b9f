"""Whose code has an error's correction: asked once per error and transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tocsin.daemon.ingest.tally import Sum
from tocsin.daemon.store import deployments, sessions
from tocsin.daemon.store import tickets as rows
from tocsin.daemon.store.models import ErrorLog, Session
from tocsin.daemon.tickets.recurrence import old_code
from tocsin.daemon.tickets.releases import FixedIn, fixed_in


class _Newest(NamedTuple):
    """An error's newest correction."""

    applied_at: float
    newer_process: bool
    """A process of the service began since it was applied."""
    fixed_in: FixedIn | None


class Corrected:
    """What one transaction knows of its errors' corrections."""

    def __init__(self, known: Mapping[str, Session]) -> None:
        self._known = known
        self._newest: dict[int, _Newest | None] = {}

    def waits(self, error: ErrorLog) -> bool:
        """Whether its correction is in a release that is not out yet: what happens until then is no news."""
        newest = self._of(error)
        return newest is not None and newest.fixed_in is not None and newest.fixed_in.waits

    def is_before(self, error: ErrorLog, session: Session) -> bool:
        """Whether the process runs a release without the correction."""
        newest = self._of(error)
        return newest is not None and newest.fixed_in is not None and newest.fixed_in.lacks(session.release)

    def is_old_code(self, error: ErrorLog, session: Session) -> bool:
        """Whether the process runs older code, while newer code runs: by its release, else by when it began."""
        newest = self._of(error)
        if newest is None:
            return False
        if newest.fixed_in is not None and session.release:
            return newest.fixed_in.lacks(session.release)
        return old_code(session.started_at, newest.applied_at, newer_process=newest.newer_process)

    def any_before(self, error: ErrorLog, parts: Sequence[Sum]) -> bool:
        """Whether any of the occurrences came from a release without the correction."""
        ids = {session_id for part in parts for _, session_id in part.hits}
        return any(self.is_before(error, self._known[one]) for one in ids)

    def last_with(self, error: ErrorLog, parts: Sequence[Sum]) -> float | None:
        """The moment of the last occurrence in a process with the correction, None when there is none."""
        return max(
            (
                hit.last_at
                for part in parts
                for (_, session_id), hit in part.hits.items()
                if not self.is_before(error, self._known[session_id])
            ),
            default=None,
        )

    def _of(self, error: ErrorLog) -> _Newest | None:
        if error.id not in self._newest:
            self._newest[error.id] = _newest(error)
        return self._newest[error.id]


def _newest(error: ErrorLog) -> _Newest | None:
    corrections = rows.corrections(error.id)
    if not corrections:
        return None
    place = (error.service, error.environment)
    applied_at = max(correction.applied_at for correction in corrections)
    fix = fixed_in(corrections[-1].fixed_in, corrections[-1].applied_at, deployments.of_service(*place))
    return _Newest(applied_at, sessions.any_began_since(*place, applied_at), fix)
