"""The life of sessions: who may speak for one, hello, heartbeat and goodbye, clocks, what is no longer held."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable

import structlog

from tocsin.daemon.store import sessions
from tocsin.daemon.store.models import Session
from tocsin.handler import process
from tocsin.handler.protocol.event import Header
from tocsin.handler.protocol.wire import FromDaemon, Goodbye, Heartbeat, Hello, Refusal, Welcome

OFFSET_NOISE = 1.0
"""Seconds of clock difference that a busy machine makes by itself; below it no correction is applied."""
CLOCK_SET = 60.0
"""Seconds by which a heartbeat's clock differs from what is known before one of the two was set meanwhile."""
HOST = platform.node()
BOOT = process.identity().boot

log = structlog.get_logger()


class SessionLife:
    """The sessions of one transaction; `seen_alive` are those that spoke themselves, by id."""

    def __init__(
        self, known: dict[str, Session], identity: str, counted: Callable[[str], int], now: float
    ) -> None:
        self._sessions = known
        self._identity = identity
        self._counted = counted
        """How many events of a session the transaction has counted so far."""
        self._now = now
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
            session.ended_at = None
            session.clock_offset = self._offset(hello.sent_at, _clock(header))
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
        session.last_heard = self._now
        session.gone_at = None
        return session

    def note_alive(self, session: Session) -> None:
        """A heartbeat now, when the session speaks itself."""
        if session.live:
            self.seen_alive.add(session.id)

    def _begun(self, hello: Hello, peer_key: str) -> Session:
        header = hello.header
        offset = self._offset(hello.sent_at, _clock(header))
        return sessions.begin(
            id=header.session[:64],
            service=header.service[:200],
            environment=(header.environment or "")[:200],
            release=header.release and header.release[:200],
            host=header.host[:200],
            pid=header.pid,
            python=header.python[:50],
            peer_key=peer_key,
            started_at=moment_by_our_clock(header.started_at, offset, self._now),
            first_heard=self._now,
            last_heard=self._now,
            interval=min(max(header.interval, 0.1), 3600.0),
            clock_offset=offset,
            live=hello.live,
        )

    def _gone(self, session: Session, hello: Hello) -> None:
        """The handler no longer holds what follows our watermark: a database restored from a backup.

        One made before the session began does not know it; the session knows the database. How many they are
        the handler knows; one that cannot say has lost at least one. None, when no event stood there.
        """
        known = session.watermark or session.events or hello.database == self._identity
        if known and (count := self._missing(session, hello)):
            sessions.add_loss(session.id, sessions.NOT_HELD, count)
            log.error("records_not_held", session=session.id, count=count, exact=hello.before is not None)
        session.watermark = hello.oldest

    def _missing(self, session: Session, hello: Hello) -> int:
        if hello.before is None:
            return 1
        return max(hello.before - sessions.accounted_for(session) - self._counted(session.id), 0)

    def heard(self, session: Session, message: Heartbeat | Goodbye) -> None:
        """A heartbeat or goodbye: what it says of its backlog and clock."""
        session.backlog = max(message.backlog, 0)
        if session.live:
            session.ended_at = None
            self.note_alive(session)
            offset = self._offset(message.sent_at, "" if session.clock_offset else session.host)
            if abs(offset - session.clock_offset) > CLOCK_SET:
                session.clock_offset = offset

    def _offset(self, sent_at: float, host: str) -> float:
        """What to add to the application's clock. On this host it is ours: a difference is only delay."""
        offset = self._now - sent_at if math.isfinite(sent_at) and host != HOST else 0.0
        return offset if abs(offset) > OFFSET_NOISE else 0.0


def moment_by_our_clock(at: float, offset: float, now: float) -> float:
    """The moment by the daemon's clock; nothing happens in the future, nor before the epoch."""
    return min(max(at + offset, 0.0), now) if math.isfinite(at) else now


def _clock(header: Header) -> str:
    """Whose clock a session goes by: `HOST` where it is ours.

    The kernel's boot tells. A host's name proves nothing; it is believed of handlers that do not say the boot.
    """
    if header.boot and BOOT:
        return HOST if header.boot == BOOT else ""
    return header.host


def may_speak(session: Session, peer_key: str, live: bool) -> bool:
    """Whether a connection may go on with a session: under the session's own key; or from this machine
    (without CURVE there is no key), for what a dead process left behind.
    """
    return bool(session.peer_key == peer_key or (not peer_key and not live))


def _foreign(session_id: str) -> Refusal:
    return Refusal(session_id, "not_allowed", "the session belongs to another key", permanent=True)
