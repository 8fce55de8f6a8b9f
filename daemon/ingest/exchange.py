"""Between the socket and the database: messages that wait for the digest, answers that wait for the socket.

All that the two threads share. Neither waits for the other: while the database stalls the socket is served, and what
comes then beyond `BYTES_WAITING` is let go unanswered, to be sent again.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import zmq

from tocsin.daemon.ingest.digest import Received
from tocsin.handler.protocol import wire
from tocsin.handler.protocol.wire import FromDaemon
from tocsin.handler.shipping.waker import Waker

MESSAGES_AT_ONCE = 64
"""Messages that are digested together, at most: one transaction."""
BYTES_AT_ONCE = 16 * wire.MESSAGE_LIMIT
"""Bytes digested together, at most but for the last message."""
MESSAGES_WAITING = 1024
"""Messages that wait, at most: most are small, and each whose turn comes ends its sender's waiting."""
BYTES_WAITING = BYTES_AT_ONCE
BULK = 64 * 1024
"""Bytes from which on more are waited for: a transaction costs by the errors it touches, not by events."""
LINGER = 0.05
"""Seconds that is done, at most."""
LULL = 0.005
"""Seconds without a message after which no more is waited for: those who send wait for our answers."""
STALLED = 1.0
"""Seconds of one transaction after which the socket does not wait for it any longer."""


class Asked(NamedTuple):
    """A message and where it came from, and so where its answer goes."""

    socket: zmq.Socket[bytes]
    peer: bytes
    received: Received
    size: int
    """Bytes on the wire."""


Answer = tuple[Asked, FromDaemon]


class Exchange:
    """The socket's thread puts messages in and fetches answers, the digest's thread takes and answers them."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Raises OSError when not even a pipe can be made."""
        self._monotonic = monotonic
        self._changed = threading.Condition()
        self._waiting: deque[Asked] = deque()
        self._bytes = 0
        self._answers: deque[Answer] = deque()
        self._taken_at: float | None = None
        self._waker = Waker()
        self.over = threading.Event()
        """The digest's thread has ended: no answer will come."""

    # For the socket's thread

    @property
    def fd(self) -> int:
        """Readable when there are answers, or room again."""
        return self._waker.fd

    @property
    def full(self) -> bool:
        """Whether as much waits as may."""
        return self._bytes >= BYTES_WAITING or len(self._waiting) >= MESSAGES_WAITING

    @property
    def stalled(self) -> bool:
        """Whether the transaction under way takes longer than a healthy one."""
        taken_at = self._taken_at
        return taken_at is not None and self._monotonic() - taken_at > STALLED

    def put(self, asked: Asked) -> bool:
        """False where there is no room: then the message is as if it had never come."""
        with self._changed:
            if self.full:
                return False
            self._waiting.append(asked)
            self._bytes += asked.size
            self._changed.notify()
        return True

    def answers(self) -> list[Answer]:
        """The answers since the last time."""
        self._waker.clear()
        found = []
        while self._answers:
            found.append(self._answers.popleft())
        return found

    def close(self) -> None:
        """Nobody uses it any more."""
        self._waker.close()

    # For the digest's thread

    def take(self, timeout: float) -> list[Asked]:
        """What waits, as much as is digested together; [] when nothing comes for `timeout` seconds.

        They are under way until `answer` is called.
        """
        with self._changed:
            if not self._waiting and not self._changed.wait(timeout):
                return []
            self._await_more()
            taken: list[Asked] = []
            size = 0
            while self._waiting and len(taken) < MESSAGES_AT_ONCE and size < BYTES_AT_ONCE:
                taken.append(self._waiting.popleft())
                size += taken[-1].size
            self._bytes -= size
            self._taken_at = self._monotonic()
        self._waker.wake()
        return taken

    def answer(self, asked: Sequence[Asked], answers: Sequence[FromDaemon | None]) -> None:
        """The answers to what was taken, in its order; none at all where it could not be digested."""
        self._taken_at = None
        pairs = zip(asked, answers, strict=False)
        self._answers.extend((one, answer) for one, answer in pairs if answer is not None)
        self._waker.wake()

    def _await_more(self) -> None:
        until = self._monotonic() + LINGER
        while BULK <= self._bytes < BYTES_AT_ONCE and len(self._waiting) < MESSAGES_AT_ONCE:
            if self._monotonic() >= until or not self._changed.wait(LULL):
                return
