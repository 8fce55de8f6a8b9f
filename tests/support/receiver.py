"""A real HTTP server that takes what is posted to it and answers as it is told, faults among the answers."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[["_Handler"], None]


@dataclass(frozen=True)
class Post:
    """One request."""

    path: str
    headers: Message
    body: bytes


class Receiver:
    """Listens on a free port of loopback, with TLS where there is a `context`. `answers` are used up in turn."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.posts: list[Post] = []
        self.answers: list[int | Answer] = []
        self.stopping = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"receiver": self}))
        self._server.daemon_threads = True
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign,assignment]
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    receiver: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.receiver.posts.append(Post(self.path, self.headers, body))
        answer = self.receiver.answers.pop(0) if self.receiver.answers else 204
        if callable(answer):
            answer(self)
        else:
            self.say(answer)

    do_GET = do_PUT = do_POST

    def say(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def silent(handler: _Handler) -> None:
    """Never answers."""
    handler.receiver.stopping.wait(600)


def reset(handler: _Handler) -> None:
    """Hangs up without a word, with a reset."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    handler.connection.close()
    handler.close_connection = True


def trickling(handler: _Handler) -> None:
    """Sends its answer's head a byte at a time, without end."""
    with suppress(OSError):
        while not handler.receiver.stopping.wait(0.05):
            handler.wfile.write(b"H")


def slow_body(handler: _Handler) -> None:
    """Takes it, then never ends its answer."""
    with suppress(OSError):
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        while not handler.receiver.stopping.wait(0.05):
            handler.wfile.write(b" ")


def redirect(to: str) -> Answer:
    """Sends on to another address."""

    def answer(handler: _Handler) -> None:
        handler.say(307, Location=to)

    return answer
