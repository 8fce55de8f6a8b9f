"""One destination in one process: what is taken goes to its session, shared by the handlers that go there.

Takes records in the application's threads: no lock, no exception, no log call, one write. It opens nothing before the
first record, or before the program has settled.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import weakref
from collections.abc import Iterable
from typing import Protocol

from tocsin.handler import process
from tocsin.handler.capture.record import Capture, RecordSummary
from tocsin.handler.capture.scrub import Scrubber
from tocsin.handler.capture.stamp import is_to_be_counted
from tocsin.handler.process import monotonic
from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import DuplicateReference, Header
from tocsin.handler.session import Session, describe, open_spool
from tocsin.handler.settings import Settings, complain
from tocsin.handler.settling import settling
from tocsin.handler.spool.files import Spool
from tocsin.handler.spool.losses import Tally
from tocsin.handler.spool.recent_events import FULL
from tocsin.handler.spool.segments import sessions

RETRY = 1.0
"""Seconds after a failed write before the file is tried again."""
UNANSWERED = 0.05
"""Seconds that a program's end waits for a daemon that does not answer."""
SILENT = 20
"""Sessions in the directory from which on a program that logged nothing ships them at its end."""


class User(Protocol):
    """A handler that goes to a destination."""

    @property
    def in_use(self) -> bool: ...

    def hears(self, name: str, level: int) -> bool: ...


class Destination:
    """Shared by handlers with equal settings. `handle` may be called anywhere, at any time, re-entrantly."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.mark = "\n".join(settings.endpoints)
        """What a record is marked with that has met it."""
        self.handlers: weakref.WeakSet[User] = weakref.WeakSet()
        self.final = False
        """Logging has been shut down: what still comes goes to the file, for whoever adopts it."""
        scrub = Scrubber(settings.scrub)
        self._capture = _capture(settings, scrub, settings.locals, settings.breadcrumbs)
        self._lean = _capture(settings, scrub, "none", 0)
        self._session: Session | None = None
        self._alive = process.flag()
        """1 while a session of this very process takes records and its thread, where it has one, runs."""
        self._failed = Tally()
        """Events that could not even be put into words."""
        self._opening = threading.Lock()
        self._complained: set[str] = set()

    # For handlers

    def handle(self, record: logging.LogRecord, level: int = 0) -> None:
        """Counts the record as one event: in the spool, in memory or as lost when this returns.

        Neither one below the level nor one that has met this daemon before, itself or a copy of it. Never raises.
        """
        try:
            if not is_to_be_counted(record, level, self.mark):
                return
            session = self._session
            if session is None or not self._alive[0]:
                session = self._revived()
                if session is None:
                    self._write_alone(self._capture.summarize(record))
                    return
            quota_level = session.quota.level
            if quota_level == 2 and not session.shipper.ended:
                session.losses.drop()
                return
            summary = self._capture.summarize(record)
            spool = session.spool
            if spool is None or (session.retry_at and monotonic() < session.retry_at):
                session.memory.put(self._capture.payload(summary))
                return
            try:
                self._append(session, spool, summary, quota_level)
            except OSError as error:
                self._put_elsewhere(summary, session, error)
            if session.shipper.asleep:
                session.shipper.wake()
        except Exception:
            self._failed.add()

    def flush(self, seconds: float) -> bool:
        """Waits until all handled so far is acknowledged, at most so long; 50 ms when no daemon answers."""
        return self._session is None or self._session.await_acknowledged(seconds, UNANSWERED)

    def await_delivery(self, seconds: float) -> bool:
        """As `flush`, but gives a daemon that does not answer yet the whole time, and is seen alive by it."""
        self.begin()
        return self._session is None or self._session.await_acknowledged(seconds, seconds)

    @property
    def trouble(self) -> str:
        """What keeps events from being shipped, as far as it is known."""
        return (
            self._session.shipper.work.talk.trouble
            if self._session is not None
            else "no session could be opened"
        )

    @property
    def in_use(self) -> bool:
        """A handler that is open or attached to a logger goes here."""
        try:
            return any(handler.in_use for handler in self.handlers)
        except RuntimeError:  # A handler was made just now.
            return True

    def unheard(self, loggers: Iterable[tuple[str, int]]) -> tuple[str, ...]:
        """Of these loggers (name, level) those whose records reach none of its handlers."""
        try:
            handlers = list(self.handlers)
        except RuntimeError:  # A handler was made just now.
            return ()
        return tuple(
            name for name, level in loggers if not any([handler.hears(name, level) for handler in handlers])
        )

    # Its life

    def await_first_use(self) -> None:
        """A handler is there: begins with its first record, or when the program has settled."""
        if self._session is None or not self._session.mine:
            settling.add(self._has_settled)

    def begin(self) -> None:
        """Opens a session, unless one is open."""
        session = self._session
        if session is not None and session.pid != os.getpid():
            self.after_fork()
        if session is None or not session.mine:
            self._open()

    def finish(self, seconds: float) -> None:
        """Flushes, says goodbye and closes everything. A later `handle` begins a new session."""
        settling.drop(self._has_settled)
        session = self._session
        if session is None or not session.mine:
            return
        if not session.shipper.running:
            # Where no thread runs, this is the moment for all that it would have done.
            session.shipper.drain(seconds, UNANSWERED)
            return
        self.flush(seconds)
        session.shipper.stop()
        process.wait(0.5, lambda: not session.shipper.running)

    def end_unused(self) -> None:
        """At the program's end: one that logged nothing and ended before it settled leaves a word of that in a file.

        The next process ships it; where no process stays for long enough to do so, this one does, for a moment.
        """
        settling.drop(self._has_settled)
        if self._session is not None or self.final or not list(self.handlers):
            return
        spool = self._open_spool(describe(self.settings))
        if spool is None:
            return
        session = Session(self.settings, spool.header, spool, self._alive, self._failed)
        with contextlib.suppress(OSError):
            if len(sessions(spool.directory)) >= SILENT:
                session.shipper.drain(self.settings.flush_timeout, UNANSWERED)
                return
        session.shipper.end_here()

    def after_fork(self) -> None:
        """In a forked child: lets go of the parent's session; its own begins when it logs or has settled."""
        session, self._session = self._session, None
        self._opening = threading.Lock()
        if session is not None and session.pid != os.getpid():
            session.detach()
            settling.add(self._has_settled)

    # Inside

    def _has_settled(self) -> None:
        if self.in_use:
            self.begin()

    def _put_elsewhere(self, summary: RecordSummary, session: Session, error: OSError) -> None:
        """The event whose write failed: into the next session's file, else into memory."""
        if session.shipper.ended or self._session is not session:
            self._write_in_new_session(summary)
            return
        session.retry_at = monotonic() + RETRY
        self._complain(f"the spool {self.settings.spool} cannot be written: {error.strerror}")
        session.memory.put(self._capture.payload(summary))

    def _append(self, session: Session, spool: Spool, summary: RecordSummary, quota_level: int) -> None:
        """The event, or its repetition when its body stands in this segment. Raises OSError."""
        key, now = summary.key, summary.occurred_at
        written = session.recent.page(spool.segment, now)
        count = written.get(key, 0)
        if count >= FULL or (count and quota_level):
            spool.append(wire.encode_record(DuplicateReference(key, now)))
        else:
            capture = self._lean if quota_level else self._capture
            spool.append(capture.payload(summary))
            written[key] = count + 1

    def _write_in_new_session(self, summary: RecordSummary) -> None:
        """The session has just ended.

        A new one, or where another thread is at that, one for this event alone.
        """
        self._open()
        session = self._session
        if session is not None and session.spool is not None and session.mine:
            self._append(session, session.spool, summary, 0)
        else:
            self._write_alone(summary)

    def _write_alone(self, summary: RecordSummary) -> None:
        """A session for this event only: another thread, or this one beneath us, is just opening the next one."""
        spool = self._open_spool(describe(self.settings))
        if spool is not None:
            spool.append(self._capture.payload(summary))
            spool.stop()
            spool.detach()
        elif self._session is not None:
            self._session.memory.put(self._capture.payload(summary))
        else:
            self._failed.add()

    def _revived(self) -> Session | None:
        """The session, after whatever befell it: a fork, its end, the loss of its thread; or the first one.

        None while it is being opened.
        """
        session = self._session
        if session is not None and session.pid != os.getpid():
            self.after_fork()  # One that ran no hook of Python's.
            session = None
        if session is None or session.shipper.ended:
            self._open()
        elif monotonic() >= session.restart_at:
            session.restart_at = monotonic() + RETRY
            self._start(session)
        return self._session

    def _open(self) -> None:
        """A new session. Whoever finds another thread at it goes on with what there is."""
        if not self._opening.acquire(blocking=False):
            return
        try:
            settling.drop(self._has_settled)
            header = describe(self.settings)
            session = Session(self.settings, header, self._open_spool(header), self._alive, self._failed)
            session.shipper.work.in_use = lambda: self.in_use
            session.shipper.work.talk.look_for_unheard(self.unheard)
            session.shipper.renew = self.begin
            self._session = session
            self._start(session)
        finally:
            self._opening.release()

    def _start(self, session: Session) -> None:
        """Its thread, where one may run; where none may, the file is written all the same."""
        if self.final or not process.threads_run():
            self._alive[0] = 1
            session.quota.measure(0, monotonic())
            return
        with contextlib.suppress(RuntimeError):
            session.shipper.start()

    def _open_spool(self, header: Header) -> Spool | None:
        opened = open_spool(self.settings, header)
        if isinstance(opened, str):
            self._complain(f"errors are kept in memory only: {opened}")
            return None
        return opened

    def _complain(self, text: str) -> None:
        if text not in self._complained and len(self._complained) < 10:
            self._complained.add(text)
            complain(text)


def _capture(settings: Settings, scrub: Scrubber, shown: str, breadcrumbs: int) -> Capture:
    return Capture(
        locals="none" if shown == "none" else "in_app",
        in_app=settings.in_app,
        not_in_app=settings.not_in_app,
        scrub=scrub,
        client=settings.client,
        breadcrumbs=breadcrumbs,
    )
