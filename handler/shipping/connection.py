"""The one DEALER socket of a process: endpoints tried one at a time, never in turns. Owned by one thread."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator

import zmq

from tocsin.handler.protocol import wire
from tocsin.handler.settings import IPC_PATH_LIMIT

FREE_DESCRIPTORS = 16
"""libzmq aborts the process when it runs out of them."""
KEY_FILE_LIMIT = 10_000
"""Characters of a key's file that are looked at."""
_Z85 = re.compile(r"[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")


class Connection:
    """The socket and where it goes to now."""

    def __init__(
        self, endpoints: tuple[str, ...], server_key: str | None = None, key: str | None = None
    ) -> None:
        self.endpoints = endpoints
        self._server_key = server_key
        self._key = key
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._socket: zmq.Socket[bytes] | None = None
        self._index = 0
        self.trouble = ""

    @property
    def endpoint(self) -> str:
        """The one that is tried now."""
        return self.endpoints[self._index]

    def open(self) -> bool:
        """Has a socket, connected or connecting. False while the process is short of file descriptors."""
        if self._socket is not None:
            return True
        if not _room():
            self.trouble = "too few free file descriptors"
            return False
        self._choose()
        if self._context is None:
            self._context = zmq.Context()
        try:
            self._socket = self._connect(self._context)
        except (zmq.ZMQError, OSError, ValueError) as error:
            self.trouble = f"{self.endpoint}: {error}"
            return False
        return True

    @property
    def connected(self) -> bool:
        """A daemon's end is there: what is sent now goes somewhere."""
        return self._socket is not None and bool(self._socket.poll(0, zmq.POLLOUT))

    @property
    def waiting(self) -> bool:
        """There is a socket, which tells by itself when a daemon is there."""
        return self._socket is not None

    def wait(self, seconds: float, wake: int, *, connecting: bool = False) -> None:
        """Sleeps until something arrives, on the descriptor `wake` too, or (`connecting`) a daemon is there.

        Not `time.sleep`: where gevent has replaced it, it is no longer a thread's.
        """
        watched: list[tuple[zmq.Socket[bytes] | int, int]] = [(wake, zmq.POLLIN)] if wake >= 0 else []
        if self._socket is not None:
            watched.append((self._socket, zmq.POLLIN | zmq.POLLOUT if connecting else zmq.POLLIN))
        try:
            zmq.zmq_poll(watched, int(seconds * 1000))
        except zmq.ZMQError:
            zmq.zmq_poll([], int(seconds * 1000))

    def send(self, message: wire.FromHandler) -> bool:
        """Hands the message over. False: it was not taken and must be said again. Raises WireError (ours)."""
        if self._socket is None:
            return False
        try:
            self._socket.send(wire.encode(message), zmq.NOBLOCK)
            return True
        except zmq.ZMQError:
            return False

    def received(self) -> Iterator[wire.FromDaemon]:
        """What has arrived; bytes that are no message of ours are passed over."""
        while self._socket is not None:
            try:
                parts = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.ZMQError:
                return
            try:
                message = wire.decode_from_daemon(parts[0])
            except wire.WireError as error:
                if error.version is not None:
                    self.trouble = f"{self.endpoint}: the daemon speaks {error}"
                continue
            self.trouble = ""
            yield message

    def next(self) -> None:
        """Drops the connection; the next `open` tries the next endpoint."""
        self._index = (self._index + 1) % len(self.endpoints)
        self._drop()

    def close(self) -> None:
        """Closes socket and context. A last word to a daemon that is there has a moment to leave."""
        self._drop(50 if self.connected else 0)
        if self._context is not None:
            with contextlib.suppress(zmq.ZMQError):
                self._context.term()
            self._context = None

    def _choose(self) -> None:
        """The next endpoint that may answer: a socket's file that does not exist cannot."""
        for step in range(len(self.endpoints)):
            index = (self._index + step) % len(self.endpoints)
            path = self.endpoints[index].removeprefix("ipc://")
            if path == self.endpoints[index] or os.path.exists(path):
                self._index = index
                return

    def _drop(self, linger: int = 0) -> None:
        if self._socket is not None:
            with contextlib.suppress(zmq.ZMQError):
                self._socket.close(linger=linger)
            self._socket = None

    def _connect(self, context: zmq.Context[zmq.Socket[bytes]]) -> zmq.Socket[bytes]:
        socket = context.socket(zmq.DEALER)
        try:
            for option, value in _OPTIONS.items():
                socket.setsockopt(option, value)
            # A unix socket is guarded by its file's mode; the daemon speaks CURVE over TCP only.
            if self._server_key is not None and self.endpoint.startswith("tcp://"):
                socket.curve_serverkey = read_key(self._server_key, "public-key")
                secret = read_key(self._key, "secret-key") if self._key else zmq.curve_keypair()[1]
                socket.curve_secretkey = secret
                socket.curve_publickey = zmq.curve_public(secret)
            path = self.endpoint.removeprefix("ipc://")
            if self.endpoint.startswith("ipc://") and len(os.fsencode(path)) > IPC_PATH_LIMIT:
                raise ValueError(f"the socket's path is over {IPC_PATH_LIMIT} bytes")
            socket.connect(self.endpoint)
        except BaseException:
            socket.close(linger=0)
            raise
        return socket


_OPTIONS = {
    zmq.IMMEDIATE: 1,
    zmq.LINGER: 0,
    zmq.MAXMSGSIZE: wire.MESSAGE_LIMIT,
    zmq.HANDSHAKE_IVL: 5000,
    # No ZMTP heartbeats: with a full queue they let libzmq 4.3.5 abort the application when the peer hangs up.
    # A daemon that owes an answer is left by `Delivery.stale`, a host that vanished is noticed by TCP itself.
    zmq.HEARTBEAT_IVL: 0,
    zmq.TCP_KEEPALIVE: 1,
    zmq.TCP_KEEPALIVE_IDLE: 10,
    zmq.TCP_KEEPALIVE_INTVL: 5,
    zmq.TCP_KEEPALIVE_CNT: 2,
    zmq.RECONNECT_IVL: 100,
    # A dead process's files are to be shipped within seconds of the daemon's start.
    zmq.RECONNECT_IVL_MAX: 1000,
    # More than all sessions' windows together: a full queue would look like a lost connection.
    zmq.SNDHWM: 256,
    zmq.RCVHWM: 1000,
}


def is_key(text: str) -> bool:
    """Whether the text is a CURVE key of 40 characters itself, and not a file's name."""
    return _Z85.fullmatch(text) is not None and not os.path.exists(text)


def read_key(text: str, name: str) -> bytes:
    """A CURVE key in Z85: the text itself, or the line `name = "..."` or the only line of the file.

    Raises ValueError or OSError; neither shows the key.
    """
    if is_key(text):
        return text.encode("ascii")
    with open(text, encoding="ascii", errors="replace") as file:
        lines = [line.strip() for line in file.read(KEY_FILE_LIMIT).splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    parted = [line.partition("=") for line in lines]
    values = {label.strip(): value.strip().strip('"') for label, _, value in parted}
    key = values.get(name, lines[0] if len(lines) == 1 else "")
    if not _Z85.fullmatch(key):
        raise ValueError(f"{text}: no {name} of 40 characters in it")
    return key.encode("ascii")


def _room() -> bool:
    """Whether enough descriptors are free for a context and its socket."""
    taken = []
    try:
        for _ in range(FREE_DESCRIPTORS):
            taken.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        return True
    except OSError:
        return False
    finally:
        for fd in taken:
            os.close(fd)
