"""Ships what dead processes leave in spool directories, for as long as it is let: the sidecar of containers.

No thread. It takes turns; who runs it waits between them.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator

from tocsin.handler.process import monotonic
from tocsin.handler.shipping.adoption import LATER, Leftovers
from tocsin.handler.shipping.leftover import Outcome, never, ship_next

EVERY = 1.0
"""Seconds between two turns: as often as an application looks for what the dead have left."""


class SpoolWatcher:
    """Of a directory, and of those directly in it: each may be an application's spool, whenever it appears."""

    def __init__(self, directory: str, *, patience: float = 10.0, endpoint: str | None = None) -> None:
        """`patience` and `endpoint`: as in `ship_spool`."""
        self.directory = directory
        self._patience = patience
        self._endpoint = endpoint
        self._passed: dict[str, float] = {}
        """Sessions that stayed, until when they are left alone."""
        self._said: dict[str, str] = {}
        """Why they stayed, as it was last told."""

    def turn(self, over: Callable[[], bool] = never) -> Iterator[Outcome]:
        """One look: ships what can be shipped, until `over`. What stays is told when the reason is another one.

        A directory that is not there yet, or cannot be read now, is looked at again with the next turn.
        """
        now = monotonic()
        self._passed = {session: until for session, until in self._passed.items() if until > now}
        silent: dict[tuple[str, ...], str] = {}
        for place in self._places():
            for outcome in self._ship(place, silent, over):
                if not outcome.reason:
                    self._said.pop(outcome.session, None)
                    yield outcome
                    continue
                self._passed[outcome.session] = monotonic() + LATER
                if self._said.get(outcome.session) != outcome.reason and not over():
                    self._said[outcome.session] = outcome.reason
                    yield outcome

    def _ship(
        self, place: str, silent: dict[tuple[str, ...], str], over: Callable[[], bool]
    ) -> Iterator[Outcome]:
        leftovers = Leftovers(place)
        try:
            leftovers.look(self._passed)
        except OSError:
            return
        while leftovers.sessions and not over():
            outcome = ship_next(leftovers, self._patience, self._endpoint, silent, over)
            if outcome is not None:
                yield outcome

    def _places(self) -> list[str]:
        try:
            with os.scandir(self.directory) as found:
                inner = sorted(one.path for one in found if one.is_dir(follow_symlinks=False))
        except OSError:
            return []
        return [self.directory, *inner]


def until_signalled(watcher: SpoolWatcher, watching: Callable[[str], None]) -> Iterator[Outcome]:
    """Its turns, one after the other, until SIGTERM or SIGINT; what is on its way then is given back as it is.

    `watching` is told the directory once signals end it in order.
    """
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    watching(watcher.directory)
    while not asked.is_set():
        yield from watcher.turn(asked.is_set)
        asked.wait(EVERY)
