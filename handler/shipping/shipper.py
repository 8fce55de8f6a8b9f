"""The shipping thread: it alone owns the socket, the reading of the spool and its rotation. It logs nothing.

Nothing here is needed for safety: what it has not shipped stays in the files, for it or for whoever adopts
them.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import Header, Lost
from tocsin.handler.settings import Settings, complain
from tocsin.handler.shipping.adoption import Adopted, adopt, places_of
from tocsin.handler.shipping.connection import Connection
from tocsin.handler.shipping.delivery import Delivery
from tocsin.handler.spool.descriptors import ReservedDescriptor
from tocsin.handler.spool.files import Spool, Unusable, prepare, size, sweep
from tocsin.handler.spool.memory import Memory, Tally
from tocsin.handler.spool.stream import Stream

SEGMENT_BYTES = 4 * 1024 * 1024
ACTIVE = 0.05
"""Seconds between two looks at the spool while something happens."""
IDLE = 0.25
LOOK_AROUND = 1.0
"""Seconds between two looks for dead processes' files and at the size of the directory."""
REPORT = 5.0
"""Seconds between two reports of what only memory counts."""
ADOPTED_AT_ONCE = 4
"""Dead processes' sessions shipped side by side: the daemon answers many in one transaction."""
FAILOVER = 3.0
"""Seconds an endpoint has to answer before the next one is tried."""
LATER = 30.0
"""Seconds after which a session that was refused is tried again."""
RENEW = 60.0
"""Seconds of refusal by other databases than its own after which a session is ended for a new one."""
UNUSED = 5.0
"""Seconds without a handler after which the session ends."""
REPAIR = 1.0
"""Seconds between two tries to write again after a failure; doubles up to a minute."""
TIDY = 30.0
"""Seconds of quiet after which an acknowledged segment makes room for a fresh one."""


class Shipper:
    """Ships one channel's session, what its memory holds, and dead processes' sessions of the same
    destination.
    """

    def __init__(self, settings: Settings, header: Header, spool: Spool | None, memory: Memory) -> None:
        self.running = False
        self.ended = False
        """The session is over; its spool takes no more writes."""
        self.quota_level = 0
        """0: room; 1: the directory is full, bodies collapse to counts; 2: events are only counted."""
        self.full = Tally()
        """Events that were only counted because the directory is full."""
        self.failed = Tally()
        """Events that could not even be put into words."""
        self.users: Callable[[], bool] = lambda: True
        """Whether anybody still uses the channel."""
        self.renew: Callable[[], None] = lambda: None
        """Begins the channel's next session, when this one can be shipped nowhere any more."""
        self._settings = settings
        self._header = header
        self._spool = spool
        self._memory = memory
        self._places = places_of(header, live=True)
        self._stream = Stream(settings.spool, header.session, self._places, spool=spool) if spool else None
        self._live = Delivery(self._stream, header, live=True) if self._stream else None
        self._spare = Delivery(memory, memory.header or header, live=True)
        self._adopted: list[Adopted] = []
        self._connection = Connection(settings.endpoints, settings.server_key, settings.key)
        self._wake: ReservedDescriptor | None = None
        self._asked = self._answered = 0
        self._stopping = self._renewing = False
        self._faults = 0
        self._repair_at, self._repair_after = 0.0, REPAIR
        self._used_at = self._begun_at = time.monotonic()
        self._foreign_at = 0.0
        self._connected = False
        self._passed: dict[str, float] = {}
        self._around_at = self._reported_at = self._measured_at = 0.0
        self._others = 0
        self._tried_at = 0.0
        self._active_at = self._quiet_at = 0.0

    # For any thread

    def start(self) -> None:
        """Starts the thread. Raises RuntimeError where none can be started any more."""
        self.running = True
        try:
            if self._wake is None:
                with contextlib.suppress(OSError):
                    wake = ReservedDescriptor()
                    wake.point(os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK))
                    self._wake = wake
            _start(self._main)
        except BaseException:
            self.running = False
            raise

    @property
    def answering(self) -> bool:
        """A daemon is there and does not keep us waiting; its welcome may still be on the way."""
        now = time.monotonic()
        own = self._own()
        return self._connected and any((one.welcomed or one.waiting) and not one.overdue(now) for one in own)

    @property
    def trouble(self) -> str:
        """Why nothing is shipped, as far as it is known."""
        refusal = next((one.refused for one in self._deliveries() if one.refused), None)
        if refusal is not None:
            return refusal.text
        return self._connection.trouble or f"no daemon answers at {', '.join(self._settings.endpoints)}"

    def ask(self) -> int:
        """A ticket for `settled`; wakes the thread."""
        self._asked += 1
        if self._wake is not None:
            with contextlib.suppress(OSError):
                os.write(self._wake.fd, b"\1\0\0\0\0\0\0\0")
        return self._asked

    def settled(self, ticket: int) -> bool:
        """Everything written before the ticket was drawn is acknowledged."""
        return self._answered >= ticket

    def count_dropped(self) -> None:
        """Counts an event that there is no room for: in its file, else in memory."""
        try:
            if self._spool is not None and self._spool.dropped_counter is not None:
                self._spool.dropped_counter.add()
                return
        except OSError:
            pass
        self.full.add()

    def stop(self) -> None:
        """Asks the thread to say goodbye and end."""
        self._stopping = True
        self.ask()

    def detach(self) -> None:
        """In a forked child: closes what is the parent's; its thread does not exist here."""
        self.running = False
        if self._stream is not None:
            self._stream.close()
        for adopted in self._adopted:
            adopted.detach()
        self._still()

    # The thread

    def _main(self) -> None:
        try:
            while not self._stopping:
                try:
                    busy = self._turn(time.monotonic())
                except Exception as error:
                    # The thread must not die of one bad turn: what it has to ship is still in the files.
                    self._faults += 1
                    if self._faults == 1:
                        complain(f"shipping goes on after {error!r}")
                    self._next_endpoint(time.monotonic())
                    self._connection.wait(min(self._faults, 30), -1)
                    continue
                self._wait(0 if busy else self._pause())
            self._end()
        finally:
            self.ended = self._stopping
            self._still()
            self.running = False
        if self._renewing:
            self.renew()

    def _pause(self) -> float:
        recently = time.monotonic() - self._active_at < 1.0
        return min(ACTIVE if recently else IDLE, self._settings.heartbeat / 2)

    def _wait(self, seconds: float) -> None:
        wake = self._wake.fd if self._wake is not None else -1
        self._connection.wait(seconds, wake, connecting=not self._connected)
        if wake >= 0:
            with contextlib.suppress(OSError):
                os.read(wake, 8)

    def _still(self) -> None:
        wake, self._wake = self._wake, None
        if wake is not None:
            with contextlib.suppress(OSError):
                wake.park()

    def _turn(self, now: float) -> bool:
        """One look at everything; True when there is more to do at once."""
        asked = self._asked
        if asked != self._answered:
            self._report()
        self._run_maintenance(now)
        self._hear(now)
        busy = self._talk(now)
        if not busy and all(one.done for one in self._own()):
            self._answered = asked
        self._mind_adopted(now)
        return busy

    def _hear(self, now: float) -> None:
        by_session = {one.source.session: one for one in self._deliveries()}
        for message in self._connection.received():
            if not message.session:
                # A daemon that cannot read our version cannot name a session either.
                for one in by_session.values():
                    one.hear(message, now)
            delivery = by_session.get(message.session)
            if delivery is None:
                continue
            self._active_at = now
            known = delivery.database
            delivery.hear(message, now)
            if delivery.database != known and delivery.database is not None:
                self._pin(delivery)
            if delivery is self._live:
                self._mind_refusal(delivery, now)

    def _mind_refusal(self, delivery: Delivery, now: float) -> None:
        """A daemon of another database: the next endpoint.

        If all are such for long, a session that may go there.
        """
        if delivery.refusal is None or delivery.refusal.reason != "other_database":
            self._foreign_at = 0.0
            return
        self._foreign_at = self._foreign_at or now
        if now - self._foreign_at > RENEW:
            self._stopping = self._renewing = True
        elif len(self._settings.endpoints) > 1:
            self._next_endpoint(now)

    def _pin(self, delivery: Delivery) -> None:
        if delivery is self._live and self._spool is not None and delivery.database is not None:
            with contextlib.suppress(OSError):
                self._spool.pin(delivery.database)
        for adopted in self._adopted:
            if delivery is adopted.delivery:
                adopted.keep()

    def _talk(self, now: float) -> bool:
        """Says what is due. True when there may be more to say."""
        if any(one.stale(now) for one in self._deliveries()):
            self._next_endpoint(now)
        connected = self._connection.open() and self._connection.connected
        if connected and not self._connected:
            for delivery in self._deliveries():
                delivery.restart()
        self._connected = connected
        if not connected:
            if len(self._settings.endpoints) > 1 and now - self._tried_at > FAILOVER:
                self._next_endpoint(now)
            return False
        said = False
        for delivery in self._deliveries():
            message = delivery.next(now, time.time())
            if message is None:
                continue
            try:
                said = self._connection.send(message)
            except wire.WireError:
                delivery.shrink()
                continue
            if not said:
                delivery.restart()
            elif not isinstance(message, wire.Heartbeat):
                self._active_at = now
        if self._live is not None and self._spare.done:
            self._part(self._spare)
            self._spare.restart()
        return said

    def _next_endpoint(self, now: float) -> None:
        self._tried_at = now
        self._connected = False
        self._connection.next()
        self._connection.open()
        for delivery in self._deliveries():
            delivery.restart()

    def _own(self) -> Iterator[Delivery]:
        if self._live is not None:
            yield self._live
        if self._live is None or len(self._memory) or self._spare.waiting:
            yield self._spare

    def _deliveries(self) -> list[Delivery]:
        return [*self._own(), *(adopted.delivery for adopted in self._adopted)]

    # Adoption

    def _mind_adopted(self, now: float) -> None:
        for adopted in list(self._adopted):
            if adopted.delivery.refused is not None:
                self._passed[adopted.session] = now + LATER
                adopted.leave()
                self._adopted.remove(adopted)
            elif adopted.delivery.done:
                self._connection.send(adopted.delivery.goodbye(time.time()))
                adopted.finish()
                self._adopted.remove(adopted)
                self._around_at = 0.0
        if len(self._adopted) < ADOPTED_AT_ONCE and now - self._around_at >= LOOK_AROUND:
            self._around_at = now
            self._passed = {session: until for session, until in self._passed.items() if until > now}
            with contextlib.suppress(OSError):
                sweep(self._settings.spool)
                self._adopt_more()

    def _adopt_more(self) -> None:
        while len(self._adopted) < ADOPTED_AT_ONCE:
            found = adopt(self._settings.spool, wanted=self._same, passed=self._passed)
            if found is None:
                return
            self._adopted.append(found)

    def _same(self, header: Header) -> bool:
        mine = self._header
        return (header.endpoints, header.server_key, header.key_file) == (
            mine.endpoints,
            mine.server_key,
            mine.key_file,
        )

    # The spool

    def _run_maintenance(self, now: float) -> None:
        """Rotation, the directory's cap, and what only memory counts. Nothing here may stop the shipping."""
        spool, stream = self._spool, self._stream
        if spool is not None and stream is not None:
            if self._crowded(stream.newest_size(), now):
                with contextlib.suppress(OSError):
                    spool.rotate(time.time())
            if self._live is not None:
                self._live.tidy()
            quota_level = self._measure(stream.held(), now)
            if quota_level:
                with contextlib.suppress(OSError):
                    spool.open_dropped_counter()
            self.quota_level = quota_level
            if spool.failed_writes and now >= self._repair_at:
                self._repair(spool, now)
        elif now - self._begun_at > LATER and not len(self._memory):
            # Nothing waits in memory: the moment to see whether the spool can be used by now.
            self._begun_at = now
            with contextlib.suppress(Unusable):
                prepare(self._settings.spool)
                self._stopping = self._renewing = True
        if self.users():
            self._used_at = now
        elif now - self._used_at > UNUSED and all(one.done for one in self._own()):
            self._stopping = True
        if now - self._reported_at >= REPORT:
            self._reported_at = now
            self._report()

    def _crowded(self, written: int, now: float) -> bool:
        """Whether a fresh segment is due.

        This one is large, or all of it is acknowledged and only takes room.
        """
        if written >= min(SEGMENT_BYTES, self._settings.spool_limit // 8):
            return True
        quiet = self._settled_for(now)
        return (
            quiet > (1.0 if self.quota_level else TIDY) and written > (8 if self.quota_level else 64) * 1024
        )

    def _repair(self, spool: Spool, now: float) -> None:
        """After failed writes: the file's own word on them as soon as it can be written, or a fresh file."""
        try:
            spool.record_failed_writes()
            self._repair_after = REPAIR
            return
        except OSError:
            self._repair_at = now + self._repair_after
            self._repair_after = min(self._repair_after * 2, 60.0)
        with contextlib.suppress(OSError):
            spool.rotate(time.time())
            spool.record_failed_writes()

    def _measure(self, own: int, now: float) -> int:
        """How pressed for room the directory is; others' files are looked at now and then."""
        if now - self._measured_at >= LOOK_AROUND:
            self._measured_at = now
            self._others = max(size(self._settings.spool) - own, 0)
        used, limit = self._others + own, self._settings.spool_limit
        return 0 if used < limit else 1 if used < limit * 5 // 4 else 2

    def _settled_for(self, now: float) -> float:
        live = self._live
        if live is None or live.waiting or live.backlog:
            self._quiet_at = now
        return now - self._quiet_at

    def _report(self) -> None:
        """Puts counts of lost events where they are shipped from."""
        if self._spool is not None:
            with contextlib.suppress(OSError):
                self._spool.report_dropped()
        tallies = (("spool_full", self.full), ("unwritable", self._memory.overflow), ("failed", self.failed))
        for reason, tally in tallies:
            if not (count := tally.take()):
                continue
            try:
                if self._spool is None:
                    raise OSError
                self._spool.note(wire.encode_record(Lost(reason, count)))
            except OSError:
                self._memory.lose(reason, count)

    # The end

    def _end(self) -> None:
        """Goodbye, and no file stays when all is acknowledged.

        Without a daemon everything stays for adoption.
        """
        self._report()
        self.ended = True
        spool, stream = self._spool, self._stream
        try:
            if spool is not None and stream is not None and self._live is not None:
                spool.stop()
                sealed = spool.sealed(stream.segments[-1])
                self._part(self._live)
                drained = self._live.done and sealed and not spool.untold()
                if drained:
                    stream.delete()
                stream.close()
                spool.claim.release(remove=drained)
            if self._spare.welcomed:
                self._part(self._spare)
            for adopted in self._adopted:
                adopted.leave()
        finally:
            self._connection.close()

    def _part(self, delivery: Delivery) -> None:
        if delivery.welcomed and self._connection.connected:
            self._connection.send(delivery.goodbye(time.time()))


def _start(main: Callable[[], None]) -> None:
    """A real thread, also where gevent has replaced the module's: a poll there would stop its hub.

    `threading.Thread.start` waits for the new thread to run, which may be never while the interpreter ends.
    """
    if sys.is_finalizing():
        raise RuntimeError("the interpreter is ending")
    monkey: Any = sys.modules.get("gevent.monkey")
    start: Callable[..., object] = _thread.start_new_thread
    if monkey is not None and monkey.is_module_patched("_thread"):
        start = monkey.get_original("_thread", "start_new_thread")
    start(main, ())
