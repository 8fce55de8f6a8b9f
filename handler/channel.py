"""One destination in one process: its session, spool, memory and thread, shared by the handlers that go there.

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

from tocsin.handler import wire
from tocsin.handler.adopt import places_of
from tocsin.handler.event import Event, Header
from tocsin.handler.memory import Memory
from tocsin.handler.settings import Settings, complain
from tocsin.handler.ship import Shipper
from tocsin.handler.spool import Slot, Spool, Unusable

BEGAN = time.time()
"""When this program's code began to be loaded; a forked child runs its parent's code."""
RETRY = 1.0
"""Seconds after a failed write before the file is tried again."""
UNANSWERED = 0.05
"""Seconds that a program's end waits for a daemon that does not answer."""


class Channel:
    """Shared by handlers with equal settings. `take` may be called anywhere, at any time, re-entrantly."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.handlers: weakref.WeakSet[logging.Handler] = weakref.WeakSet()
        self.session = ""
        self._pid = -1
        self._spool: Spool | None = None
        self._memory: Memory | None = None
        self._shipper: Shipper | None = None
        self._sync = settings.durability == "fsync"
        self._retry_at = 0.0
        self._opening = threading.Lock()
        self._complained = False

    # For handlers

    def take(self, record: logging.LogRecord) -> None:
        """Counts the record as one event. When this returns it is in the spool, or in memory, or counted as lost."""
        shipper = self._shipper
        if shipper is None or not shipper.running or self._pid != os.getpid():
            self._open()
            shipper = self._shipper
            if shipper is None:
                return
        if shipper.pressure == 2:
            shipper.full.add()
            return
        try:
            payload = wire.encode_record(plain(record))
        except Exception:
            shipper.failed.add()
            return
        self._put(payload)

    def flush(self, seconds: float) -> bool:
        """Waits until everything taken so far is acknowledged, at most so long; 50 ms when no daemon answers."""
        shipper = self._shipper
        if shipper is None or not shipper.running:
            return False
        ticket = shipper.ask()
        begun = time.monotonic()
        while not shipper.settled(ticket):
            waited = time.monotonic() - begun
            if not shipper.running or waited >= seconds or (waited >= UNANSWERED and not shipper.answering):
                return False
            time.sleep(0.002)
        return True

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
        """Opens the session, unless it is open."""
        if self._shipper is None or not self._shipper.running:
            self._open()

    def after_fork(self) -> None:
        """In a forked child: lets go of the parent's session and begins one of its own, at once."""
        if self._shipper is None:
            return
        spool, shipper = self._spool, self._shipper
        self._opening = threading.Lock()
        with contextlib.suppress(Exception):
            shipper.disown()
        if spool is not None:
            spool.disown()
        self._open(spool.slot if spool is not None and self._spool_open else None)

    # Inside

    @property
    def _spool_open(self) -> bool:
        return self._shipper is not None

    def _put(self, payload: bytes) -> None:
        spool, memory = self._spool, self._memory
        if spool is not None and (not self._retry_at or time.monotonic() >= self._retry_at):
            try:
                spool.append(payload, sync=self._sync)
                self._retry_at = 0.0
                return
            except OSError as error:
                self._retry_at = time.monotonic() + RETRY
                self._complain(f"the spool {self.settings.spool} cannot be written: {error.strerror}")
        if memory is not None:
            memory.put(payload)

    def _open(self, slot: Slot | None = None) -> None:
        """A new session. Whoever finds another thread at it goes on with what there is."""
        if not self._opening.acquire(blocking=False):
            return
        try:
            header = describe(self.settings)
            spool = self._open_spool(header, slot)
            spare = header if spool is None else describe(self.settings)
            memory = Memory(spare, places_of(spare, live=True))
            shipper = Shipper(self.settings, header, spool, memory)
            shipper.users = lambda: bool(self.handlers)
            self._spool, self._memory, self._shipper = spool, memory, shipper
            self._pid, self.session, self._retry_at = os.getpid(), header.session, 0.0
            with contextlib.suppress(RuntimeError):
                shipper.start()
        except Exception as error:
            self._complain(f"cannot begin: {error!r}")
        finally:
            self._opening.release()

    def _open_spool(self, header: Header, slot: Slot | None) -> Spool | None:
        try:
            return Spool(self.settings.spool, header, slot)
        except Unusable as error:
            self._complain(f"errors are kept in memory only: {error}")
        except OSError as error:
            self._complain(f"errors are kept in memory only: {self.settings.spool}: {error.strerror}")
        return None

    def _complain(self, text: str) -> None:
        if not self._complained:
            self._complained = True
            complain(text)


def plain(record: logging.LogRecord) -> Event:
    """The least that can be said of a record, from plain attributes only."""
    message = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
    return Event(
        occurred_at=record.created,
        level=record.levelno,
        logger=record.name,
        message=message[:4096].encode("utf-8", "replace").decode(),
        template=None,
        path=record.pathname,
        module=record.module,
        function=record.funcName,
        line=record.lineno,
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
        python=platform.python_version(),
        started_at=BEGAN,
        written_at=time.time(),
        interval=settings.heartbeat,
        endpoints=settings.endpoints,
        server_key=settings.server_key,
        key_file=settings.key,
        in_app=settings.in_app,
        not_in_app=settings.not_in_app,
        sys_path=tuple(entry for entry in sys.path if isinstance(entry, str))[:100],
    )
