"""Keeps a try its runner's while it works: a thread of its own renews the lease, whatever the work is at."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from types import TracebackType

from peewee import PeeweeException

from tocsin.daemon.corrections.tries import LEASE, NoTry, TryLost
from tocsin.daemon.failure import Failed

EVERY = LEASE / 5
"""Seconds between two renewals."""


class Lease:
    """Renews until it is left. `renew` tells the step; `lost` is set once the try is somebody else's."""

    def __init__(
        self, renew: Callable[[str], None], *, every: float = EVERY, done: Callable[[], None] = lambda: None
    ):
        self._renew = renew
        self._every = every
        self._done = done
        self._step = "begun"
        self._over = threading.Event()
        self.lost = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="tocsin-lease", daemon=True)

    def __enter__(self) -> Lease:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def at(self, step: str) -> None:
        """The work is at this step. Raises TryLost when the try is not its runner's any more."""
        self._step = step
        self._renew(step)
        self.check()

    def check(self) -> None:
        """Raises TryLost when the try is not its runner's any more."""
        if self.lost.is_set():
            raise TryLost("the try is over: somebody else has gone on with the error")

    def _keep(self) -> None:
        while not self._over.wait(self._every):
            try:
                self._renew(self._step)
            except (TryLost, NoTry):
                self.lost.set()
                break
            except (Failed, PeeweeException, OSError):
                continue  # Nobody can be asked just now: the lease holds for four more renewals.
        with contextlib.suppress(PeeweeException, OSError):
            self._done()
