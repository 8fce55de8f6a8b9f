"""The `logging.Handler`: it adds no lock, raises nothing, logs nothing, and is done after one write."""

from __future__ import annotations

import atexit
import contextlib
import functools
import logging
import os
import sys
import weakref
from collections.abc import Sequence
from types import FrameType
from typing import Any

from tocsin.handler import audible, exception_hooks
from tocsin.handler.capture import stamp
from tocsin.handler.capture.breadcrumbs import trails
from tocsin.handler.destination import Destination
from tocsin.handler.exception_hooks import Uncaught, is_attached
from tocsin.handler.process import monotonic
from tocsin.handler.settings import Settings, resolve_settings
from tocsin.handler.settling import settling

_EMIT = "emit"
REJECTED = 100
"""Loggers whose rejected records are remembered, at most."""
_destinations: dict[Settings, Destination] = {}


class TocsinHandler(logging.Handler):
    """Ships every record at or above its level to the Tocsin daemon, through a spool on disk.

    Every argument may come from the environment as `TOCSIN_<NAME>` when it is not given. Raises ValueError
    for nonsense given in code, and for nothing else: an unusable spool or an absent daemon is no error.
    """

    def __init__(
        self,
        endpoint: str | Sequence[str] | None = None,
        service: str | None = None,
        release: str | None = None,
        environment: str | None = None,
        client: str | None = None,
        level: int | str | None = None,
        spool: str | os.PathLike[str] | None = None,
        spool_limit: int | str | None = None,
        durability: str | None = None,
        locals: str | None = None,
        in_app: Sequence[str] | str | None = None,
        not_in_app: Sequence[str] | str | None = None,
        scrub: Sequence[str] | str | None = None,
        uncaught: bool | None = None,
        heartbeat: float | None = None,
        flush_timeout: float | None = None,
        server_key: str | os.PathLike[str] | None = None,
        key: str | os.PathLike[str] | None = None,
        breadcrumbs: int | None = None,
    ) -> None:
        given: dict[str, Any] = {
            "endpoint": endpoint,
            "service": service,
            "release": release,
            "environment": environment,
            "client": client,
            "level": level,
            "spool": spool,
            "spool_limit": spool_limit,
            "durability": durability,
            "locals": locals,
            "in_app": in_app,
            "not_in_app": not_in_app,
            "scrub": scrub,
            "uncaught": uncaught,
            "heartbeat": heartbeat,
            "flush_timeout": flush_timeout,
            "server_key": server_key,
            "key": key,
            "breadcrumbs": breadcrumbs,
        }
        self.settings, at_least, uncaught_too = resolve_settings(given)
        self._given = given
        super().__init__(at_least)
        if self.settings.breadcrumbs:
            trails.add(self, self.settings.breadcrumbs)
        stamp.install()
        self.destination = _destination(self.settings)
        self.destination.handlers.add(self)
        self.destination.await_first_use()
        self._closed = False
        self._behind = False
        """Its records come from a queue's listener, a buffer or another library, and not from a logger."""
        self._rejected: set[str] = set()
        """Loggers of which our own filters have rejected a record, and passed none since."""
        self._look_at_next()
        self._uncaught_too = uncaught_too
        self._uncaught = Uncaught(self, lambda: self._is_reached) if uncaught_too else None

    def __reduce__(self) -> Any:
        """Copied or sent to another process, a handler is made again from its arguments."""
        return _made, (type(self), {**self._given, "level": self.level})

    def setLevel(self, level: int | str) -> None:
        """As `logging.Handler.setLevel`."""
        super().setLevel(level)
        trails.measure()

    # A lock here could be held at a fork, or by the thread that a signal handler interrupts. None is needed.

    def createLock(self) -> None:
        self.lock: Any = _NoLock()

    def acquire(self) -> None:
        return

    def release(self) -> None:
        return

    def handle(self, record: logging.LogRecord) -> Any:
        """As `logging.Handler.handle`, without its lock."""
        if not self.filters:
            self.emit(record)
            return True
        passed: Any = self.filter(record)
        if isinstance(passed, logging.LogRecord):
            record = passed
        self._note_filtered(record, bool(passed))
        if passed:
            self.emit(record)
        return passed

    def _note_filtered(self, record: logging.LogRecord, passed: bool) -> None:
        """Remembers whether our own filters reject what a logger says. Never raises, whatever the record holds."""
        with contextlib.suppress(Exception):
            name = record.name
            if type(name) is not str:
                return
            if passed:
                self._rejected.discard(name)
            elif record.levelno >= self.level and len(self._rejected) < REJECTED:
                self._rejected.add(name)

    def emit(self, record: logging.LogRecord) -> None:
        """One event in the spool when this returns.

        A record that meets a second handler of ours to the same daemon is counted once, by the first.
        """
        # The logger has looked at the level; a queue's listener, a buffer and loguru have not.
        self.destination.handle(record, self.level)

    def flush(self) -> None:
        """Waits at most `flush_timeout` seconds for the daemon's acknowledgement, 50 ms when none answers."""
        self.destination.flush(self.settings.flush_timeout)

    def close(self) -> None:
        """Flushes. What closes every handler it finds (`dictConfig`, `uvicorn.run`) ends nothing for one that stays
        attached to a logger; of another one the session ends a few seconds later, unless some handler goes on with
        it. With its next record a closed handler is open again.
        """
        self._closed = True
        self._look_at_next()
        if not self._is_reached and self._uncaught is not None:
            self._uncaught.remove()
            self._uncaught = None
        if _ending.begun:
            self.destination.finish(_ending.left(self.settings.flush_timeout))
            self.destination.final = True
        elif not self.destination.in_use:
            self.flush()
        super().close()

    def hears(self, name: str, level: int) -> bool:
        """Whether a record of this logger and level would reach it, as far as can be seen now."""
        if name in self._rejected:
            # A filter may reject noise now and then: whatever comes until the next look passes or is noted again.
            self._rejected.discard(name)
            return False
        return audible.reaches(self, name, level, behind=self._behind)

    @property
    def in_use(self) -> bool:
        """It is open, attached to a logger, or behind another handler: nobody can tell when that one is done."""
        return self._behind or self._is_reached

    @property
    def _is_reached(self) -> bool:
        """It is open or attached: what nobody caught is its own to report, and not that of one made after it."""
        return not self._closed or is_attached(self)

    def _look_at_next(self) -> None:
        """Has the next record tell how records come, and open the handler.

        It finds this before the class's own `emit`: all later records pay nothing for it.
        """
        # Not through `__dict__`: once that was asked for, some Pythons read every attribute more slowly.
        setattr(self, _EMIT, functools.partial(_emit_next, weakref.ref(self)))

    def _open_by(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(AttributeError):
            delattr(self, _EMIT)
        self._closed = False
        with contextlib.suppress(Exception):
            self._behind = _called_by_another(self)
        if self._uncaught_too and self._uncaught is None and not _ending.begun:
            self._uncaught = Uncaught(self, lambda: self._is_reached)
        self.emit(record)


class _NoLock:
    """What `with handler.lock:` finds: a lock that does nothing."""

    def __enter__(self) -> _NoLock:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        return True

    def release(self) -> None:
        return


def _emit_next(handler: weakref.ref[TocsinHandler], record: logging.LogRecord) -> None:
    found = handler()
    if found is not None:
        found._open_by(record)


def _called_by_another(handler: TocsinHandler) -> bool:
    """Whether the record that is being handled comes neither from a logger itself nor from our own hooks."""
    frame: FrameType | None = sys._getframe(3)
    while frame is not None and frame.f_locals.get("self") is handler:
        frame = frame.f_back
    if frame is None or frame.f_code.co_name == "callHandlers":
        return frame is None
    return frame.f_globals.get("__name__") != exception_hooks.__name__


def _made(cls: type[TocsinHandler], given: dict[str, Any]) -> TocsinHandler:
    # Through the package's door, which also loads what makes children of multiprocessing say goodbye.
    getattr(sys.modules[__package__], cls.__name__, None)
    return cls(**given)


def _destination(settings: Settings) -> Destination:
    """The one of these settings."""
    try:
        return _destinations[settings]
    except KeyError:
        return _destinations.setdefault(settings, Destination(settings))


class _Ending:
    """The program's end: all destinations together wait at most `flush_timeout` seconds."""

    def __init__(self) -> None:
        self.begun = 0.0

    def left(self, seconds: float) -> float:
        """How many of so many seconds are left."""
        return max(self.begun + seconds - monotonic(), 0.0)

    def __call__(self) -> None:
        self.begun = self.begun or monotonic()
        for destination in list(_destinations.values()):
            with contextlib.suppress(Exception):
                destination.end_unused()
                destination.finish(self.left(destination.settings.flush_timeout))


def _after_fork() -> None:
    _ending.begun = 0.0
    settling.restart()
    for destination in list(_destinations.values()):
        destination.after_fork()


_ending = _Ending()
atexit.register(_ending)
os.register_at_fork(before=settling.pause, after_in_parent=settling.resume, after_in_child=_after_fork)
