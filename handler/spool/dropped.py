"""Events that were only counted, because the directory is full: one byte each in a file of their session.

The size of the file is the count: adding needs no lock, and what was added outlives a kill. What is reported
of it stands in the spool as `Lost` records; the lock file says up to which count, before it is reported.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable

from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import Lost
from tocsin.handler.spool.descriptors import ReservedDescriptor

REASON = "spool_full"


class DroppedCounter:
    """The counting side of a living session. `add` may be called anywhere, the rest by one thread."""

    def __init__(self, directory: str, session: str) -> None:
        """Raises OSError."""
        self._descriptor = ReservedDescriptor()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor.point(os.open(path(directory, session), flags, 0o600))

    def add(self) -> None:
        """One more. Raises OSError when it could not be written down."""
        if os.write(self._descriptor.checked(), b"+") != 1:
            raise OSError(errno.ENOSPC, "not counted")

    def park(self) -> None:
        """Adding fails from now on. Raises OSError."""
        self._descriptor.park()


def path(directory: str, session: str) -> str:
    """Where the session's count is."""
    return os.path.join(directory, f"{session}.full")


def count(directory: str, session: str) -> int:
    """Events counted so far, reported or not."""
    try:
        return os.stat(path(directory, session), follow_symlinks=False).st_size
    except OSError:
        return 0


def reported(payloads: Iterable[bytes]) -> bool:
    """Whether one of these records reports dropped events."""
    for payload in payloads:
        try:
            record = wire.decode_record(payload)
        except wire.WireError:
            continue
        if isinstance(record, Lost) and record.reason == REASON:
            return True
    return False
