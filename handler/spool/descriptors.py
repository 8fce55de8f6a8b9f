"""File descriptor numbers that stay ours, whatever file stands behind them."""

from __future__ import annotations

import fcntl
import os
import resource
import stat
from collections import deque
from typing import ClassVar


class ReservedDescriptor:
    """A file descriptor number that stays ours for good, whatever file stands behind it.

    An emit may hold the number for as long as it likes between reading and writing: closing it could let the
    frame end in a file of the application's. Numbers given up are parked on a read-only /dev/null (a write
    fails) and used again. They are high ones, which an application that closes and opens everything does not
    soon meet.
    """

    _parked: ClassVar[deque[int]] = deque()
    _null: ClassVar[int] = -1
    """Kept open, so that parking needs no free descriptor."""

    def __init__(self) -> None:
        """Raises OSError when no descriptor is free."""
        try:
            self.fd = self._parked.pop()
        except IndexError:
            self.fd = _high(self._nothing())

    def point(self, fd: int) -> None:
        """From now on writes go to the file of `fd`, which is closed. Raises OSError."""
        try:
            os.dup2(fd, self.fd, inheritable=False)
        finally:
            os.close(fd)

    def park(self) -> None:
        """Writes fail from now on; another spool may use the number. Raises OSError."""
        os.dup2(self._nothing(), self.fd, inheritable=False)
        self._parked.append(self.fd)

    @classmethod
    def _nothing(cls) -> int:
        """A descriptor of /dev/null that cannot be written to, opened again where an application closed
        it.
        """
        try:
            if cls._null >= 0 and stat.S_ISCHR(os.fstat(cls._null).st_mode):
                return cls._null
        except OSError:
            pass
        null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        try:
            cls._null = _high(null)
        finally:
            os.close(null)
        return cls._null


def _high(fd: int) -> int:
    """A second descriptor of the same file, with a number few programs come to. Raises OSError."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, min(512, soft // 2) if soft > 0 else 512)
