"""The life of sessions: who may speak for one, hello, heartbeat and goodbye, clocks, what is no longer held."""

from __future__ import annotations

import math
from collections.abc import Callable

import structlog

from tocsin.daemon.ingest.clocks import OFFSET_NOISE, Clocks, difference
from tocsin.daemon.store import deployments, runs, sessions
from tocsin.daemon.store.models import Session
from tocsin.handler.capture.values import clean
from tocsin.handler.protocol.wire import (
    Batch,
    FromDaemon,
    Goodbye,
    Heartbeat,
    Hello,
    Observed,
    Refusal,
    Welcome,
)

LOGGERS = 64
"""Loggers of a session that cannot be heard, at most; what more of them says is passed over."""

log = structlog.get_logger()


class SessionLife:
    """The sessions of one transaction; `seen_alive` are those that spoke themselves, by id."""

    def __init__(
        self,
        known: dict[str, Session],
        identity: str,
        counted: Callable[[str], int],
        clocks: Clocks,
        now: float,
    ) -> None:
        self._sessions = known
        self._identity = identity
        self._counted = counted
        """How many events of a session the transaction has counted so far."""
        self._clocks = clocks
        self._now = now
        self._heard_before: dict[str, float] = {}
        """When a session was heard before its present message."""
        self.seen_alive: set[str] = set()

    def hello(self, hello: Hello, peer_key: str) -> FromDaemon:
        """Begins a session, or goes on with a known one; answers with where to go on."""
        header = hello.header
        session = self._sessions.get(header.session)
        if hello.database and hello.database != self._identity and session is None:
            return Refusal(header.session, "other_database", "this session is shipped to another database")
        if session is None:
            session = self._sessions[header.session] = self._begun(hello, peer_key)
        elif not may_speak(session, peer_key, hello.live):
            return _foreign(header.session)
        session.last_heard = self._now
        session.gone_at = None
        session.live = hello.live
        session.backlog = hello.backlog
        if hello.live:
            session.ended_at = session.emptied_at = None
            session.clock_offset = difference(hello.sent_at, self._now) or 0.0
            self.seen_alive.add(session.id)
        if hello.oldest > session.watermark:
            self._gone(session, hello)
        return Welcome(session.id, self._identity, session.watermark, self._now)

    def speaker(self, session_id: str, peer_key: str) -> Session | Refusal:
        """The session that a message is of, or why the message is refused."""
        session = self._sessions.get(session_id)
        if session is None:
            return Refusal(session_id, "unknown_session", "say hello first")
        if not may_speak(session, peer_key, session.live):
            return _foreign(session_id)
        self._heard_before[session_id] = session.last_heard
        session.last_heard = self._now
        session.gone_at = None
        return session

    def measure(self, session: Session, message: Batch | Heartbeat | Goodbye) -> None:
        """What the message says of the session's clock, when it speaks itself."""
        if session.live:
            known = session.clock_offset
            session.clock_offset = self._clocks.measured(session.id, known, message.sent_at, self._now)

    def note_alive(self, session: Session, message: Batch | Heartbeat | Goodbye) -> None:
        """What follows from a word of the session itself: it lives, what it observed, how far it has got."""
        if not session.live:
            return
        self.seen_alive.add(session.id)
        if not isinstance(message, Goodbye):  # Who ends may have taken its handlers down already.
            self._observe(session, message.observed)
        if not message.backlog and message.sent_at > 0.0:
            caught_up = moment_by_our_clock(message.sent_at, session.clock_offset, self._now)
            session.caught_up_at = max(session.caught_up_at or 0.0, caught_up)

    def _observe(self, session: Session, observed: Observed | None) -> None:
        """Since when which loggers cannot be heard: those that can be again have an interval behind them."""
        if observed is None:
            return
        before: dict[str, float] = session.unheard or {}
        now_unheard = {clean(name)[:200] for name in observed.unheard[:LOGGERS]}
        # The process looks with every heartbeat: at the one before, they were still heard.
        since = min(self._heard_before.get(session.id, self._now), self._now - session.interval)
        for name in sorted(before.keys() - now_unheard):
            sessions.add_unheard(session, name, before[name], self._now)
        session.unheard = {
            name: before.get(name, max(since, session.started_at)) for name in sorted(now_unheard)
        }

    def _begun(self, hello: Hello, peer_key: str) -> Session:
        header = hello.header
        offset = difference(hello.sent_at, self._now) or 0.0
        started_at = moment_by_our_clock(header.started_at, offset, self._now)
        if hello.live and hello.age is not None and math.isfinite(hello.age):
            # Its clock may have been set since; how long it has lived by one that nobody sets is sure.
            started_at = self._now - max(hello.age, 0.0)
        if release := clean(header.release or "")[: deployments.RELEASE]:
            place = (clean(header.service)[:200], clean(header.environment or "")[:200])
            deployments.note(*place, release, started_at)
        return sessions.begin(
            id=header.session[:64],
            service=header.service[:200],
            environment=(header.environment or "")[:200],
            release=header.release and header.release[:200],
            host=header.host[:200],
            pid=header.pid,
            python=header.python[:50],
            peer_key=peer_key,
            started_at=started_at,
            first_heard=self._now,
            last_heard=self._now,
            interval=min(max(header.interval, 0.1), 3600.0),
            clock_offset=offset,
            live=hello.live,
            program=clean(header.program)[:200],
            role=clean(header.role)[:200],
            arguments=clean(header.arguments)[:1000],
            machine=clean(header.machine)[:200],
            boot=clean(header.boot)[:200],
            born=min(max(header.born, 0), 2**62),
        )

    def _gone(self, session: Session, hello: Hello) -> None:
        """The handler no longer holds what follows our watermark: a database restored from a backup.

        One made before the session began does not know it; the session knows the database. How many they are
        the handler knows; one that cannot say has lost at least one. None, when no event stood there.
        """
        known = session.watermark or session.events or hello.database == self._identity
        if known and (count := self._missing(session, hello)):
            runs.add_loss(session, sessions.NOT_HELD, count, self._now)
            log.error("records_not_held", session=session.id, count=count, exact=hello.before is not None)
        session.watermark = hello.oldest

    def _missing(self, session: Session, hello: Hello) -> int:
        if hello.before is None:
            return 1
        return max(hello.before - sessions.accounted_for(session) - self._counted(session.id), 0)

    def heard(self, session: Session, message: Heartbeat | Goodbye) -> None:
        """A heartbeat or goodbye: what it says of its backlog and clock."""
        session.backlog = max(message.backlog, 0)
        self.measure(session, message)
        if session.live:
            session.ended_at = session.emptied_at = None
            self.note_alive(session, message)

    def parted(self, session: Session, message: Goodbye) -> None:
        """A goodbye: the process's own ends its run. Who adopted what it left tells when it had ended, if it had."""
        if session.live:
            session.ended_at = self._now
            return
        session.emptied_at = self._now
        if message.ended_at is not None:
            session.ended_at = moment_by_our_clock(message.ended_at, session.clock_offset, self._now)


def earliest(session: Session) -> float:
    """Before which moment nothing that is delivered now happened: its start, and when all before was delivered."""
    return float(max(session.started_at, session.caught_up_at or 0.0)) - OFFSET_NOISE


def moment_by_our_clock(at: float, offset: float, now: float) -> float:
    """The moment by the daemon's clock; nothing happens in the future, nor before the epoch."""
    return min(max(at + offset, 0.0), now) if math.isfinite(at) else now


def may_speak(session: Session, peer_key: str, live: bool) -> bool:
    """Whether a connection may go on with a session: under the session's own key; or from this machine
    (without CURVE there is no key), for what a dead process left behind.
    """
    return bool(session.peer_key == peer_key or (not peer_key and not live))


def _foreign(session_id: str) -> Refusal:
    return Refusal(session_id, "not_allowed", "the session belongs to another key", permanent=True)
