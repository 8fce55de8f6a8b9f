"""Sessions whose owner is dead: found by their free lock, shipped as what they were, then deleted.

No sockets.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Collection, Iterator

from msgspec.structs import replace

from tocsin.handler.capture.code_locations import CodeLocations
from tocsin.handler.failpoints import reach
from tocsin.handler.process import Identity, wall
from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import Header, Lost
from tocsin.handler.shipping.delivery import Delivery
from tocsin.handler.spool import dropped
from tocsin.handler.spool.claim import Claim, State
from tocsin.handler.spool.guards import guards
from tocsin.handler.spool.segments import Segment, listing, sessions, sweep
from tocsin.handler.spool.stream import Stream

EVERY = 1.0
"""Seconds between two looks for dead processes' files."""
AT_ONCE = 4
"""Dead processes' sessions shipped side by side: the daemon answers many in one transaction."""
LATER = 30.0
"""Seconds after which a session that was refused is tried again."""


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

    def goodbye(self) -> wire.Goodbye:
        """The last word on it: nothing is left. Whether its owner ended in order the owner has written down."""
        return replace(self.delivery.goodbye(wall()), ended_at=self._state.ended_at or None)

    def finish(self) -> None:
        """All of it is acknowledged: the files go."""
        reach("before_adopted_end")
        self.stream.delete()
        reach("in_adopted_end")
        self._claim.release(remove=True)
        reach("after_adopted_end")

    def give_back(self) -> None:
        """Gives it back as it is, for another try or another process."""
        self.stream.close()
        self._claim.release(remove=False)

    def detach(self) -> None:
        """In a forked child: it is the parent's."""
        self.stream.close()
        self._claim.abandon()


class Adoptions:
    """The sessions of dead processes that this one ships. One thread."""

    def __init__(self, directory: str, mine: Header) -> None:
        self.directory = directory
        self.taken = 0
        """Sessions taken so far."""
        self._mine = mine
        self._leftovers = Leftovers(directory)
        self._adopted: list[Adopted] = []
        self._passed: dict[str, float] = {}
        self._looked_at = -EVERY

    def deliveries(self) -> list[Delivery]:
        """Their side of the talk."""
        return [adopted.delivery for adopted in self._adopted]

    def keep(self, delivery: Delivery) -> None:
        """It is known by now which database this one goes to."""
        for adopted in self._adopted:
            if adopted.delivery is delivery:
                adopted.keep()

    def check(self, now: float, endpoint: str, database: str | None) -> Iterator[wire.Goodbye]:
        """Gives back what is refused, finishes what is done (its goodbye), and looks for more.

        `endpoint`, `database`: where the connection leads now.
        """
        for adopted in list(self._adopted):
            if adopted.delivery.refused is not None or not self._leads(adopted, endpoint, database):
                self._passed[adopted.session] = now + LATER
                adopted.give_back()
                self._adopted.remove(adopted)
            elif adopted.delivery.done:
                yield adopted.goodbye()
                adopted.finish()
                self._adopted.remove(adopted)
                self._looked_at = now - EVERY
        if len(self._adopted) < AT_ONCE:
            with contextlib.suppress(OSError):
                if not self._leftovers.sessions and now - self._looked_at >= EVERY:
                    self._looked_at = now
                    self._passed = {session: until for session, until in self._passed.items() if until > now}
                    self._leftovers.look(self._passed)
                self._adopt_more(endpoint, database)

    def give_back(self) -> None:
        """Gives all of them back."""
        for adopted in self._adopted:
            adopted.give_back()

    def detach(self) -> None:
        """In a forked child: they are the parent's."""
        for adopted in self._adopted:
            adopted.detach()

    def _adopt_more(self, endpoint: str, database: str | None) -> None:
        while len(self._adopted) < AT_ONCE and self._leftovers.sessions:
            found = self._leftovers.claim()
            if not isinstance(found, Adopted):
                continue
            if self._leads(found, endpoint, database):
                self._adopted.append(found)
                self.taken += 1
            else:
                found.give_back()

    def _leads(self, adopted: Adopted, endpoint: str, database: str | None) -> bool:
        """Whether this connection is one that the dead one would have used, or leads to its database."""
        theirs, mine = adopted.header, self._mine
        if (theirs.server_key, theirs.key_file) != (mine.server_key, mine.key_file):
            return False
        meant = adopted.delivery.database
        return endpoint in theirs.endpoints or (meant is not None and meant == database)


class Leftovers:
    """What dead processes have left in a directory: looked for all at once, taken one by one.

    Who is dead begins no file any more. So one look at the directory after the locks were tried serves for all of
    them; a session whose lock tells nothing is looked for by itself.
    """

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.sessions: deque[str] = deque()
        """Those still to be taken."""
        self._files: dict[str, list[Segment]] = {}

    def look(self, passed: Collection[str] = ()) -> None:
        """Looks for them; `passed`: sessions to leave alone. Raises OSError."""
        sweep(self.directory)
        names = [session for session in sorted(sessions(self.directory)) if session not in passed]
        free = [session for session in names if Claim.free(self.directory, session)]
        files = listing(self.directory) if guards(self.directory).locks else {}
        self._files = {session: files[session] for session in free if session in files}
        self.sessions = deque(names)

    def claim(self) -> Adopted | str | None:
        """The next one, as `claim_session` gives it. Raises OSError."""
        session = self.sessions.popleft()
        return claim_session(self.directory, session, self._files.pop(session, None))


def claim_session(directory: str, session: str, known: list[Segment] | None = None) -> Adopted | str | None:
    """A dead owner's session in our hands; why it cannot be; or None: its owner lives, or nothing is left.

    Locks without any segment are cleared away. `known`: its files, where they are known already. Raises OSError.
    """
    claim = Claim.acquire(directory, session)
    if claim is None:
        return None
    state = claim.read()
    stream = Stream(directory, session, header=state.header if state else None, known=known)
    header = stream.header
    owner = header and Identity(header.machine, header.boot, header.namespace, header.pid, header.born)
    if owner and not (state and state.ended_at) and not _gone(owner, directory):
        # Its lock was removed, or locks do nothing here.
        stream.close()
        claim.release(remove=False)
        return None
    if not stream.files.segments:
        claim.release(remove=True)
        return None
    if header is None:
        stream.close()
        claim.release(remove=False)
        return "neither its lock file nor a segment says whose it is"
    stream.locations.source = places_of(header, live=False)
    try:
        adopted = Adopted(claim, stream, _reported(claim, stream, state or State(header)))
    except OSError as error:
        stream.close()
        claim.release(remove=False)
        return f"what it lost cannot be written down: {error.strerror}"
    reach("at_adoption")
    return adopted


def _gone(owner: Identity, directory: str) -> bool:
    """Whether the owner of a session that nobody has locked is dead, as far as locks and processes can tell."""
    lives = owner.lives
    return not lives if guards(directory).locks else lives is False


def _reported(claim: Claim, stream: Stream, state: State) -> State:
    """Reports what the dead owner dropped in its last segment, once, whoever died while doing so.

    Raises OSError.
    """
    counted = dropped.count(stream.files.directory, stream.session)
    if not counted:
        return state
    new = counted - state.reported
    if state.reporting and not stream.reports_dropped(state.reported_at):
        new += state.reporting
    if new <= 0:
        return state
    state = replace(state, reported=counted, reporting=new, reported_at=stream.end)
    claim.write(state)
    reach("before_loss_report")
    stream.files.note(wire.encode_record(Lost(dropped.REASON, new)))
    reach("after_loss_report")
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
