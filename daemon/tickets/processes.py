"""Processes that people say are gone: what is not heard of them holds no ticket any more."""

from __future__ import annotations

from tocsin.daemon.store import sessions
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Session
from tocsin.daemon.tickets.manual import AlreadySo, ManualError, UnknownNumber


def write_off(store: Store, session_id: str, now: float) -> Session:
    """Writes off the session whose id begins so. It is known again as soon as it is heard. Raises ManualError."""
    with store.transaction():
        found = sessions.named(session_id) if session_id else []
        if not found:
            raise UnknownNumber(
                "there is no process %(session_id)r; `tocsin sessions` lists them", session_id=session_id
            )
        if len(found) > 1:
            raise ManualError(
                "several processes' ids begin with %(session_id)r; write more of it", session_id=session_id
            )
        session = found[0]
        if session.gone_at is not None:
            raise AlreadySo("process %(session_id)r is written off already", session_id=session_id)
        if (session.ended_at or session.emptied_at) is not None and not session.backlog:
            raise AlreadySo(
                "process %(session_id)r ended in order and holds nothing back", session_id=session_id
            )
        sessions.write_off(session, now)
    return session
