"""Errors handed to a coding agent: they wait until a runner takes them, and until what it made of them is known."""

from __future__ import annotations

from collections.abc import Sequence

from tocsin.daemon.failure import Failed, NotThere
from tocsin.daemon.store import tries
from tocsin.daemon.store.database import Store
from tocsin.daemon.tickets.manual import locked_error


class NoErrors(Failed):
    """No error was named."""


class NoRequest(NotThere):
    """The error was not handed to an agent, or its time is over."""


def hand_over(store: Store, error_ids: Sequence[int], by: str, now: float) -> None:
    """Hands errors to an agent; one that waits already goes on waiting. Raises ManualError."""
    if not error_ids:
        raise NoErrors("name an error that is handed to the agent")
    with store.transaction():
        for error_id in sorted(set(error_ids)):
            locked_error(store, error_id)
            tries.ask(error_id, by, now)


def take_back(store: Store, error_id: int) -> None:
    """The error waits for no agent any more; a try that runs goes on. Raises NoRequest."""
    with store.transaction():
        if not tries.answer(error_id):
            raise NoRequest("error %(error_id)s is not handed to an agent", error_id=error_id)
