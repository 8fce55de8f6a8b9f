"""The thread that digests: takes what has come together, commits it, hands the answers back. It touches no socket."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import structlog

from tocsin.daemon.ingest.digest import Received
from tocsin.daemon.ingest.exchange import Exchange
from tocsin.daemon.runtime.liveness import Beat
from tocsin.daemon.store.database import StoreError, StoreReplaced
from tocsin.handler.protocol.wire import FromDaemon

PATIENCE = 0.5
"""Seconds to wait after the database could not be written, before the next try."""
LOOK = 0.2
"""Seconds between two looks at whether the thread is to end."""

Handle = Callable[[Sequence[Received], float], list[FromDaemon | None]]

log = structlog.get_logger()


class DigestThread:
    """Messages of an exchange, digested until a signal. Made in the main thread, run by one of its own."""

    def __init__(self, exchange: Exchange, handle: Handle, now: Callable[[], float]) -> None:
        self._exchange = exchange
        self._handle = handle
        self._now = now
        self.failure: str = ""
        """Why it ended before it was asked to."""

    def serve(self, stop: threading.Event, beat: Beat = lambda: None) -> None:
        """Digests until `stop` is set, calling `beat` at every turn.

        A database that cannot be written makes it wait, with what it took unanswered: the handlers send it again.
        What else breaks sets `stop` and `failure`.
        """
        try:
            while not stop.is_set():
                beat()
                try:
                    self.step(LOOK)
                except StoreReplaced:
                    raise
                except StoreError as error:
                    log.error("not_stored", reason=str(error))
                    stop.wait(PATIENCE)
        except Exception as error:
            self.failure = str(error) if isinstance(error, StoreReplaced) else f"the digest broke: {error!r}"
            log.critical("digest_broken", reason=self.failure, exc_info=True)
            stop.set()
        finally:
            self._exchange.over.set()

    def step(self, timeout: float) -> bool:
        """Digests what waits, waiting `timeout` seconds for the first; returns whether there was anything.

        Raises StoreError when the database could not be written.
        """
        asked = self._exchange.take(timeout)
        if not asked:
            return False
        answers: list[FromDaemon | None] = []
        try:
            answers = self._handle([one.received for one in asked], self._now())
        finally:
            self._exchange.answer(asked, answers)
        return True
