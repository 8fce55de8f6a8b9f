"""Signatures computed once per kind of event and session, not once per event. Pure but for its memory.

What is remembered holds as long as the session's locations stay what they were: a location that differs, or one
that was missed when a signature was computed, makes the session's signatures be computed again.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from operator import attrgetter

from msgspec import Raw

from tocsin.daemon.grouping.rule2 import carries
from tocsin.daemon.grouping.sign import CodeLocations, Signature, cache_key, sign
from tocsin.daemon.grouping.speakers import KNOWN, Speakers
from tocsin.handler.capture.mentions import mentions
from tocsin.handler.protocol.event import CodeLocation, Event, Raised
from tocsin.handler.protocol.wire import WireError, decode_location

LIMIT = 100_000
"""Weight of all that is remembered, at most, a signature weighing `WEIGHT` locations; then all is forgotten."""
WEIGHT = 10
LOCATIONS = 5_000
"""Locations remembered as they were encoded, at most; then all are forgotten."""

_names = attrgetter("path", "line", "module", "function")


class _Session:
    def __init__(self) -> None:
        self.locations: dict[tuple[str, int], int] = {}
        """Hash of each location as it was last told."""
        self.missed: set[tuple[str, int]] = set()
        self.signatures: dict[Hashable, Signature | None] = {}
        """None: the exception's text decides too, and stands in the key of another entry."""


class Signatures:
    """Used by one thread."""

    def __init__(self, speakers: Speakers = KNOWN) -> None:
        self.both = False
        """Whether signatures are computed under the version before, too."""
        self._speakers = speakers
        self._sessions: dict[str, _Session] = {}
        self._locations: dict[bytes, CodeLocation] = {}
        self._weight = 0

    def tell(self, session_id: str, locations: Iterable[Raw]) -> dict[tuple[str, int], CodeLocation]:
        """Takes note of the locations that come with a session's batch, before its events are signed.

        Returns them; one that cannot be read is passed over.
        """
        if self._weight > LIMIT:
            self._sessions.clear()
            self._weight = 0
        session = self._sessions.setdefault(session_id, _Session())
        known = session.locations
        found: dict[tuple[str, int], CodeLocation] = {}
        for raw in locations:
            data = bytes(raw)
            location = self._locations.get(data) or self._read(data)
            if location is None:
                continue
            at, value = (location.path, location.line), hash(data)
            found[at] = location
            before = known.get(at)
            if before == value:
                continue
            known[at] = value
            if before is not None or at in session.missed:
                session.signatures.clear()
                session.missed.clear()
            self._weight += before is None
        return found

    def _read(self, data: bytes) -> CodeLocation | None:
        """A location as it was encoded; batch after batch brings the same ones."""
        try:
            location = decode_location(data)
        except WireError:
            return None
        if len(self._locations) >= LOCATIONS:
            self._locations.clear()
        self._locations[data] = location
        return location

    def of(self, session_id: str, event: Event, locations: CodeLocations) -> Signature:
        """The event's signature. `locations`: those of its batch, of which `tell` was told."""
        session = self._sessions[session_id]
        raised = event.exception
        if raised is None or raised.cause is not None or not raised.frames or _special(raised):
            key = cache_key(event, locations, speakers=self._speakers)
            found = None if key is None else session.signatures.get(key)
            return found or self._sign(session, key, event, locations)
        parts = tuple(self._speakers.parts(event))
        short = (raised.type, raised.errno, event.fingerprint, parts, *map(_names, raised.frames))
        found = session.signatures.get(short)
        if found is not None:
            return found
        if short in session.signatures:
            longer = _longer(event, raised, short)
            return session.signatures.get(longer) or self._sign(session, longer, event, locations)
        speakers = self._speakers
        if cache_key(event, locations, speakers=speakers) == cache_key(event, speakers=speakers):
            session.signatures[short] = None
            return self._sign(session, _longer(event, raised, short), event, locations)
        return self._sign(session, short, event, locations)

    def _sign(
        self, session: _Session, key: Hashable | None, event: Event, locations: CodeLocations
    ) -> Signature:
        signature = sign(event, locations, speakers=self._speakers, older=self.both)
        if key is not None:
            session.missed.update(one.at for one in mentions(event) if one.at not in locations)
            session.signatures[key] = signature
            self._weight += WEIGHT
        return signature


def _longer(event: Event, raised: Raised, short: Hashable) -> Hashable:
    """The key where no frame is the application's: the text decides, and the error belongs to the call."""
    context = raised.context.text if raised.context is not None else ""
    return raised.text, context, event.path, event.line, short


def _special(raised: Raised) -> bool:
    return bool(raised.group or raised.syntax or raised.recursive) or carries(raised)
