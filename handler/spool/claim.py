"""The lock file of a session: whoever holds it owns the session, and what it says outlives the owner."""

from __future__ import annotations

import contextlib
import fcntl
import os

import msgspec
from msgspec import Struct

from tocsin.handler.protocol.event import Header
from tocsin.handler.spool.descriptors import Identity, OwnFile, identity

UNNAMED = ".lock.new"
"""Ending of a lock before it has its name."""
FRESH = ".new"
"""Ending of a segment that is being made."""
_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW


class State(Struct, frozen=True, array_like=True):
    """What a lock file says of its session."""

    header: Header
    database: str | None = None
    """Id of the only database this session may be shipped to, once it is known."""
    reported: int = 0
    """Dropped events that are reported, the last report included."""
    reporting: int = 0
    """How many the last report names: it is written down here first, then reported."""
    reported_at: int = 0
    """Position at or after which the last report stands, when it came to that."""
    ended_at: float = 0.0
    """When its owner ended it in order, by the owner's clock; 0 while it is open or where the owner just died."""


class Claim:
    """The lock of a session, held. Not released by LOCK_UN: a fork shares it; closing ends only our share."""

    def __init__(self, path: str, fd: int) -> None:
        self.path = path
        self._file = OwnFile(fd)

    @classmethod
    def create(cls, directory: str, session: str) -> Claim:
        """The lock of a new session; it appears under its name already locked. Raises OSError."""
        path = os.path.join(directory, f"{session}.lock")
        fresh = os.path.join(directory, session + UNNAMED)
        fd = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.rename(fresh, path)
        except BaseException:
            os.close(fd)
            with contextlib.suppress(OSError):
                os.unlink(fresh)
            raise
        return cls(path, fd)

    @classmethod
    def acquire(cls, directory: str, session: str) -> Claim | None:
        """The lock of a dead owner's session; None while the owner lives or another process was quicker."""
        path = os.path.join(directory, f"{session}.lock")
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o600)
        except OSError:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if identity(fd) == _named(path):
                return cls(path, fd)
        except OSError:
            pass
        os.close(fd)
        return None

    @classmethod
    def free(cls, directory: str, session: str) -> bool:
        """Whether nobody holds the session's lock, which is there."""
        try:
            fd = os.open(os.path.join(directory, f"{session}.lock"), os.O_RDWR | _FLAGS)
        except OSError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError:
            return False
        finally:
            os.close(fd)

    @property
    def held(self) -> bool:
        """The lock is ours and stands under its name."""
        return self._file.ours and identity(self._file.fd) == _named(self.path)

    def read(self) -> State | None:
        """What the file says, None when that cannot be read any more."""
        try:
            return msgspec.msgpack.decode(os.pread(self._file.checked(), 1 << 20, 0), type=State)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return None

    def write(self, state: State) -> None:
        """Writes it down for whoever takes the lock next. Raises OSError."""
        data = msgspec.msgpack.encode(state)
        os.pwrite(self._file.checked(), data, 0)
        os.ftruncate(self._file.checked(), len(data))

    def release(self, *, remove: bool) -> None:
        """Gives the session up; `remove`: nothing of it is left."""
        if remove:
            stem = self.path.removesuffix(".lock")
            for path in (stem + FRESH, f"{stem}.full", self.path):
                with contextlib.suppress(OSError):
                    os.unlink(path)
        self.abandon()

    def abandon(self) -> None:
        """Closes our descriptor only: what a forked child does with its parent's lock."""
        self._file.close()


def _named(path: str) -> Identity | None:
    """Which file stands under the name."""
    try:
        status = os.stat(path, follow_symlinks=False)
    except OSError:
        return None
    return status.st_dev, status.st_ino
