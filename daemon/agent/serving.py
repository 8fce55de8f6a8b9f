"""A runner: waits for errors that were handed to the agent, and has them corrected one after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from tocsin.daemon.failure import Failed
from tocsin.daemon.queries.tries import RequestFacts, TryFacts

EVERY = 5.0
"""Seconds between two looks at what was handed over."""


class Requests(Protocol):
    """Where what was handed over stands: a database of this machine, or a console."""

    def requests(self) -> list[RequestFacts]: ...


class Runner:
    """Takes what waits, the oldest first. Several may run: a try is begun by one of them.

    `fix` corrects one error; `ended` is told of its try, `refused` of an error that is not to be tried now, each
    refusal once for as long as it stays the same.
    """

    def __init__(
        self,
        desk: Requests,
        fix: Callable[[int], TryFacts],
        ended: Callable[[TryFacts], None],
        refused: Callable[[int, Failed], None],
    ) -> None:
        self._desk = desk
        self._fix = fix
        self._ended = ended
        self._refused = refused
        self._told: dict[int, type[Failed]] = {}

    def step(self) -> bool:
        """Has one error corrected; returns whether there may be more. Raises Failed where nobody can be asked."""
        for request in self._desk.requests():
            if request.step:
                continue
            try:
                row = self._fix(request.error_id)
            except Failed as error:
                if self._told.get(request.error_id) is not type(error):
                    self._told[request.error_id] = type(error)
                    self._refused(request.error_id, error)
                continue
            self._told.pop(request.error_id, None)
            self._ended(row)
            return True
        return False

    def serve(self, over: threading.Event, lost: Callable[[Failed], None], every: float = EVERY) -> None:
        """Until `over` is set. What keeps it from asking is told to `lost`, once until it can again."""
        failing = False
        while not over.is_set():
            try:
                more = self.step()
                failing = False
            except Failed as error:
                if not failing:
                    lost(error)
                more, failing = False, True
            if not more:
                over.wait(every)
