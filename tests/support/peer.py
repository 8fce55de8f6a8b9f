"""A peer on a socket: says messages of the protocol, or raw bytes where the library would not."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
import uuid
from collections.abc import Iterator
from typing import Any

import zmq
from msgspec import Raw

from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import Event, Header, Record

GREETING = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0") + b"\0" + bytes(31)


def header(session: str = "", **more: Any) -> Header:
    known = {
        "version": 1, "session": session or uuid.uuid4().hex, "segment": 1, "service": "shop", "release": "1",
        "environment": "production", "host": "web1", "pid": 7, "python": "3.11.7", "started_at": time.time(),
        "written_at": time.time(), "interval": 15.0, "endpoints": (),
    }  # fmt: skip
    return Header(**{**known, **more})


def event(text: str, **more: Any) -> Event:
    known = {
        "occurred_at": time.time(), "level": 40, "logger": "shop", "message": text, "template": None,
        "path": "/srv/shop/orders.py", "module": "orders", "function": "place", "line": 12,
    }  # fmt: skip
    return Event(**{**known, **more})


class Peer:
    """One DEALER and one session."""

    def __init__(self, endpoint: str, **options: Any) -> None:
        self.header = header()
        self.end = 0
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self._context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.setsockopt(zmq.IMMEDIATE, 1)
        for name, value in options.items():
            setattr(self.socket, name, value)
        self.socket.connect(endpoint)

    def accepted(self, seconds: float) -> bool:
        """Whether the handshake succeeds in time."""
        return bool(self.socket.poll(int(seconds * 1000), zmq.POLLOUT))

    def ask(self, message: wire.FromHandler | bytes, seconds: float = 20.0) -> wire.FromDaemon | None:
        """Says it and returns the answer, None when none came."""
        assert self.accepted(seconds), "no connection"
        self.socket.send(message if isinstance(message, bytes) else wire.encode(message))
        return self.answer(seconds)

    def answer(self, seconds: float) -> wire.FromDaemon | None:
        if not self.socket.poll(int(seconds * 1000)):
            return None
        return wire.decode_from_daemon(self.socket.recv())

    def hello(self, **more: Any) -> wire.FromDaemon | None:
        known = {"header": self.header, "oldest": 0, "backlog": 0, "sent_at": time.time(), "live": True}
        return self.ask(wire.Hello(**{**known, **more}))

    def batch(self, *records: Record | bytes) -> wire.Batch:
        """The next records of the stream, 100 bytes each; raw bytes as they are."""
        start, frames = self.end, []
        for record in records:
            frames.append(
                (self.end, Raw(record if isinstance(record, bytes) else wire.encode_record(record)))
            )
            self.end += 100
        return wire.Batch(self.header.session, start, self.end, frames)

    def close(self) -> None:
        self.socket.close(0)
        self._context.term()


@contextlib.contextmanager
def peer(endpoint: str, **options: Any) -> Iterator[Peer]:
    made = Peer(endpoint, **options)
    try:
        yield made
    finally:
        made.close()


def curve(public: bytes, secret: bytes, server: str) -> dict[str, Any]:
    """The options of a CURVE client."""
    return {"curve_publickey": public, "curve_secretkey": secret, "curve_serverkey": server.encode()}


def raw_connection(address: str | tuple[str, int]) -> socket.socket:
    """A connection without the library; `address`: a unix socket's path or (host, port)."""
    made = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
    made.settimeout(5)
    made.connect(address)
    return made


def shake_hands(connection: socket.socket) -> None:
    """ZMTP 3 with the NULL mechanism, as a DEALER."""
    connection.sendall(GREETING)
    ready = b"\x05READY\x0bSocket-Type" + struct.pack(">I", 6) + b"DEALER" + b"\x08Identity" + bytes(4)
    connection.sendall(bytes([4, len(ready)]) + ready)
    got = b""
    while b"READY" not in got:
        got += connection.recv(4096) or b"READY"


def frame(data: bytes, *, more: bool = False, claimed: int | None = None) -> bytes:
    """One ZMTP frame; `claimed`: a length other than the true one."""
    return bytes([2 | more]) + struct.pack(">Q", len(data) if claimed is None else claimed) + data
