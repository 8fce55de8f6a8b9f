"""Sessions whose owner is dead: found by their free lock, shipped as what they were, then deleted.

No sockets.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection

from msgspec.structs import replace

from tocsin.handler.capture.code_locations import CodeLocations
from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import Header, Lost
from tocsin.handler.shipping.delivery import Delivery
from tocsin.handler.spool import dropped
from tocsin.handler.spool.files import Claim, State, sessions
from tocsin.handler.spool.stream import Stream


class Adopted:
    """A dead process's session in our hands, until it is shipped or given back."""

    def __init__(self, claim: Claim, stream: Stream, state: State) -> None:
        self.session = stream.session
        self.header = state.header
        self.stream = stream
        self.delivery = Delivery(stream, state.header, live=False, database=state.database)
        self._claim = claim
        self._state = state

    def keep(self) -> None:
        """Writes down which database it goes to, as soon as that is known."""
        if self.delivery.database is not None:
            with contextlib.suppress(OSError):
                self._claim.write(replace(self._state, database=self.delivery.database))

    def finish(self) -> None:
        """All of it is acknowledged: the files go."""
        self.stream.delete()
        self._claim.release(remove=True)

    def leave(self) -> None:
        """Gives it back as it is, for another try or another process."""
        self.stream.close()
        self._claim.release(remove=False)

    def detach(self) -> None:
        """In a forked child: it is the parent's."""
        self.stream.close()
        self._claim.abandon()


def adopt(
    directory: str, *, wanted: Callable[[Header], bool], passed: Collection[str] = ()
) -> Adopted | None:
    """The next dead owner's session that is `wanted`, locked for us; None when there is none. Raises OSError.

    Locks without any segment are cleared away. `passed`: sessions not to look at.
    """
    for session in sorted(sessions(directory)):
        taken = None if session in passed else take(directory, session)
        if isinstance(taken, Adopted):
            if wanted(taken.header):
                return taken
            taken.leave()
    return None


def take(directory: str, session: str) -> Adopted | str | None:
    """A dead owner's session in our hands; why it cannot be; or None: its owner lives, or nothing is left."""
    claim = Claim.take(directory, session)
    if claim is None:
        return None
    state = claim.read()
    stream = Stream(directory, session, header=state.header if state else None)
    header = stream.header
    if not stream.segments:
        claim.release(remove=True)
        return None
    if header is None:
        stream.close()
        claim.release(remove=False)
        return "neither its lock file nor a segment says whose it is"
    stream.places = places_of(header, live=False)
    try:
        return Adopted(claim, stream, _told(claim, stream, state or State(header)))
    except OSError as error:
        stream.close()
        claim.release(remove=False)
        return f"what it lost cannot be written down: {error.strerror}"


def _told(claim: Claim, stream: Stream, state: State) -> State:
    """Has the dead owner's shortfall told in its last segment, once, whoever died while doing so.

    Raises OSError.
    """
    counted = dropped.count(stream.directory, stream.session)
    if not counted:
        return state
    untold = counted - state.told
    if state.telling and not stream.reports_dropped(state.told_at):
        untold += state.telling
    if untold <= 0:
        return state
    state = replace(state, told=counted, telling=untold, told_at=stream.end)
    claim.write(state)
    stream.note(wire.encode_record(Lost(dropped.REASON, untold)))
    return state


def places_of(header: Header, *, live: bool) -> CodeLocations:
    """Who reads the source for a session."""
    return CodeLocations(
        started_at=header.started_at,
        in_app=header.in_app,
        not_in_app=header.not_in_app,
        sys_path=header.sys_path,
        live=live,
        scrub=header.scrub,
    )
