"""The loggers that each session is asked about, since errors of its service that they logged are being watched."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from tocsin.daemon.store import sources
from tocsin.daemon.store.models import Session
from tocsin.handler.protocol.wire import Ack, FromDaemon, Welcome

MOST = 64
"""Loggers that a session is asked about, at most: those of the newest watches."""
FRESH = 1.0
"""Seconds for which a list that was read is good enough."""
REMEMBERED = 20_000
"""Sessions of which it is remembered what they were told, at most; then all are told again."""

Loggers = tuple[tuple[str, int], ...]
"""(name, level) of each."""


class _Read(NamedTuple):
    at: float
    loggers: Loggers


class WatchedLoggers:
    """The lists by service, and what each session was told last."""

    def __init__(self) -> None:
        self._read: dict[tuple[str, str], _Read] = {}
        self._told: dict[str, Loggers] = {}

    def of(self, session: Session, now: float) -> Loggers:
        """Those of the session's service. Called in a transaction."""
        place = (session.service, session.environment)
        read = self._read.get(place)
        if read is None or not 0.0 <= now - read.at < FRESH:
            read = self._read[place] = _Read(now, tuple(sources.watched_loggers(*place, MOST)))
        return read.loggers

    def are_known_to(self, session_id: str, loggers: Loggers) -> bool:
        """Whether the session was told of exactly these."""
        return loggers == self._told.get(session_id, ())

    def note_told(self, answers: Iterable[FromDaemon | None]) -> None:
        """Remembers what was answered, once the transaction is committed: only then is it said."""
        if len(self._told) >= REMEMBERED:
            self._told.clear()
        for answer in answers:
            if isinstance(answer, Welcome | Ack) and answer.watched is not None:
                self._told[answer.session] = answer.watched.loggers
