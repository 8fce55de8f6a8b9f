"""`tocsin`, with room for an error per record, so that tests can tell each record from every other.

Usage: daemon_process.py POINT ARGUMENTS... At POINT ("before commit", ..., "" for nowhere) it kills itself.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

from tocsin.daemon.__main__ import main
from tocsin.daemon.ingest import new_errors
from tocsin.daemon.ingest.digest import Digest
from tocsin.daemon.ingest.intake import Intake
from tocsin.daemon.store.database import Store

TIMES = 5
"""Times a point is passed before the process dies there."""


def die_at(point: str) -> None:
    """The process dies when it has come to the point so often while it digests."""
    passed = itertools.count(1)

    def here(where: str) -> None:
        if where == point and next(passed) >= TIMES:
            os.kill(os.getpid(), signal.SIGKILL)

    transaction, answer, take = Store.transaction, Intake._answer, Digest._together
    digesting = [False]

    @contextlib.contextmanager
    def mortal_transaction(self: Store) -> Iterator[Any]:
        mine = digesting[0]
        with transaction(self) as inner:
            yield inner
            if mine:
                here("before commit")
        if mine:
            here("after commit")

    def mortal_take(self: Digest, received: Any, now: float) -> Any:
        digesting[0] = True
        try:
            return take(self, received, now)
        finally:
            digesting[0] = False

    def mortal_answer(self: Intake, peer: bytes, message: Any) -> None:
        here("before ack")
        answer(self, peer, message)
        here("after ack")

    Store.transaction = mortal_transaction  # type: ignore[method-assign]
    Digest._together = mortal_take  # type: ignore[method-assign]
    Intake._answer = mortal_answer  # type: ignore[method-assign]


if __name__ == "__main__":
    new_errors.ERRORS_PER_PLACE = new_errors.ERRORS_PER_SERVICE = 10**9
    if sys.argv[1]:
        die_at(sys.argv[1])
    sys.argv[1:] = sys.argv[2:]
    main()
