"""Ships what dead processes left in a spool directory, from the command line.

No thread, nothing adopted for long.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tocsin.handler.process import monotonic, wall
from tocsin.handler.protocol import wire
from tocsin.handler.shipping.adoption import Adopted, Leftovers
from tocsin.handler.shipping.connection import Connection
from tocsin.handler.shipping.unanswered import no_answer

WINDOW = 32
"""Batches on the way, at most: no application's memory is used here, so the daemon need not wait for us."""


class Outcome(NamedTuple):
    """What became of one dead process's session. `reason` says why it stayed, '' when it was shipped."""

    session: str
    service: str
    pid: int
    size: int
    """Bytes that waited."""
    reason: str


def ship_spool(directory: str, *, patience: float = 10.0, endpoint: str | None = None) -> Iterator[Outcome]:
    """Ships every session whose owner is dead, each to where it was meant to go (or to `endpoint`).

    `patience`: seconds without any progress after which a session is left as it is, per endpoint. Raises
    OSError when the directory cannot be read.
    """
    leftovers = Leftovers(directory)
    leftovers.look()
    while leftovers.sessions:
        outcome = ship_next(leftovers, patience, endpoint)
        if outcome is not None:
            yield outcome


def never() -> bool:
    """Nobody wants it to end."""
    return False


def ship_next(
    leftovers: Leftovers,
    patience: float,
    endpoint: str | None = None,
    silent: dict[tuple[str, ...], str] | None = None,
    over: Callable[[], bool] = never,
) -> Outcome | None:
    """Ships the next session; None where its owner lives or nothing is left of it.

    `silent`: endpoints where nobody answered lately, and why; they are not tried again. `over`: gives it back as
    it is.
    """
    session = leftovers.sessions[0]
    try:
        taken = leftovers.claim()
        if isinstance(taken, str):
            return Outcome(session, "?", 0, 0, taken)
        if taken is None:
            return None
        endpoints = (endpoint,) if endpoint else taken.header.endpoints
        if silent is not None and endpoints in silent:
            taken.give_back()
            header = taken.header
            return Outcome(session, header.service, header.pid, taken.delivery.backlog, silent[endpoints])
        outcome = _shipped(taken, patience, endpoints, over)
    except Exception as error:
        # Of one session's files; the next session is none the worse for it.
        return Outcome(session, "?", 0, 0, f"its files cannot be read: {error!r}")
    if silent is not None and outcome.reason and taken.delivery.refused is None:
        silent[endpoints] = outcome.reason
    return outcome


def _shipped(
    adopted: Adopted, patience: float, endpoints: tuple[str, ...], over: Callable[[], bool]
) -> Outcome:
    header, size = adopted.header, adopted.delivery.backlog
    adopted.delivery.window = WINDOW
    connection = Connection(endpoints, header.server_key, header.key_file)
    reason = "no endpoint is known"
    try:
        for _ in endpoints:
            reason = _deliver(adopted, connection, patience, over)
            if not reason or over():
                break
            connection.next()
            adopted.delivery.restart()
    finally:
        if reason:
            adopted.give_back()
        else:
            adopted.finish()
        connection.close()
    return Outcome(adopted.session, header.service, header.pid, size, reason)


def _deliver(adopted: Adopted, connection: Connection, patience: float, over: Callable[[], bool]) -> str:
    """'' when the daemon has acknowledged all, else why not."""
    delivery = adopted.delivery
    until = monotonic() + patience
    connected = False
    while (now := monotonic()) < until and not over():
        said = False
        was, connected = connected, connection.open() and connection.connected
        if connected and not was:
            delivery.restart()
        if connected and (message := delivery.next(now, wall())):
            said = _say(connection, message)
            if not said:
                delivery.restart()
        for answer in connection.received():
            # A daemon that cannot read our version cannot name our session either.
            if answer.session in ("", adopted.session):
                delivery.hear(answer, now)
                until = now + patience
        if delivery.refused:
            return f"{connection.endpoint}: {delivery.refused.text}"
        if delivery.done:
            adopted.keep()
            connection.send(adopted.goodbye())
            return ""
        connection.wait(0 if said else 0.05, -1, connecting=not connection.connected)
    return connection.trouble or no_answer([connection.endpoint])


def _say(connection: Connection, message: wire.FromHandler) -> bool:
    with contextlib.suppress(wire.WireError):
        return connection.send(message)
    return False
