"""Damaged ranges of a session's segments: where they are, and how many events each held."""

from __future__ import annotations

from tocsin.handler.process import monotonic
from tocsin.handler.spool import frames
from tocsin.handler.spool.files import Spool
from tocsin.handler.spool.guards import GRACE
from tocsin.handler.spool.segment_files import SegmentFiles
from tocsin.handler.spool.segments import Segment


class DamagedRanges:
    """What is no frame in the segments of one session. The newest survey is kept; one thread."""

    def __init__(self, files: SegmentFiles, spool: Spool | None) -> None:
        """`spool`: the writing side, None when the owner is dead."""
        self._files = files
        self._spool = spool
        self._surveyed: tuple[tuple[int, int, bool], frames.Survey] | None = None
        self._fragment = (-1, 0, 0.0)

    def at(self, segment: Segment, offset: int, *, sealed: bool) -> frames.Damage | None:
        """The damaged range that begins at `offset`, None when the file ends there or a write is in flight."""
        size = self._files.size(segment)
        if offset >= size and not (sealed and size == 0):
            return None
        held = (segment.number, size, sealed)
        if self._surveyed is None or self._surveyed[0] != held:
            self._surveyed = (held, self._survey(segment, size, sealed))
        survey = self._surveyed[1]
        for damage in survey.damages:
            if damage.offset == offset or damage.offset < offset < damage.end:
                return frames.Damage(offset, damage.end, damage.events if damage.offset == offset else 0)
        return self._abandoned(segment, offset, size, survey)

    def _abandoned(
        self, segment: Segment, offset: int, size: int, survey: frames.Survey
    ) -> frames.Damage | None:
        """The fragment that a failed write has left at the end.

        Its event went another way, nobody completes it.
        """
        if self._spool is None or not self._spool.failed_writes:
            return None
        if survey.tail != offset or self._fragment[:2] != (segment.number, size):
            self._fragment = (segment.number, size, monotonic())
            return None
        return frames.Damage(offset, size, 0) if monotonic() - self._fragment[2] > GRACE / 2 else None

    def _survey(self, segment: Segment, size: int, sealed: bool) -> frames.Survey:
        following = self._files.following(segment)
        elsewhere = frozenset(self._spool.failed_writes if self._spool else ())
        if following is not None:
            data = self._files.whole(following)
            elsewhere |= frames.survey(data, first=following.first, sealed=False).counters
        return frames.survey(
            self._files.read(segment, 0, size),
            first=segment.first,
            sealed=sealed,
            until=following.first if following else 0,
            elsewhere=elsewhere,
        )
