"""The ROUTER socket: takes messages in, hands them over together, answers after the commit. No SQL, no rules.

One thread owns the socket. What is not a message of ours is dropped and counted; a peer that speaks another
version is told so.
"""

from __future__ import annotations

import contextlib
import fcntl
import grp
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog
import zmq

from tocsin.daemon.digest import Received
from tocsin.daemon.pulse import Beat
from tocsin.daemon.store.database import StoreError
from tocsin.handler import wire
from tocsin.handler.wire import FromDaemon, Refusal, WireError

MESSAGES_AT_ONCE = 64
"""Messages handed over together, at most: one transaction."""
PATIENCE = 0.5
"""Seconds to wait after the database could not be written, before the next try."""

log = structlog.get_logger()


class IntakeError(Exception):
    """The daemon cannot listen; the text names the address and the remedy."""


class Intake:
    """The listening side. Made in the main thread (so that errors reach the user), then run by one thread."""

    def __init__(self, listen: Sequence[str], socket_group: str | None = None) -> None:
        if zmq.zmq_version_info() < (4, 3, 3):
            raise IntakeError(f"libzmq {zmq.zmq_version()} has remote holes; install 4.3.3 or newer")
        self._locks: list[int] = []
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        for option, value in (
            (zmq.LINGER, 0),
            (zmq.MAXMSGSIZE, wire.MESSAGE_LIMIT),
            (zmq.RCVHWM, 200),
            (zmq.SNDHWM, 1000),
            (zmq.HANDSHAKE_IVL, 3000),
            (zmq.HEARTBEAT_IVL, 1000),
            (zmq.HEARTBEAT_TIMEOUT, 2000),
            (zmq.IPV6, 1),
        ):
            self._socket.setsockopt(option, value)
        self.malformed = 0
        try:
            for address in listen:
                self._bind(address, socket_group)
        except BaseException:
            self.close()
            raise

    def _bind(self, address: str, socket_group: str | None) -> None:
        path = Path(address.removeprefix("ipc://")) if address.startswith("ipc://") else None
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._locks.append(_lock(path, address))
            self._socket.bind(address)
            if path is not None:
                _admit(path, socket_group)
        except (zmq.ZMQError, OSError) as error:
            raise IntakeError(
                f"daemon.listen = {address!r}: {error.strerror or error}; choose another address"
            ) from None

    def serve(
        self,
        stop: threading.Event,
        take: Callable[[Sequence[Received], float], list[FromDaemon | None]],
        now: Callable[[], float],
        beat: Beat = lambda: None,
    ) -> None:
        """Takes messages until `stop` is set, calling `beat` at every turn.

        A database that cannot be written makes it wait, unanswered.
        """
        while not stop.is_set():
            beat()
            try:
                self.step(take, now)
            except StoreError as error:
                log.error("not_stored", reason=str(error))
                stop.wait(PATIENCE)

    def step(
        self,
        take: Callable[[Sequence[Received], float], list[FromDaemon | None]],
        now: Callable[[], float],
        timeout: int = 200,
    ) -> bool:
        """Takes what has come, waiting `timeout` ms for the first; returns whether there was anything."""
        if not self._socket.poll(timeout):
            return False
        peers: list[bytes] = []
        received: list[Received] = []
        while len(received) < MESSAGES_AT_ONCE and self._socket.poll(0):
            peer, *parts = self._socket.recv_multipart()
            message = self._message(peer, parts)
            if message is not None:
                peers.append(peer)
                received.append(message)
        if received:
            for peer, answer in zip(peers, take(received, now()), strict=True):
                if answer is not None:
                    self._answer(peer, answer)
        return True

    def _message(self, peer: bytes, parts: list[bytes]) -> Received | None:
        if len(parts) != 1:
            self._drop(f"{len(parts)} parts")
            return None
        try:
            return Received("", wire.decode_from_handler(parts[0]))
        except WireError as error:
            self._drop(str(error))
            if error.version is not None:
                refusal = Refusal("", "version", f"this daemon speaks version {wire.VERSION}")
                self._answer(peer, refusal)
            return None

    def _drop(self, reason: str) -> None:
        """Counts what is not ours; said at the first and at each doubling, so that no peer floods the log."""
        self.malformed += 1
        if self.malformed & (self.malformed - 1) == 0:
            log.warning("message_dropped", reason=reason[:200], dropped=self.malformed)

    def _answer(self, peer: bytes, answer: FromDaemon) -> None:
        # A peer that is gone, or reads nothing, asks again when it is back.
        with contextlib.suppress(zmq.ZMQError):
            self._socket.send_multipart([peer, wire.encode(answer)], zmq.NOBLOCK)

    def close(self) -> None:
        """Closes the socket and gives the address free."""
        self._socket.close(0)
        self._context.term()
        for lock in self._locks:
            os.close(lock)


def _lock(path: Path, address: str) -> int:
    """A second bind would silently take the path over from the first daemon: the lock file forbids it."""
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.pread(descriptor, 100, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise IntakeError(
            f"daemon.listen = {address!r}: another tocsin daemon (pid {holder}) listens there; stop it first"
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


def _admit(path: Path, socket_group: str | None) -> None:
    """The socket's mode follows the umask at bind: set it, for the owner or also for one group."""
    if socket_group is None:
        path.chmod(0o600)
        return
    try:
        group = grp.getgrnam(socket_group).gr_gid
    except KeyError:
        raise IntakeError(
            f"daemon.socket_group = {socket_group!r}: no such group; create it or name another"
        ) from None
    # A hardened service may not change owners, and need not where the group is its own.
    if path.stat().st_gid != group:
        os.chown(path, -1, group)
    path.chmod(0o660)
