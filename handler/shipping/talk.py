"""The talk with the daemon: the one connection, this process's sessions on it, and those it has adopted.

One thread's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from tocsin.handler.process import monotonic, wall
from tocsin.handler.protocol import wire
from tocsin.handler.shipping.adoption import Adoptions
from tocsin.handler.shipping.connection import Connection
from tocsin.handler.shipping.delivery import Delivery
from tocsin.handler.shipping.unanswered import no_answer

FAILOVER = 3.0
"""Seconds an endpoint has to answer before the next one is tried."""


class Talk:
    """Who has what to say, and who is spoken to. It knows the files only through its deliveries."""

    def __init__(
        self, connection: Connection, live: Delivery | None, spare: Delivery, adoptions: Adoptions
    ) -> None:
        self.connection = connection
        self.live = live
        """The session in the spool, None where there is no file."""
        self.spare = spare
        """The session of what memory holds."""
        self.adoptions = adoptions
        self.pin: Callable[[str], None] = lambda database: None
        """Remembers the database of the live session."""
        self.connected = False
        self.active_at = 0.0
        """When something was last said or heard."""
        self.foreign_since = 0.0
        """Since when the live session has only met daemons of other databases than its own; 0: it has not."""
        self._refusal: wire.Refusal | None = None
        self._tried_at = 0.0

    @property
    def answering(self) -> bool:
        """A daemon is there and does not keep us waiting; its welcome may still be on the way."""
        now = monotonic()
        return self.connected and any(
            (one.welcomed or one.waiting) and not one.overdue(now) for one in self.own()
        )

    @property
    def trouble(self) -> str:
        """Why nothing is shipped, as far as it is known."""
        refusal = next((one.refused for one in self._deliveries() if one.refused), None)
        if refusal is not None:
            return refusal.text
        return self.connection.trouble or no_answer(self.connection.endpoints)

    @property
    def done(self) -> bool:
        """All of this process's own is acknowledged."""
        return all(one.done for one in self.own())

    @property
    def calm(self) -> bool:
        """Nobody owes an answer and nothing has to be said or tried before long."""
        if self.connected:
            return self.done and not self.adoptions.deliveries()
        return len(self.connection.endpoints) == 1 and self.connection.waiting

    @property
    def _speaker(self) -> Delivery:
        """The session that speaks for this process."""
        return self.spare if self.live is None else self.live

    def own(self) -> Iterator[Delivery]:
        """This process's sessions that have, or may have, something to say."""
        if self.live is not None:
            yield self.live
        if self.live is None or self.spare.backlog or self.spare.waiting:
            yield self.spare

    def hear(self, now: float) -> None:
        """Takes in what the daemon has said."""
        by_session = {one.source.session: one for one in self._deliveries()}
        for message in self.connection.received():
            if not message.session:
                # A daemon that cannot read our version cannot name a session either.
                for one in by_session.values():
                    one.hear(message, now)
            delivery = by_session.get(message.session)
            if delivery is None:
                continue
            self.active_at = now
            known = delivery.database
            delivery.hear(message, now)
            if delivery.database != known and delivery.database is not None:
                self._pin(delivery, delivery.database)
        self._mind_refusal(now)

    def say(self, now: float) -> bool:
        """Says what is due. True when there may be more to say."""
        if any(one.stale(now) for one in self._deliveries()):
            self.next_endpoint(now)
        connected = self.connection.open() and self.connection.connected
        if connected and not self.connected:
            for delivery in self._deliveries():
                delivery.restart()
        self.connected = connected
        if not connected:
            if len(self.connection.endpoints) > 1 and now - self._tried_at > FAILOVER:
                self.next_endpoint(now)
            return False
        said = self._say_all(now)
        if self.live is not None and self.spare.done:
            self.part(self.spare)
            self.spare.restart()
        return said

    def look_for_unheard(self, look: Callable[[Sequence[tuple[str, int]]], tuple[str, ...]]) -> None:
        """How the loggers are found whose records reach no handler (`Observer.unheard`)."""
        if (observer := self._speaker.observer) is not None:
            observer.unheard = look

    def observe(self, now: float) -> None:
        """One look at what the daemon asked to keep an eye on."""
        if (observer := self._speaker.observer) is not None:
            observer.check(now)

    def close(self) -> None:
        """Nothing is said, heard or looked at any more."""
        if (observer := self._speaker.observer) is not None:
            observer.end()
        self.connection.close()

    def adopt(self, now: float) -> bool:
        """Ships what dead processes left, as far as this connection leads where they meant to go. True when there are
        more of them to speak for than before.
        """
        taken = self.adoptions.taken
        database = self.live.database if self.live is not None and self.live.welcomed else None
        for goodbye in self.adoptions.check(now, self.connection.endpoint, database):
            self.connection.send(goodbye)
        return self.adoptions.taken > taken

    def next_endpoint(self, now: float) -> None:
        """Turns to the next endpoint; everybody says hello there."""
        self._tried_at = now
        self.connected = False
        self.connection.next()
        self.connection.open()
        for delivery in self._deliveries():
            delivery.restart()

    def part(self, delivery: Delivery) -> None:
        """Says goodbye, where somebody hears it."""
        if delivery.welcomed and self.connection.connected:
            self.connection.send(delivery.goodbye(wall()))

    def _say_all(self, now: float) -> bool:
        said = False
        for delivery in self._deliveries():
            message = delivery.next(now, wall())
            if message is None:
                continue
            try:
                said = self.connection.send(message)
            except wire.WireError:
                delivery.shrink()
                continue
            if not said:
                delivery.restart()
            elif not isinstance(message, wire.Heartbeat):
                self.active_at = now
        return said

    def _mind_refusal(self, now: float) -> None:
        """A daemon of another database: the next endpoint."""
        refusal = self.live.refusal if self.live is not None else None
        if refusal is None or refusal.reason != "other_database":
            self.foreign_since = 0.0
            return
        self.foreign_since = self.foreign_since or now
        if refusal is not self._refusal and len(self.connection.endpoints) > 1:
            self.next_endpoint(now)
        self._refusal = refusal

    def _pin(self, delivery: Delivery, database: str) -> None:
        if delivery is self.live:
            self.pin(database)
        self.adoptions.keep(delivery)

    def _deliveries(self) -> list[Delivery]:
        return [*self.own(), *self.adoptions.deliveries()]
