"""The files of a session: written without a lock, owned by a process, adopted when it is dead. No sockets, no
bodies.

A spool directory holds, per session, a lock file (`<session>.lock`: flock held while the owner lives; its
content is the header and the database the session is pinned to) and segments (`<session>.<number>.<first
counter>.seg`).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import os
import re
import stat
import time
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import msgspec
from msgspec import Struct

from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import Header, Lost, position
from tocsin.handler.spool import dropped, frames
from tocsin.handler.spool.descriptors import ReservedDescriptor
from tocsin.handler.spool.dropped import DroppedCounter

GRACE = 2.0
"""Seconds after which a write that was in flight at a rotation is over, where the kernel cannot tell."""

STALE = 10.0
"""Seconds after which a lock without its name has no owner."""

_SEGMENT = re.compile(r"([0-9a-f]{32})\.(\d{1,9})\.(\d{1,19})\.seg")
_LOCK = re.compile(r"([0-9a-f]{32})\.lock")
_UNNAMED = ".lock.new"
"""Ending of a lock before it has its name."""
_FRESH = ".new"
"""Ending of a segment that is being made."""
_PARTLY = "only a part of the frame was written"
_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW


class Unusable(Exception):
    """The directory cannot hold a spool; the text says why and what would help."""


class Segment(NamedTuple):
    """One file of a session; sorted by number."""

    number: int
    first: int
    """Counter of its header frame."""
    path: str


class State(Struct, frozen=True, array_like=True):
    """What a lock file says of its session."""

    header: Header
    database: str | None = None
    """Id of the only database this session may be shipped to, once it is known."""
    told: int = 0
    """Events of the shortfall that are told of, the last time included."""
    telling: int = 0
    """How many the last time tells of: it is written down here first, then told."""
    told_at: int = 0
    """Position at or after which the last telling stands, when it came to that."""


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


def segments(directory: str, session: str) -> list[Segment]:
    """The session's files, oldest first. Raises OSError."""
    return sorted(segment for owner, segment in _listed(directory) if owner == session)


def sessions(directory: str) -> set[str]:
    """Every session that has a file here. Raises OSError."""
    with os.scandir(directory) as entries:
        names = [entry.name for entry in entries]
    matches = (_LOCK.fullmatch(name) or _SEGMENT.fullmatch(name) for name in names)
    return {match[1] for match in matches if match}


def sweep(directory: str) -> None:
    """Removes locks whose owner died before they had their name: nothing belongs to them. Raises OSError."""
    with os.scandir(directory) as entries:
        unnamed = [entry for entry in entries if entry.name.endswith(_UNNAMED)]
    for entry in unnamed:
        with contextlib.suppress(OSError):
            # An owner that lives has named its lock long before.
            if time.time() - entry.stat(follow_symlinks=False).st_mtime > STALE:
                os.unlink(entry.path)


def size(directory: str) -> int:
    """Bytes of all segments here, 0 when the directory cannot be read."""
    total = 0
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.endswith(".seg"):
                with contextlib.suppress(OSError):
                    total += entry.stat(follow_symlinks=False).st_size
    return total


def _listed(directory: str) -> Iterator[tuple[str, Segment]]:
    with os.scandir(directory) as entries:
        for entry in entries:
            if match := _SEGMENT.fullmatch(entry.name):
                yield match[1], Segment(int(match[2]), int(match[3]), entry.path)


class Claim:
    """The lock of a session, held. Not released by LOCK_UN: a fork shares it; closing ends only our share."""

    def __init__(self, path: str, fd: int) -> None:
        self.path = path
        self.fd = fd

    @classmethod
    def create(cls, directory: str, session: str) -> Claim:
        """The lock of a new session; it appears under its name already locked. Raises OSError."""
        path = os.path.join(directory, f"{session}.lock")
        fresh = os.path.join(directory, session + _UNNAMED)
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
    def take(cls, directory: str, session: str) -> Claim | None:
        """The lock of a dead owner's session; None while the owner lives or another process was quicker."""
        path = os.path.join(directory, f"{session}.lock")
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o600)
        except OSError:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(fd).st_ino == os.stat(path, follow_symlinks=False).st_ino:
                return cls(path, fd)
        except OSError:
            pass
        os.close(fd)
        return None

    def read(self) -> State | None:
        """What the file says, None when that cannot be read any more."""
        try:
            return msgspec.msgpack.decode(os.pread(self.fd, 1 << 20, 0), type=State)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return None

    def write(self, state: State) -> None:
        """Writes it down for whoever takes the lock next. Raises OSError."""
        data = msgspec.msgpack.encode(state)
        os.pwrite(self.fd, data, 0)
        os.ftruncate(self.fd, len(data))

    def release(self, *, remove: bool) -> None:
        """Gives the session up; `remove`: nothing of it is left."""
        if remove:
            stem = self.path.removesuffix(".lock")
            for path in (stem + _FRESH, f"{stem}.full", self.path):
                with contextlib.suppress(OSError):
                    os.unlink(path)
        self.abandon()

    def abandon(self) -> None:
        """Closes our descriptor only: what a forked child does with its parent's lock."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            with contextlib.suppress(OSError):
                os.close(fd)


class Spool:
    """The writing side of this process's own session.

    `append` may be called anywhere, the rest by one thread.
    """

    def __init__(self, directory: str, header: Header, descriptor: ReservedDescriptor | None = None) -> None:
        """Raises Unusable or OSError."""
        prepare(directory)
        self.directory = directory
        self.header = header
        self.segment = header.segment
        self.stopped = False
        self.dropped_counter: DroppedCounter | None = None
        """Where events are only counted, once the directory is full."""
        self._state = State(header)
        self.failed_writes: deque[int] = deque()
        """Counters taken by events that could not be written."""
        self._diverted = False
        self._next = itertools.count(1).__next__
        self._rotated_at = 0.0
        self._sealed: set[int] = set()
        self.claim = Claim.create(directory, header.session)
        try:
            self.claim.write(self._state)
            self.descriptor = descriptor or ReservedDescriptor()
            self.descriptor.point(self._begin(header.segment))
        except BaseException:
            self.claim.release(remove=True)
            raise
        self.fd = self.descriptor.fd

    def append(self, payload: bytes, sync: bool = False) -> None:
        """One event into the file, in one write; with `sync` it is on the disk too.

        Raises OSError when it is not there, wholly, afterwards.
        """
        counter = self._next()
        frame = frames.encode(counter, payload)
        try:
            if os.write(self.fd, frame) != len(frame):
                raise OSError(errno.ENOSPC, _PARTLY)
        except OSError:
            self.failed_writes.append(counter)
            raise
        if sync:
            os.fdatasync(self.fd)

    def note(self, payload: bytes) -> None:
        """A record that is no event of the application's (a place, a loss). Raises OSError."""
        append(self.fd, frames.encode(0, payload))

    @property
    def diverted(self) -> bool:
        """Counters were taken that do not stand for an event in these files."""
        return self._diverted or bool(self.failed_writes)

    def record_failed_writes(self) -> None:
        """Says in the file which counters went another way. Raises OSError."""
        while self.failed_writes:
            self._diverted = True
            append(self.fd, frames.encode(self.failed_writes[0], b""))
            self.failed_writes.popleft()

    def rotate(self, now: float) -> None:
        """A new segment takes the writes from here on. Raises OSError, and nothing has changed then."""
        number = self.segment + 1
        self.descriptor.point(self._begin(number))
        self.segment = number
        self._rotated_at = time.monotonic()
        self.header = msgspec.structs.replace(self.header, segment=number, written_at=now)

    def sealed(self, segment: Segment) -> bool:
        """Nobody can be writing to this segment any more.

        A read lease is granted only on a file that nobody has open for writing, a write in flight included;
        where leases do not exist, a grace period stands for it.
        """
        if segment.number >= self.segment:
            return False
        if segment.number in self._sealed:
            return True
        if _unwritten(segment.path) or time.monotonic() - self._rotated_at > GRACE:
            self._sealed.add(segment.number)
            return True
        return False

    def pin(self, database: str) -> None:
        """Remembers the one database this session goes to. Raises OSError."""
        self._keep(msgspec.structs.replace(self._state, database=database))

    def open_dropped_counter(self) -> None:
        """Makes ready to only count events. Raises OSError."""
        if self.dropped_counter is None and not self.stopped:
            self.dropped_counter = DroppedCounter(self.directory, self.header.session)

    def report_dropped(self) -> bool:
        """Writes a record of the events that were only counted since the last time; False: there are none.

        Raises OSError.
        """
        state = self._state
        counted = (
            dropped.count(self.directory, self.header.session) if self.dropped_counter is not None else 0
        )
        new = counted - state.told
        if new <= 0:
            return False
        at = position(self.segment, os.fstat(self.fd).st_size)
        self._keep(msgspec.structs.replace(state, told=counted, telling=new, told_at=at))
        try:
            self.note(wire.encode_record(Lost(dropped.REASON, new)))
        except OSError:
            self._keep(state)
            raise
        return True

    def untold(self) -> bool:
        """Whether events were counted that nothing tells of yet."""
        return (
            self.dropped_counter is not None
            and dropped.count(self.directory, self.header.session) > self._state.told
        )

    def stop(self) -> None:
        """Writes fail from now on; the files stay, and so does the lock."""
        self.stopped = True
        if self.dropped_counter is not None:
            self.dropped_counter.park()
        self.descriptor.park()
        self.segment += 1
        self._rotated_at = time.monotonic()

    def detach(self) -> None:
        """In a forked child: lets go of what is the parent's, without a trace in its files."""
        self.claim.abandon()
        if self.dropped_counter is not None and not self.stopped:
            with contextlib.suppress(OSError):
                self.dropped_counter.park()

    def _keep(self, state: State) -> None:
        self.claim.write(state)
        self._state = state

    def _begin(self, number: int) -> int:
        """A new segment with its header; a descriptor to append to it."""
        first = self._next()
        header = msgspec.structs.replace(self.header, segment=number, written_at=time.time())
        path = os.path.join(self.directory, f"{header.session}.{number}.{first}.seg")
        # It appears under its name with its header in it: an empty segment has lost something.
        fresh = os.path.join(self.directory, f"{header.session}{_FRESH}")
        fd = os.open(fresh, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC | _FLAGS, 0o600)
        try:
            append(fd, frames.encode(first, msgspec.msgpack.encode(header)))
            os.rename(fresh, path)
        except BaseException:
            os.close(fd)
            with contextlib.suppress(OSError):
                os.unlink(fresh)
            self.failed_writes.append(first)
            raise
        return fd


def append(fd: int, frame: bytes) -> None:
    """One whole frame to the end of a file. Raises OSError."""
    if os.write(fd, frame) != len(frame):
        raise OSError(errno.ENOSPC, _PARTLY)


def _unwritten(path: str) -> bool:
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
