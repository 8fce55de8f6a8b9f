"""The ROUTER sockets: take messages in, hand them over together, answer after the commit. No SQL, no rules.

One thread owns them: one socket for unix sockets and loopback without keys, one for TCP with CURVE. What is
not a message of ours is dropped and counted; a peer that speaks another version is told so.
"""

from __future__ import annotations

import contextlib
import fcntl
import grp
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import structlog
import zmq

from tocsin.daemon.failure import Failed
from tocsin.daemon.ingest.digest import Received
from tocsin.daemon.ingest.zap import Gate
from tocsin.daemon.runtime import process
from tocsin.daemon.runtime.liveness import Beat
from tocsin.daemon.store.database import StoreError, StoreReplaced
from tocsin.handler.failpoints import reach
from tocsin.handler.protocol import wire
from tocsin.handler.protocol.wire import FromDaemon, FromHandler, Hello, Refusal, WireError

MESSAGES_AT_ONCE = 64
"""Messages handed over together, at most: one transaction."""
BYTES_AT_ONCE = 16 * wire.MESSAGE_LIMIT
"""Bytes handed over together, at most but for the last message."""
BULK = 64 * 1024
"""Bytes from which on more are waited for: a transaction costs by the errors it touches, not by events."""
LINGER = 0.05
"""Seconds that is done, at most."""
LULL = 0.005
"""Seconds without a message after which no more is waited for: those who send wait for our answers."""
PATIENCE = 0.5
"""Seconds to wait after the database could not be written, before the next try."""
LOOK = 0.05
"""Seconds between two looks at the memory, at most, while nothing is being digested."""
SWELL = 96 * 1024 * 1024
"""Bytes by which the process may grow before its connections are dropped: libzmq holds the parts of an
unfinished message without any limit and out of our sight. What was cut off is said again by the handlers.
A full drain grows it by about 60 MB: messages, their records, the database's cache."""

_Handle = Callable[[Sequence[Received], float], list[FromDaemon | None]]
_Socket = zmq.Socket[bytes]

log = structlog.get_logger()


class IntakeError(Failed):
    """The daemon cannot listen; the text names the address and the remedy."""


class _Asked(NamedTuple):
    """Where a message came from, and so where its answer goes."""

    socket: _Socket
    peer: bytes
    received: Received


class Intake:
    """The listening side. Made in the main thread (so that errors reach the user), then run by one thread."""

    def __init__(
        self, listen: Sequence[str], socket_group: str | None = None, gate: Gate | None = None
    ) -> None:
        """Raises IntakeError. With a `gate` every TCP address takes CURVE connections of its keys only."""
        if zmq.zmq_version_info() < (4, 3, 3):
            raise IntakeError(f"libzmq {zmq.zmq_version()} has remote holes; install 4.3.3 or newer")
        self._listen = tuple(listen)
        self._group = socket_group
        self._gate = gate
        self._locks: dict[str, int] = {}
        self._context: zmq.Context[_Socket] | None = None
        self._sockets: list[_Socket] = []
        self._poller = zmq.Poller()
        self._room = 0
        self._looked_at = 0.0
        self.malformed = 0
        self.failure: IntakeError | None = None
        """Why the thread ended before it was asked to."""
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def reload(self) -> None:
        """Reads the clients' keys again; for any thread."""
        if self._gate is not None:
            self._gate.reload()

    def serve(
        self, stop: threading.Event, handle: _Handle, now: Callable[[], float], beat: Beat = lambda: None
    ) -> None:
        """Takes messages until `stop` is set, calling `beat` at every turn.

        A database that cannot be written makes it wait, unanswered. What else breaks sets `stop` and
        `failure`: a daemon that hears nobody must end, to be started again.
        """
        try:
            while not stop.is_set():
                beat()
                try:
                    self.step(handle, now, int(LOOK * 1000))
                except StoreReplaced:
                    raise
                except StoreError as error:
                    log.error("not_stored", reason=str(error))
                    stop.wait(PATIENCE)
        except Exception as error:
            if isinstance(error, IntakeError):
                self.failure = error
            elif isinstance(error, StoreReplaced):
                self.failure = IntakeError(str(error))
            else:
                self.failure = IntakeError(f"the intake broke: {error!r}")
            log.critical("intake_broken", reason=str(self.failure), exc_info=True)
            stop.set()

    def step(self, handle: _Handle, now: Callable[[], float], timeout: int = 200) -> bool:
        """Takes what has come, waiting `timeout` ms for the first; returns whether there was anything.

        Raises IntakeError when nobody could be admitted any more.
        """
        self._run_maintenance()
        if not self._poller.poll(timeout):
            return False
        asked = self._collect()
        if asked:
            for one, answer in zip(asked, handle([one.received for one in asked], now()), strict=True):
                if answer is not None:
                    reach("before_answer")
                    self._answer(one.socket, one.peer, answer)
                    reach("after_answer")
        return True

    def close(self) -> None:
        """Closes the sockets and gives the addresses free."""
        self._shut()
        for lock in self._locks.values():
            os.close(lock)
        self._locks.clear()

    # Sockets

    def _open(self) -> None:
        self._context = zmq.Context()
        if self._gate is not None:
            self._gate.start(self._context)
        guarded = [one for one in self._listen if self._gate is not None and one.startswith("tcp://")]
        plain = [one for one in self._listen if one not in guarded]
        for addresses, gate in ((guarded, self._gate), (plain, None)):
            if addresses:
                self._listen_on(addresses, self._context.socket(zmq.ROUTER), gate)
        self._room = process.resident() + SWELL

    def _listen_on(self, addresses: Sequence[str], socket: _Socket, gate: Gate | None) -> None:
        self._sockets.append(socket)
        self._poller.register(socket, zmq.POLLIN)
        for option, value in _OPTIONS.items():
            socket.setsockopt(option, value)
        if gate is not None:
            gate.secure(socket)
        for address in addresses:
            self._bind(socket, address)

    def _bind(self, socket: _Socket, address: str) -> None:
        path = Path(address.removeprefix("ipc://")) if address.startswith("ipc://") else None
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                if address not in self._locks:
                    self._locks[address] = _lock(path, address)
            socket.bind(address)
            if path is not None:
                _admit(path, self._group)
        except (zmq.ZMQError, OSError) as error:
            raise IntakeError(
                f"daemon.listen = {address!r}: {error.strerror or error}; choose another address"
            ) from None

    def _shut(self) -> None:
        for socket in self._sockets:
            self._poller.unregister(socket)
            socket.close(0)
        self._sockets.clear()
        if self._gate is not None:
            self._gate.stop()
        if self._context is not None:
            # Waits until all is closed: only then can the same addresses be bound again.
            self._context.term()
            self._context = None

    def _run_maintenance(self) -> None:
        if self._gate is not None and not self._gate.alive:
            raise IntakeError("the thread that admits clients (ZAP) has ended: nobody could connect")
        if (clock := time.monotonic()) - self._looked_at >= LOOK:
            self._looked_at = clock
            if (over := process.resident() - self._room) > 0:
                process.give_back()
                over = process.resident() - self._room
            # Whole messages are only late, and each peer has few: they get half as much again.
            if over > SWELL // 2 or (over > 0 and not self._poller.poll(0)):
                log.warning("connections_dropped", reason="unfinished messages fill the memory")
                self._shut()
                process.give_back()
                self._open()

    # Messages

    def _collect(self) -> list[_Asked]:
        asked: list[_Asked] = []
        taken = size = 0
        until = time.monotonic() + LINGER
        while taken < MESSAGES_AT_ONCE and size < BYTES_AT_ONCE:
            patience = min(max(until - time.monotonic(), 0.0), LULL) if size >= BULK else 0.0
            if not (ready := self._poller.poll(int(patience * 1000))):
                break
            for socket, _ in ready:
                peer, *parts = socket.recv_multipart(copy=False)
                taken += 1
                size += sum(map(len, parts))
                one = self._message(socket, peer.bytes, parts)
                if one is not None:
                    asked.append(one)
        return asked

    def _message(self, socket: _Socket, peer: bytes, parts: Sequence[zmq.Frame]) -> _Asked | None:
        if len(parts) != 1:
            self._drop(f"{len(parts)} parts")
            return None
        data = parts[0].bytes
        message: FromHandler | None
        try:
            message = wire.decode_from_handler(data)
        except WireError as error:
            self._drop(str(error))
            if error.version is not None:
                refusal = Refusal("", "version", f"this daemon speaks version {wire.VERSION}")
                self._answer(socket, peer, refusal)
            message = wire.salvage(data)
            if message is None:
                return None
        key = ""
        if self._gate is not None and socket.getsockopt(zmq.CURVE_SERVER):
            # A connection outlives its key's admission: so it is asked for with each message.
            key = str(parts[0].get("User-Id"))
            if not self._gate.admits(key):
                self._drop("its key was revoked")
                text = "the key of this application is not admitted any more"
                self._answer(socket, peer, Refusal(_session_of(message), "not_allowed", text, permanent=True))
                return None
        return _Asked(socket, peer, Received(key, message))

    def _drop(self, reason: str) -> None:
        """Counts what is not ours; said at the first and at each doubling, so that no peer floods the log."""
        self.malformed += 1
        if self.malformed & (self.malformed - 1) == 0:
            log.warning("message_dropped", reason=reason[:200], dropped=self.malformed)

    def _answer(self, socket: _Socket, peer: bytes, answer: FromDaemon) -> None:
        # A peer that is gone, or reads nothing, asks again when it is back.
        with contextlib.suppress(zmq.ZMQError):
            socket.send_multipart([peer, wire.encode(answer)], zmq.NOBLOCK)


_OPTIONS = {
    zmq.LINGER: 0,
    zmq.MAXMSGSIZE: wire.MESSAGE_LIMIT,
    # All that the sessions of one connection may have on the way; what is more waits at its own side.
    zmq.RCVHWM: 64,
    zmq.SNDHWM: 1000,
    zmq.BACKLOG: 1024,
    zmq.HANDSHAKE_IVL: 3000,
    # No ZMTP heartbeats: when a peer hangs up while its queue here is full, libzmq 4.3.5 aborts the process
    # at the next ping (stream_engine_base.cpp, !_io_error). A host that vanished is noticed by TCP itself.
    zmq.HEARTBEAT_IVL: 0,
    zmq.TCP_KEEPALIVE: 1,
    zmq.TCP_KEEPALIVE_IDLE: 30,
    zmq.TCP_KEEPALIVE_INTVL: 10,
    zmq.TCP_KEEPALIVE_CNT: 3,
    zmq.IPV6: 1,
}


def _session_of(message: FromHandler) -> str:
    return message.header.session if isinstance(message, Hello) else message.session


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
