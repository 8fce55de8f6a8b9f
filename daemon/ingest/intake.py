"""The ROUTER sockets: take messages in, put them where the digest finds them, send its answers. No SQL, no rules.

One thread owns them: one socket for unix sockets and loopback without keys, one for TCP with CURVE. It never waits
for the database. What is not a message of ours is dropped and counted; a peer that speaks another version is told so.
"""

from __future__ import annotations

import contextlib
import fcntl
import grp
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import structlog
import zmq

from tocsin.daemon.failure import Failed
from tocsin.daemon.ingest.digest import Received
from tocsin.daemon.ingest.exchange import MESSAGES_AT_ONCE, Asked, Exchange
from tocsin.daemon.ingest.zap import Gate
from tocsin.daemon.runtime import process
from tocsin.daemon.runtime.liveness import Beat
from tocsin.handler.failpoints import reach
from tocsin.handler.protocol import wire
from tocsin.handler.protocol.wire import FromDaemon, FromHandler, Hello, Refusal, WireError

LOOK = 0.05
"""Seconds between two looks at the memory, at most, while nothing is being digested."""
LAST_ANSWERS = 5.0
"""Seconds that a daemon which ends waits for the answers of its last transaction, at most."""
SWELL = 112 * 1024 * 1024
"""Bytes by which the process may grow before its connections are dropped: libzmq holds the parts of an
unfinished message without any limit and out of our sight. What was cut off is said again by the handlers.
A full drain grows it by about 60 MB: messages, their records, the database's cache; what waits meanwhile by 16."""

_Socket = zmq.Socket[bytes]

log = structlog.get_logger()


class IntakeError(Failed):
    """The daemon cannot listen; the text names the address and the remedy."""


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
        self._room = 0
        self._looked_at = 0.0
        self.malformed = 0
        self._let_go = 0
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

    def serve(self, stop: threading.Event, exchange: Exchange, beat: Beat = lambda: None) -> None:
        """Takes messages until `stop` is set, calling `beat` at every turn; then sends the last answers.

        What breaks sets `stop` and `failure`: a daemon that hears nobody must end, to be started again.
        """
        try:
            while not stop.is_set():
                beat()
                self.step(exchange, LOOK)
            exchange.over.wait(LAST_ANSWERS)
            self._send_answers(exchange)
        except Exception as error:
            self.failure = (
                error if isinstance(error, IntakeError) else IntakeError(f"the intake broke: {error!r}")
            )
            log.critical("intake_broken", reason=str(self.failure), exc_info=True)
            stop.set()

    def step(self, exchange: Exchange, timeout: float = 0.2) -> bool:
        """Takes what has come and sends what is answered.

        Returns whether anything came within `timeout` seconds. Raises IntakeError when nobody could be admitted.
        """
        self._run_maintenance()
        # Where all is well, what exceeds the room waits at its senders' side.
        sockets = [] if exchange.full and not exchange.stalled else self._sockets
        ready = _ready(sockets, timeout, exchange.fd)
        self._send_answers(exchange)
        for socket in ready:
            self._take(socket, exchange)
        return bool(ready)

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
            if over > SWELL // 2 or (over > 0 and not _ready(self._sockets)):
                log.warning("connections_dropped", reason="unfinished messages fill the memory")
                self._shut()
                process.give_back()
                self._open()

    # Messages

    def _take(self, socket: _Socket, exchange: Exchange) -> None:
        """What has come at the socket, a part of it at a time, as far as there is room."""
        for _ in range(MESSAGES_AT_ONCE):
            if exchange.full and not exchange.stalled:
                return
            try:
                peer, *parts = socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            asked = self._asked(socket, peer.bytes, parts)
            if asked is not None and not exchange.put(asked):
                self._note_let_go()

    def _send_answers(self, exchange: Exchange) -> None:
        for asked, answer in exchange.answers():
            reach("before_answer")
            self._answer(asked.socket, asked.peer, answer)
            reach("after_answer")

    def _note_let_go(self) -> None:
        """Nothing is lost by it; said at the first and at each doubling."""
        self._let_go += 1
        if self._let_go & (self._let_go - 1) == 0:
            log.warning(
                "message_let_go", reason="the database stalls; it will be sent again", so_far=self._let_go
            )

    def _asked(self, socket: _Socket, peer: bytes, parts: Sequence[zmq.Frame]) -> Asked | None:
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
        return Asked(socket, peer, Received(key, message), len(data))

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


def _ready(sockets: Sequence[_Socket], seconds: float = 0.0, fd: int = -1) -> list[_Socket]:
    """The sockets with a message to be read; waits until there is one, or until `fd` can be read."""
    watched: list[tuple[_Socket | int, int]] = [(socket, zmq.POLLIN) for socket in sockets]
    if fd >= 0:
        watched.append((fd, zmq.POLLIN))
    found = zmq.zmq_poll(watched, int(seconds * 1000))
    return [one for one, _ in found if isinstance(one, zmq.Socket)]


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
