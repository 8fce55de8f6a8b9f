"""Wakes the shipping thread from any thread, in a signal handler too."""

from __future__ import annotations

import contextlib
import os

from tocsin.handler.spool.descriptors import OwnFile, ReservedDescriptor


class Waker:
    """A pipe: a written byte ends the wait of whoever polls `fd`. Any thread may `wake`; the rest is one thread's."""

    def __init__(self) -> None:
        """Raises OSError."""
        reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._reading = OwnFile(reading)
        self._writing = ReservedDescriptor()
        self._writing.point(writing)

    @property
    def fd(self) -> int:
        """What to poll, -1 when the application has closed it."""
        return self._reading.fd if self._reading.ours else -1

    def wake(self) -> None:
        """Ends the wait, the present or the next one."""
        with contextlib.suppress(OSError):
            os.write(self._writing.checked(), b"\1")

    def clear(self) -> None:
        """What was written has been heard."""
        with contextlib.suppress(OSError):
            os.read(self._reading.checked(), 4096)

    def close(self) -> None:
        """Nobody waits any more."""
        with contextlib.suppress(OSError):
            self._writing.park()
        self._reading.close()
