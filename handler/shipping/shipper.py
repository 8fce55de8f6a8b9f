"""The shipping thread: it alone owns the socket, the reading of the spool and its rotation. It logs nothing.

Nothing here is needed for safety: what it has not shipped stays in the files, for it or for whoever adopts
them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable

from tocsin.handler.process import LOADED, Flag, monotonic, start_thread, wait
from tocsin.handler.protocol.event import Header
from tocsin.handler.running.monitor import monitor
from tocsin.handler.settings import Settings, complain
from tocsin.handler.shipping.adoption import Adoptions, places_of
from tocsin.handler.shipping.connection import Connection
from tocsin.handler.shipping.delivery import Delivery
from tocsin.handler.shipping.observer import Observer
from tocsin.handler.shipping.talk import Talk
from tocsin.handler.shipping.upkeep import NoFiles, Upkeep
from tocsin.handler.shipping.waker import Waker
from tocsin.handler.spool.files import Spool
from tocsin.handler.spool.losses import Losses
from tocsin.handler.spool.memory import Memory
from tocsin.handler.spool.quota import Quota
from tocsin.handler.spool.stream import Stream

ACTIVE = 0.05
"""Seconds between two looks at the spool while something happens."""
IDLE = 0.25
CALM = 3.0
"""The same where nothing but a record or an answer is expected, which end the wait; a dead process's files do not."""
REPORT = 5.0
"""Seconds between two reports of what only memory counts."""
RENEW = 60.0
"""Seconds of refusal by other databases than its own after which a session is ended for a new one."""
UNUSED = 5.0
"""Seconds without a handler after which the session ends."""


class Work:
    """One session's shipping as turns: each looks at everything once. Whose thread takes them is not known here."""

    def __init__(
        self,
        settings: Settings,
        header: Header,
        spool: Spool | None,
        memory: Memory,
        quota: Quota,
        losses: Losses,
    ) -> None:
        self.over = self.renewing = False
        """The session is to end; another one is to follow it."""
        self.in_use: Callable[[], bool] = lambda: True
        """Whether anybody still uses the destination."""
        self.spool = spool
        self._memory = memory
        self._losses = losses
        directory = spool.directory if spool is not None else settings.spool
        self._stream = (
            Stream(directory, header.session, places_of(header, live=True), spool=spool) if spool else None
        )
        observer = Observer(header.interval)
        live = (
            Delivery(self._stream, header, live=True, observer=observer, began=LOADED)
            if self._stream
            else None
        )
        self._upkeep = (
            Upkeep(spool, self._stream, live, quota)
            if spool and self._stream and live
            else NoFiles(directory, memory)
        )
        self.talk = Talk(
            Connection(settings.endpoints, settings.server_key, settings.key),
            live,
            Delivery(
                memory, memory.header or header, live=True, observer=None if live else observer, began=LOADED
            ),
            Adoptions(directory, header),
        )
        self.talk.pin = self._pin
        self._owner = os.geteuid()
        self._used_at = monotonic()
        self._reported_at = 0.0

    def turn(self, now: float) -> bool:
        """One look at everything; True when there is more to do at once."""
        if not self._upkeep.check(now):
            self.over = self.renewing = True
        if self.in_use():
            self._used_at = now
        elif now - self._used_at > UNUSED and self.talk.done:
            self.over = True
        if os.geteuid() != self._owner:
            self.over = self.renewing = True  # What the new user may write is another directory.
        if now - self._reported_at >= REPORT:
            self._reported_at = now
            self.report()
        self.talk.hear(now)
        self.talk.observe(now)
        if self.talk.foreign_since and now - self.talk.foreign_since > RENEW:
            self.over = self.renewing = True
        busy = self.talk.say(now)
        return self.talk.adopt(now) or busy

    @property
    def calm(self) -> bool:
        """Nothing is due, now or by itself: only a record, an answer or another process's death brings work."""
        return self._upkeep.calm and self.talk.calm and self.in_use()

    def report(self) -> None:
        """Puts counts of lost events where they are shipped from."""
        for reason, count in self._losses.report():
            self._memory.lose(reason, count)

    def end(self) -> None:
        """Goodbye, and no file stays when all is acknowledged.

        Without a daemon everything stays for adoption.
        """
        talk = self.talk
        try:
            if self.spool is not None and self._stream is not None and talk.live is not None:
                self._losses.park()
                self.spool.stop()
                sealed = self.spool.sealed(self._stream.files.segments[-1])
                talk.part(talk.live)
                drained = talk.live.done and sealed and not self._losses.unreported()
                if drained:
                    self._stream.delete()
                self._stream.close()
                self.spool.claim.release(remove=drained)
            if talk.spare.welcomed:
                talk.part(talk.spare)
            talk.adoptions.give_back()
        finally:
            talk.close()

    def detach(self) -> None:
        """In a forked child: closes what is the parent's."""
        if self._stream is not None:
            self._stream.close()
        self._losses.park()
        self.talk.adoptions.detach()
        monitor.detach()

    def _pin(self, database: str) -> None:
        if self.spool is not None:
            with contextlib.suppress(OSError):
                self.spool.pin(database)


class Shipper:
    """The thread that takes a session's turns, and what other threads may ask of it."""

    def __init__(self, work: Work, alive: Flag, pause: float) -> None:
        """`alive` is set while the thread runs; `pause`: seconds that it waits at most between two turns."""
        self.work = work
        self.running = False
        self.ended = False
        """The session is over; its spool takes no more writes."""
        self.asleep = False
        """The thread does not look by itself for a while: whoever has written a record wakes it."""
        self.renew: Callable[[], None] = lambda: None
        """Begins the destination's next session, when this one can be shipped nowhere any more."""
        self._alive = alive
        self._pause = pause
        self._waker: Waker | None = None
        self._asked = self._answered = 0
        self._stopping = False
        self._faults = 0

    # For any thread

    def start(self) -> None:
        """Starts the thread, unless it runs. Raises RuntimeError where none can be started any more."""
        if self.running:
            return
        self.running = True
        try:
            if self._waker is None:
                with contextlib.suppress(OSError):
                    self._waker = Waker()
            self._alive[0] = 1
            start_thread(self._main)
        except BaseException:
            self.running = False
            self._alive[0] = 0
            raise

    def ask(self) -> int:
        """A ticket for `settled`; wakes the thread."""
        self._asked += 1
        if self._waker is not None:
            self._waker.wake()
        return self._asked

    def wake(self) -> None:
        """A record has been written while the thread was asleep."""
        self.asleep = False
        if (waker := self._waker) is not None:
            waker.wake()

    def settled(self, ticket: int) -> bool:
        """Everything written before the ticket was drawn is acknowledged."""
        return self._answered >= ticket

    def stop(self) -> None:
        """Asks the thread to say goodbye and end."""
        self._stopping = True
        self.ask()

    def drain(self, seconds: float, unanswered: float) -> None:
        """Without a thread: ships in the calling one, at most so long, `unanswered` where no daemon answers; ends."""
        begun = monotonic()

        def over() -> bool:
            self._step()
            late = monotonic() - begun >= unanswered and not self.work.talk.answering
            return late or (self.work.talk.done and not self.work.talk.adoptions.deliveries())

        self.ask()
        wait(seconds, over)
        self.end_here()

    def end_here(self) -> None:
        """Ends the session in the calling thread, as it is: what is not acknowledged stays for adoption."""
        self.ended = True
        self._alive[0] = 0
        self.work.end()

    def detach(self) -> None:
        """In a forked child: closes what is the parent's; its thread does not exist here."""
        self.running = False
        self.work.detach()
        self._still()

    # The thread

    def _main(self) -> None:
        try:
            while not self._stopping and not self.work.over:
                busy = self._step()
                if not self._stopping and not self.work.over:
                    self._wait(0 if busy else self._patience())
            self.work.report()
            self.ended = True
            self._alive[0] = 0
            self.work.end()
        finally:
            self._alive[0] = 0
            self._still()
            self.running = False
        if self.work.renewing:
            self.renew()

    def _step(self) -> bool:
        """One turn. The thread must not die of a bad one: what it has to ship is still in the files."""
        asked = self._asked
        try:
            if asked != self._answered:
                self.work.report()
            busy = self.work.turn(monotonic())
        except Exception as error:
            self._faults += 1
            if self._faults == 1:
                complain(f"shipping goes on after {error!r}")
            self.work.talk.next_endpoint(monotonic())
            self.work.talk.connection.wait(min(self._faults, 30), -1)
            return False
        if not busy and self.work.talk.done:
            self._answered = asked
        return busy

    def _patience(self) -> float:
        if monotonic() - self.work.talk.active_at < 1.0:
            return min(ACTIVE, self._pause)
        if self._waker is None or self._waker.fd < 0 or not self.work.calm:
            return min(IDLE, self._pause)
        self.asleep = True
        # Once more: who wrote a record before it could be seen that we sleep has not woken us.
        return min(CALM if self.work.calm else 0, self._pause)

    def _wait(self, seconds: float) -> None:
        wake = self._waker.fd if self._waker is not None else -1
        self.work.talk.connection.wait(seconds, wake, connecting=not self.work.talk.connected)
        self.asleep = False
        if self._waker is not None:
            self._waker.clear()

    def _still(self) -> None:
        waker, self._waker = self._waker, None
        if waker is not None:
            waker.close()
