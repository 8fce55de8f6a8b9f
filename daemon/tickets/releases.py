"""Which release has a correction, and which releases came before it. Pure.

A correction waits for its release: the one that was named with it, else the next one after it was applied. Until that
is out the error's occurrences are no reappearance, and what an older release says never is one. A service of which no
two releases are known is not waited for: its processes tell by their start what they run.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

Deployments = Sequence[tuple[str, float]]
"""(release, since when it is out) of one service, the oldest first."""


class FixedIn(Struct, frozen=True):
    """The release that has an error's newest correction."""

    release: str
    """"" where the next one is waited for, whichever it is."""
    deployed_at: float | None
    """Since when it is out; None: it is waited for."""
    older: frozenset[str] = frozenset()
    """The releases that were out before it."""

    @property
    def waits(self) -> bool:
        """It is not out yet."""
        return self.deployed_at is None

    def lacks(self, release: str | None) -> bool:
        """Whether a process of this release runs without the correction; one that tells no release runs with it."""
        return self.waits or release in self.older


def fixed_in(named: str | None, applied_at: float, deployments: Deployments) -> FixedIn | None:
    """The release of a correction that was applied then; None where releases say nothing about it."""
    if named:
        at = dict(deployments).get(named)
        return _since(named, at, deployments)
    later = [(at, release) for release, at in deployments if at > applied_at]
    if later:
        at, release = min(later)
        return _since(release, at, deployments)
    return FixedIn("", None) if len(deployments) > 1 else None


def _since(release: str, at: float | None, deployments: Deployments) -> FixedIn:
    if at is None:
        return FixedIn(release, None)
    older = frozenset(other for other, since in deployments if (since, other) < (at, release))
    return FixedIn(release, at, older)
