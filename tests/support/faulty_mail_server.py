"""Mail servers that misbehave: each a port that answers as its fault says."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

GREETING = b"220 here\r\n"
TALK = {b"EHLO": b"250 here\r\n", b"MAIL": b"250 ok\r\n", b"RCPT": b"250 ok\r\n", b"DATA": b"354 go\r\n",
        b"RSET": b"250 ok\r\n", b"QUIT": b"221 bye\r\n"}  # fmt: skip


class FaultyMailServer:
    """Accepts connections and treats each as `talk` says, until closed. `held` counts the open ones."""

    def __init__(self, talk: Callable[[socket.socket, threading.Event], None]) -> None:
        self._talk = talk
        self._stop = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self.held = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._one, args=(peer,), daemon=True).start()

    def _one(self, peer: socket.socket) -> None:
        self.held += 1
        with peer, contextlib.suppress(OSError):
            self._talk(peer, self._stop)
        self.held -= 1

    def close(self) -> None:
        self._stop.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def silent(peer: socket.socket, stop: threading.Event) -> None:
    stop.wait(600)


def trickling(peer: socket.socket, stop: threading.Event) -> None:
    while not stop.wait(1.0):
        peer.sendall(b"2")


def answering(**answers: bytes) -> Callable[[socket.socket, threading.Event], None]:
    """Talks as a server does but for these commands; `TEXT` is the answer to a text, b"" hangs up."""
    known = {**TALK, **{name.encode(): answer for name, answer in answers.items()}}

    def talk(peer: socket.socket, stop: threading.Event) -> None:
        peer.sendall(GREETING)
        lines, in_text = peer.makefile("rb"), False
        for line in lines:
            if in_text and line != b".\r\n":
                continue
            said = (
                known.get(b"TEXT", b"250 taken\r\n")
                if in_text
                else known.get(line[:4].upper(), b"500 what\r\n")
            )
            if not said:
                return
            peer.sendall(said)
            in_text = not in_text and said.startswith(b"354")

    return talk


FAULTS: dict[str, Callable[[socket.socket, threading.Event], None]] = {
    "silent": silent,
    "one byte a second": trickling,
    "refuses recipients for now": answering(RCPT=b"451 later\r\n"),
    "refuses recipients for good": answering(RCPT=b"550 no\r\n"),
    "refuses texts for now": answering(TEXT=b"452 full\r\n"),
    "drops the connection after the text": answering(TEXT=b""),
}


@contextlib.contextmanager
def broken(fault: str) -> Iterator[FaultyMailServer]:
    """A mail server with that fault."""
    server = FaultyMailServer(FAULTS[fault])
    try:
        yield server
    finally:
        server.close()
