"""A session's segments as open files: bytes and frames at any offset. Knows nothing of what the frames say."""

from __future__ import annotations

import contextlib
import os

from tocsin.handler.failpoints import reach
from tocsin.handler.protocol.event import split
from tocsin.handler.spool import frames
from tocsin.handler.spool.descriptors import OwnFile
from tocsin.handler.spool.files import append
from tocsin.handler.spool.segments import Segment, segments

_CHUNK = 512 * 1024


class SegmentFiles:
    """The files of one session, oldest first. One thread."""

    def __init__(self, directory: str, session: str, known: list[Segment] | None = None) -> None:
        """`known`: the files as they were found in the directory, else they are looked for. Raises OSError."""
        self.directory = directory
        self.session = session
        self.segments: list[Segment] = (
            segments(directory, session)
            if known is None
            else [segment for segment in known if os.path.lexists(segment.path)]
        )
        self._open_files: dict[int, OwnFile] = {}
        self._chunk: tuple[int, int, bytes] = (-1, 0, b"")
        self._starts: dict[int, int] = {}

    def refresh(self, newest: int) -> None:
        """Takes in the segments up to the number `newest` that its writer has begun since."""
        if self.segments[-1].number >= newest:
            return
        with contextlib.suppress(OSError):
            known = {segment.number for segment in self.segments}
            found = segments(self.directory, self.session)
            self.segments += [segment for segment in found if segment.number not in known]

    def at(self, where: int) -> tuple[Segment | None, int]:
        """The segment and the offset in it of a position, or of the first one held behind it."""
        number, offset = split(where)
        for segment in self.segments:
            if segment.number == number:
                return segment, offset
            if segment.number > number:
                return segment, 0
        return None, 0

    def numbered(self, number: int) -> Segment | None:
        """The segment with this number, None when it is not held."""
        return next((segment for segment in self.segments if segment.number == number), None)

    def following(self, segment: Segment) -> Segment | None:
        """The segment after this one, None for the newest."""
        index = self.segments.index(segment) + 1
        return self.segments[index] if index < len(self.segments) else None

    def size(self, segment: Segment) -> int:
        """Bytes in the file; 0 when it cannot be read."""
        fd = self._open(segment)
        try:
            return os.fstat(fd).st_size if fd >= 0 else 0
        except OSError:
            return 0

    def read(self, segment: Segment, start: int, end: int) -> bytes:
        """The bytes from `start` up to `end`, as many as there are; none when it cannot be read."""
        fd = self._open(segment)
        try:
            return os.pread(fd, end - start, start) if fd >= 0 and end > start else b""
        except OSError:
            return b""

    def whole(self, segment: Segment) -> bytes:
        """All of a segment's bytes."""
        return self.read(segment, 0, self.size(segment))

    def frame(self, segment: Segment, offset: int) -> frames.Found | None:
        """The sound frame that begins at `offset`, None when there is none."""
        number, base, data = self._chunk
        found = frames.read(data, offset - base) if number == segment.number and base <= offset else None
        if found is not None:
            return frames.Found(offset, base + found.end, found.counter, found.payload)
        data = self.read(segment, offset, offset + _CHUNK)
        self._chunk = (segment.number, offset, data)
        found = frames.read(data, 0)
        return found and frames.Found(offset, offset + found.end, found.counter, found.payload)

    def start(self, segment: Segment) -> int:
        """Where the records begin: a segment with nothing but its header is no backlog."""
        found = self.frame(segment, 0) if segment.number not in self._starts else None
        if found is not None:
            self._starts[segment.number] = found.end
        return self._starts.get(segment.number, 0)

    def note(self, payload: bytes) -> None:
        """Adds a record to the last segment of a dead owner. Raises OSError."""
        fd = os.open(self.segments[-1].path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            append(fd, frames.encode(0, payload))
        finally:
            os.close(fd)

    def delete(self, segment: Segment) -> None:
        """Deletes the file: all of it is acknowledged and nobody writes to it."""
        reach("before_deletion")
        with contextlib.suppress(OSError):
            os.unlink(segment.path)
        reach("after_deletion")
        if file := self._open_files.pop(segment.number, None):
            file.close()
        self.segments.remove(segment)

    def close(self) -> None:
        """Closes the descriptors; the files stay."""
        for file in self._open_files.values():
            file.close()
        self._open_files.clear()

    def _open(self, segment: Segment) -> int:
        """A descriptor of the segment, opened again where the application has closed ours; -1: there is none."""
        file = self._open_files.get(segment.number)
        if file is None or not file.ours:
            try:
                file = OwnFile(os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW))
            except OSError:
                return -1
            self._open_files[segment.number] = file
        return file.fd
