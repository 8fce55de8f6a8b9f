"""What the file system of a spool directory can be relied on for: tried, not believed."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import uuid
from typing import NamedTuple

from tocsin.handler import process
from tocsin.handler.failpoints import reach
from tocsin.handler.settings import complain
from tocsin.handler.spool.claim import UNNAMED

GRACE = 2.0
"""Seconds after which a write that was in flight at a rotation is over, where the kernel cannot tell."""
_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW


class Seals:
    """Which segments of a living session nobody can be writing to any more.

    A read lease is granted only on a file that nobody has open for writing, a write in flight included. Where
    the file system knows no leases, a grace period stands for it; where it refuses one, somebody has the file
    open.
    """

    def __init__(self, directory: str) -> None:
        self._leases = guards(directory).leases
        self._rotated_at = 0.0
        self._sealed: set[int] = set()

    def rotated(self) -> None:
        """Writes go to another segment from now on."""
        self._rotated_at = process.monotonic()

    def sealed(self, number: int, path: str) -> bool:
        """Whether that is so of a segment that was left at a rotation."""
        if number in self._sealed:
            return True
        free = _lease(path) if self._leases else process.monotonic() - self._rotated_at > GRACE
        if free:
            self._sealed.add(number)
            reach("at_sealing")
        return free


class Guards(NamedTuple):
    """What the file system of a spool directory does for us."""

    locks: bool
    """A lock that one process holds is refused to another."""
    leases: bool
    """A read lease is granted on a file that nobody writes to."""


@functools.cache
def guards(directory: str) -> Guards:
    """Tries it, once in a process. Where nothing can be tried, what is usual holds."""
    path = os.path.join(directory, f"{uuid.uuid4().hex}{UNNAMED}")
    try:
        first = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600)
    except OSError:
        return Guards(locks=True, leases=True)
    try:
        second = os.open(path, os.O_RDONLY | _FLAGS)
        try:
            locks = _excludes(first, second)
        finally:
            os.close(second)
    except OSError:
        locks = True
    finally:
        os.close(first)
    leases = _lease(path)
    with contextlib.suppress(OSError):
        os.unlink(path)
    if not locks:
        complain(
            f"{directory}: locks do nothing in this file system; do not share the directory with another host, "
            "and what a process leaves behind is sent only once it is seen to be gone"
        )
    return Guards(locks, leases)


def _excludes(first: int, second: int) -> bool:
    fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _lease(path: str) -> bool:
    """Whether a read lease is granted; of a file that is gone nothing can be written any more."""
    try:
        fd = os.open(path, os.O_RDONLY | _FLAGS)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        return True
    except OSError:
        return False
    finally:
        os.close(fd)
