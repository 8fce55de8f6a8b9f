"""File descriptors that are ours only while they are the files we opened: a program may close whatever it finds,
and open files of its own under the same numbers.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import resource
from collections import deque
from typing import ClassVar

Identity = tuple[int, int]
"""Device and inode."""


def identity(fd: int) -> Identity:
    """Which file stands behind the number now. Raises OSError."""
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


class OwnFile:
    """A descriptor used by one thread. Ask `ours` immediately before each use."""

    def __init__(self, fd: int) -> None:
        """Raises OSError."""
        self.fd = fd
        self._identity = identity(fd)

    @property
    def ours(self) -> bool:
        """It is still the file that we opened."""
        try:
            return self.fd >= 0 and identity(self.fd) == self._identity
        except OSError:
            return False

    def checked(self) -> int:
        """The number, for one use at once. Raises OSError (EBADF) when it is another's by now."""
        if not self.ours:
            raise OSError(errno.EBADF, "the descriptor was closed by the application")
        return self.fd

    def close(self) -> None:
        """Closes it, unless the number is another's by now."""
        fd, ours = self.fd, self.ours
        self.fd = -1
        if ours:
            with contextlib.suppress(OSError):
                os.close(fd)


class ReservedDescriptor:
    """A file descriptor number that stays ours for good, whatever file stands behind it.

    An emit may hold the number for as long as it likes between reading and writing: closing it could let the
    frame end in a file of the application's. Numbers given up are parked on a pipe's reading end (a write
    fails) and used again. They are high ones, which an application that closes and opens everything does not
    soon meet. `fd` changes only where the application has closed the number, or lowered its limit below it.
    """

    _parked: ClassVar[deque[OwnFile]] = deque()
    _nothing: ClassVar[OwnFile | None] = None
    """Kept open, so that parking needs no free descriptor. A file that no application has open."""

    def __init__(self) -> None:
        """Raises OSError when no descriptor is free."""
        self._file = self._unused() or OwnFile(_high(self._nowhere().fd))

    @property
    def fd(self) -> int:
        return self._file.fd

    @property
    def ours(self) -> bool:
        """The number still leads to the file it was pointed at."""
        return self._file.ours

    def checked(self) -> int:
        """The number, for one use at once. Raises OSError (EBADF) when it is another's by now."""
        return self._file.checked()

    def point(self, fd: int) -> None:
        """From now on writes go to the file of `fd`, which is closed. Raises OSError."""
        try:
            self._file = self._pointed(fd)
        finally:
            os.close(fd)

    def park(self) -> None:
        """Writes fail from now on; another spool may use the number. Raises OSError."""
        parked = self._pointed(self._nowhere().fd) if self.ours else None
        if parked is not None:
            self._file = parked
            self._parked.append(parked)

    def _pointed(self, fd: int) -> OwnFile:
        if self.ours:
            try:
                os.dup2(fd, self.fd, inheritable=False)
                return OwnFile(self.fd)
            except OSError:
                # The limit was lowered below the number: until it is raised nobody is given it.
                self._file.close()
        return OwnFile(_high(fd))

    @classmethod
    def _unused(cls) -> OwnFile | None:
        while cls._parked:
            parked = cls._parked.pop()
            if parked.ours:
                return parked
        return None

    @classmethod
    def _nowhere(cls) -> OwnFile:
        """A descriptor that cannot be written to, opened again where an application closed it."""
        if cls._nothing is None or not cls._nothing.ours:
            reading, writing = os.pipe2(os.O_CLOEXEC)
            os.close(writing)
            try:
                cls._nothing = OwnFile(_high(reading))
            finally:
                os.close(reading)
        return cls._nothing


def _high(fd: int) -> int:
    """A second descriptor of the same file, with a number few programs come to. Raises OSError."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, min(512, soft // 2) if soft > 0 else 512)
