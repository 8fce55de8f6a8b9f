"""One destination in one process: its session, spool, memory and thread, shared by the handlers that go
there.

Takes records in the application's threads: no lock, no exception, no log call, one write.
"""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import socket
import sys
import threading
import time
import uuid
import weakref

from tocsin.handler.capture.record import Capture, RecordSummary
from tocsin.handler.capture.scrub import Scrubber
from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import DuplicateReference, Header
from tocsin.handler.settings import Settings, complain
from tocsin.handler.shipping.adoption import places_of
from tocsin.handler.shipping.connection import is_key
from tocsin.handler.shipping.shipper import Shipper
from tocsin.handler.spool.descriptors import ReservedDescriptor
from tocsin.handler.spool.files import Spool, Unusable
from tocsin.handler.spool.memory import Memory
from tocsin.handler.spool.recent_events import FULL, RecentEvents

BEGAN = time.time()
"""When this program's code began to be loaded; a forked child runs its parent's code."""
_PYTHON = platform.python_version()
RETRY = 1.0
"""Seconds after a failed write before the file is tried again."""
UNANSWERED = 0.05
"""Seconds that a program's end waits for a daemon that does not answer."""


class Destination:
    """Shared by handlers with equal settings. `take` may be called anywhere, at any time, re-entrantly."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.endpoints = settings.endpoints
        self.handlers: weakref.WeakSet[logging.Handler] = weakref.WeakSet()
        scrub = Scrubber(settings.scrub)
        self._capture = _capture(settings, scrub, settings.locals)
        self._lean = _capture(settings, scrub, "none")
        self._recent = RecentEvents()
        self._pid = -1
        self._spool: Spool | None = None
        self._memory: Memory
        self._shipper: Shipper | None = None
        self._sync = settings.durability == "fsync"
        self._retry_at = self._restart_at = 0.0
        self._opening = threading.Lock()
        self._complained: set[str] = set()

    # For handlers

    def take(self, record: logging.LogRecord) -> None:
        """Counts the record as one event: in the spool, in memory or as lost when this returns.

        Never raises.
        """
        try:
            shipper = self._shipper
            # A forked child finds it not running: `after_fork` has seen to that.
            if shipper is None or not shipper.running:
                shipper = self._revived()
            quota_level = shipper.quota_level
            if quota_level == 2 and not shipper.ended:
                shipper.count_dropped()
                return
            summary = self._capture.summarize(record)
            spool = self._spool
            if spool is None or (self._retry_at and time.monotonic() < self._retry_at):
                self._memory.put(self._capture.payload(summary))
                return
            try:
                self._append(spool, summary, quota_level)
            except OSError as error:
                self._put_elsewhere(summary, shipper, error)
        except Exception:
            if self._shipper is not None:
                self._shipper.failed.add()

    def flush(self, seconds: float) -> bool:
        """Waits until all taken so far is acknowledged, at most so long; 50 ms when no daemon answers."""
        return self._settled(seconds, UNANSWERED)

    def await_delivery(self, seconds: float) -> bool:
        """As `flush`, but gives a daemon that does not answer yet the whole time."""
        return self._settled(seconds, seconds)

    @property
    def trouble(self) -> str:
        """What keeps events from being shipped, as far as it is known."""
        return self._shipper.trouble if self._shipper is not None else "no session could be opened"

    def finish(self, seconds: float) -> None:
        """Flushes, says goodbye and closes everything. A later `take` begins a new session."""
        shipper = self._shipper
        if shipper is None or not shipper.running or self._pid != os.getpid():
            return
        self.flush(seconds)
        shipper.stop()
        deadline = time.monotonic() + 0.5
        while shipper.running and time.monotonic() < deadline:
            time.sleep(0.002)

    def begin(self) -> None:
        """Opens a session, unless one is open."""
        if self._shipper is None or self._shipper.ended or self._pid != os.getpid():
            self._open()

    def after_fork(self) -> None:
        """In a forked child: lets go of the parent's session and begins one of its own, at once."""
        spool, shipper = self._spool, self._shipper
        if shipper is None or self._pid == os.getpid():
            return
        self._opening = threading.Lock()
        descriptor = None
        with contextlib.suppress(Exception):
            shipper.detach()
            if spool is not None:
                descriptor = None if spool.stopped else spool.descriptor
                spool.detach()
        self._open(descriptor)

    # Inside

    def _settled(self, seconds: float, unanswered: float) -> bool:
        shipper = self._shipper
        if shipper is None or not shipper.running or self._pid != os.getpid():
            return False
        ticket = shipper.ask()
        begun = time.monotonic()
        while not shipper.settled(ticket):
            waited = time.monotonic() - begun
            if not shipper.running or waited >= seconds or (waited >= unanswered and not shipper.answering):
                return False
            time.sleep(0.002)
        return True

    def _put_elsewhere(self, summary: RecordSummary, shipper: Shipper, error: OSError) -> None:
        """The event whose write failed: into the next session's file, else into memory."""
        if shipper.ended:
            self._write_in_new_session(summary)
            return
        self._retry_at = time.monotonic() + RETRY
        self._complain(f"the spool {self.settings.spool} cannot be written: {error.strerror}")
        self._memory.put(self._capture.payload(summary))

    def _append(self, spool: Spool, summary: RecordSummary, quota_level: int) -> None:
        """The event, or its repetition when its body stands in this segment. Raises OSError."""
        key, now = summary.key, summary.occurred_at
        told = self._recent.page(spool.segment, now)
        count = told.get(key, 0)
        if count >= FULL or (count and quota_level):
            spool.append(wire.encode_record(DuplicateReference(key, now)), self._sync)
        else:
            capture = self._lean if quota_level else self._capture
            spool.append(capture.payload(summary), self._sync)
            told[key] = count + 1

    def _write_in_new_session(self, summary: RecordSummary) -> None:
        """The session has just ended.

        A new one, or where another thread is at that, one for this event alone.
        """
        self._open()
        spool, shipper = self._spool, self._shipper
        if spool is not None and shipper is not None and not shipper.ended:
            self._append(spool, summary, 0)
            return
        alone = self._open_spool(describe(self.settings), None)
        payload = self._capture.payload(summary)
        if alone is None:
            self._memory.put(payload)
            return
        alone.append(payload, self._sync)
        alone.stop()
        alone.detach()

    def _revived(self) -> Shipper:
        """The shipper, after whatever befell it: a fork, its session's end, the loss of its thread."""
        if self._shipper is not None and self._pid != os.getpid():
            self.after_fork()
        elif self._shipper is None or self._shipper.ended:
            self._open()
        elif time.monotonic() >= self._restart_at:
            self._restart_at = time.monotonic() + RETRY
            with contextlib.suppress(RuntimeError, OSError):
                self._shipper.start()
        if self._shipper is None:
            raise RuntimeError("there is no session yet")
        return self._shipper

    def _open(self, descriptor: ReservedDescriptor | None = None) -> None:
        """A new session. Whoever finds another thread at it goes on with what there is."""
        if not self._opening.acquire(blocking=False):
            return
        try:
            header = describe(self.settings)
            spool = self._open_spool(header, descriptor)
            spare = header if spool is None else describe(self.settings)
            memory = Memory(spare, places_of(spare, live=True))
            shipper = Shipper(self.settings, header, spool, memory)
            shipper.users = lambda: bool(self.handlers)
            shipper.renew = self.begin
            self._recent = RecentEvents()
            self._spool, self._memory, self._shipper = spool, memory, shipper
            self._pid, self._retry_at = os.getpid(), 0.0
            with contextlib.suppress(RuntimeError):
                shipper.start()
        finally:
            self._opening.release()

    def _open_spool(self, header: Header, descriptor: ReservedDescriptor | None) -> Spool | None:
        try:
            return Spool(self.settings.spool, header, descriptor)
        except Unusable as error:
            self._complain(f"errors are kept in memory only: {error}")
        except OSError as error:
            self._complain(f"errors are kept in memory only: {self.settings.spool}: {error.strerror}")
        return None

    def _complain(self, text: str) -> None:
        if text not in self._complained and len(self._complained) < 10:
            self._complained.add(text)
            complain(text)


def _capture(settings: Settings, scrub: Scrubber, shown: str) -> Capture:
    return Capture(
        locals="none" if shown == "none" else "in_app",
        in_app=settings.in_app,
        not_in_app=settings.not_in_app,
        scrub=scrub,
        client=settings.client,
    )


def describe(settings: Settings) -> Header:
    """The header of a new session of this process."""
    return Header(
        version=wire.VERSION,
        session=uuid.uuid4().hex,
        segment=0,
        service=settings.service,
        release=settings.release,
        environment=settings.environment,
        host=socket.gethostname(),
        pid=os.getpid(),
        python=_PYTHON,
        started_at=BEGAN,
        written_at=time.time(),
        interval=settings.heartbeat,
        endpoints=settings.endpoints,
        server_key=settings.server_key,
        # A secret key itself is neither written to disk nor sent; who adopts the file has one of its own.
        key_file=None if settings.key is None or is_key(settings.key) else settings.key,
        in_app=settings.in_app,
        not_in_app=settings.not_in_app,
        # At the very end of a program the interpreter has taken sys.path away.
        sys_path=tuple(entry for entry in sys.path or () if isinstance(entry, str))[:100],
        scrub=settings.scrub,
    )
