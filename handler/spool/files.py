"""The files of a session: written without a lock, owned by a process, adopted when it is dead. No sockets, no
bodies.

A spool directory holds, per session, a lock file (`<session>.lock`: flock held while the owner lives; its
content is the header and the database the session is pinned to) and segments (`<session>.<number>.<first
counter>.seg`).
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import random
import stat
from collections import deque

import msgspec

from tocsin.handler import process
from tocsin.handler.failpoints import reach
from tocsin.handler.protocol.event import Header
from tocsin.handler.spool import frames
from tocsin.handler.spool.claim import FRESH, Claim, State
from tocsin.handler.spool.descriptors import ReservedDescriptor
from tocsin.handler.spool.guards import Seals
from tocsin.handler.spool.segments import Segment, segments

_FOREIGN = "the descriptor was closed by the application"
_PARTLY = "only a part of the frame was written"
_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW
_frame = frames.encode


class Unusable(Exception):
    """The directory cannot hold a spool; the text says why and what would help."""


def prepare(directory: str) -> None:
    """Makes sure that `directory` is a 0700 directory of this user. Raises Unusable."""
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | _FLAGS)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR) or os.path.islink(directory):
            raise Unusable(f"{directory} is a symbolic link or no directory; name a real directory") from None
        raise Unusable(f"{directory}: {error.strerror}") from None
    try:
        status = os.fstat(fd)
        if status.st_uid != os.geteuid():
            raise Unusable(f"{directory} belongs to user {status.st_uid}; name a directory of your own")
        if stat.S_IMODE(status.st_mode) & 0o077:
            os.fchmod(fd, 0o700)
    except OSError as error:
        raise Unusable(f"{directory}: {error.strerror}") from None
    finally:
        os.close(fd)


class Spool:
    """The writing side of this process's own session.

    `append` may be called anywhere, the rest by one thread.
    """

    def __init__(self, directory: str, header: Header, *, sync: bool = False) -> None:
        """`sync`: each event is on the disk when `append` returns. Raises Unusable or OSError."""
        prepare(directory)
        self.header = header
        self.segment = header.segment
        self.state = State(header)
        self.failed_writes: deque[int] = deque()
        """Counters taken by events that could not be written."""
        self._diverted = False
        self._sync = sync
        self._next = itertools.count(1).__next__
        self._mark = _mark()
        """Where the descriptor's position stands for good: by it a file is known as ours, at the least cost."""
        self._seals = Seals(directory)
        self.claim = Claim.create(directory, header.session)
        try:
            self.claim.write(self.state)
            self.descriptor = ReservedDescriptor()
            self.descriptor.point(self._begin(header.segment))
        except BaseException:
            self.claim.release(remove=True)
            raise
        self.fd = self.descriptor.fd

    def append(self, payload: bytes) -> None:
        """One event into the file, in one write.

        Raises OSError when it is not there, wholly, afterwards.
        """
        counter = self._next()
        frame = _frame(counter, payload)
        fd = self.fd
        try:
            # A program that closed the number may have opened a file of its own there.
            if os.lseek(fd, 0, os.SEEK_CUR) != self._mark:
                raise OSError(errno.EBADF, _FOREIGN)
            if os.pwrite(fd, frame, 0) != len(frame):
                raise OSError(errno.ENOSPC, _PARTLY)
        except OSError:
            self.failed_writes.append(counter)
            raise
        if self._sync:
            # The event is there; that the disk does not say so makes no second event of it.
            with contextlib.suppress(OSError):
                os.fdatasync(fd)

    def note(self, payload: bytes) -> None:
        """A record that is no event of the application's (a place, a loss). Raises OSError."""
        append(self.descriptor.checked(), frames.encode(0, payload))

    @property
    def directory(self) -> str:
        """Where its files are."""
        return os.path.dirname(self.claim.path)

    @property
    def stopped(self) -> bool:
        """Its session is over."""
        return self.state.ended_at > 0

    @property
    def diverted(self) -> bool:
        """Counters were taken that do not stand for an event in these files."""
        return self._diverted or bool(self.failed_writes)

    def record_failed_writes(self) -> None:
        """Says in the file which counters went another way. Raises OSError."""
        while self.failed_writes:
            self._diverted = True
            append(self.descriptor.checked(), frames.encode(self.failed_writes[0], b""))
            self.failed_writes.popleft()

    def rotate(self, now: float) -> None:
        """A new segment takes the writes from here on. Raises OSError, and nothing has changed then."""
        reach("before_rotation")
        number = self.segment + 1
        begun = self._begin(number)
        reach("in_rotation")
        self.descriptor.point(begun)
        self.fd = self.descriptor.fd
        self.segment = number
        self._seals.rotated()
        self.header = msgspec.structs.replace(self.header, segment=number, written_at=now)
        reach("after_rotation")

    def sealed(self, segment: Segment) -> bool:
        """Nobody can be writing to this segment any more."""
        return segment.number < self.segment and self._seals.sealed(segment.number, segment.path)

    @property
    def intact(self) -> bool:
        """The file that is written to is the one that we opened, under a name, and the session's lock is held."""
        try:
            status = os.fstat(self.descriptor.checked())
        except OSError:
            return False
        return status.st_nlink > 0 and self.claim.held

    def restore(self) -> bool:
        """After somebody removed or closed its files: what was written stands under a name again, as far as it can.

        False: another process holds the session by now. Raises OSError or Unusable.
        """
        prepare(self.directory)
        if not self.claim.held:
            claim = Claim.acquire(self.directory, self.header.session)
            if claim is None:
                return False
            claim.write(self.state)
            self.claim.abandon()
            self.claim = claim
        old, number = self._reading(), self.segment
        self.rotate(process.wall())
        if old >= 0:
            try:
                self._copy(old, number)
            finally:
                os.close(old)
        return True

    def pin(self, database: str) -> None:
        """Remembers the one database this session goes to. Raises OSError."""
        self.keep(msgspec.structs.replace(self.state, database=database))

    def keep(self, state: State) -> None:
        """Writes down what the session's next owner has to know. Raises OSError."""
        self.claim.write(state)
        self.state = state

    def stop(self) -> None:
        """Writes fail from now on; the files stay, and so does the lock."""
        self.state = msgspec.structs.replace(self.state, ended_at=process.wall())
        self.descriptor.park()
        self.segment += 1
        self._seals.rotated()
        with contextlib.suppress(OSError):
            self.claim.write(self.state)

    def detach(self) -> None:
        """In a forked child: lets go of what is the parent's, without a trace in its files."""
        self.claim.abandon()
        if not self.stopped:
            self.descriptor.park()

    def _reading(self) -> int:
        """A descriptor to read what has been written to the segment, although its name is gone; -1: it has it."""
        try:
            fd = self.descriptor.checked()
            if self._named(os.fstat(fd)):
                return -1
            return os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return -1

    def _named(self, status: os.stat_result) -> bool:
        """Whether the file is among the session's in the directory: it may have been moved away with all of that."""
        for segment in segments(self.directory, self.header.session):
            with contextlib.suppress(OSError):
                if os.path.samestat(os.stat(segment.path, follow_symlinks=False), status):
                    return True
        return False

    def _copy(self, old: int, number: int) -> None:
        """The segment without a name, under its name again: what was in flight at the rotation is in it too."""
        found = frames.read(os.pread(old, frames.LARGEST, 0), 0)
        if found is None:
            return
        path = os.path.join(self.directory, f"{self.header.session}.{number}.{found.counter}.seg")
        fresh = os.path.join(self.directory, f"{self.header.session}{FRESH}")
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _FLAGS, 0o600)
        try:
            at = 0
            while data := os.pread(old, 1 << 20, at):
                at += os.write(fd, data)
        finally:
            os.close(fd)
        os.rename(fresh, path)

    def _begin(self, number: int) -> int:
        """A new segment with its header; a descriptor to append to it."""
        first = self._next()
        header = msgspec.structs.replace(self.header, segment=number, written_at=process.wall())
        path = os.path.join(self.directory, f"{header.session}.{number}.{first}.seg")
        # It appears under its name with its header in it: an empty segment has lost something.
        fresh = os.path.join(self.directory, f"{header.session}{FRESH}")
        fd = os.open(fresh, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC | _FLAGS, 0o600)
        try:
            append(fd, frames.encode(first, msgspec.msgpack.encode(header)))
            os.lseek(fd, self._mark, os.SEEK_SET)
            os.rename(fresh, path)
        except BaseException:
            os.close(fd)
            with contextlib.suppress(OSError):
                os.unlink(fresh)
            self.failed_writes.append(first)
            raise
        return fd


def append(fd: int, frame: bytes) -> None:
    """One whole frame to the end of a file, whose position stays where it is. Raises OSError."""
    if os.pwrite(fd, frame, 0) != len(frame):
        raise OSError(errno.ENOSPC, _PARTLY)


def _mark() -> int:
    """A position that no file of an application stands at by chance; every file system allows it."""
    return 2**31 + random.getrandbits(30)
