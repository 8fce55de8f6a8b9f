"""Exceptions nobody caught, as log records: of the main thread, of threads, of asyncio, of a notebook's cells
(opt-in), and those that leave a web application.

Each hook calls the one it found, so that the application sees what it always saw. KeyboardInterrupt and
SystemExit are ways to end, not errors.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import sys
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, TypeVar

H = TypeVar("H", bound=logging.Handler)

LOGGER = "uncaught"
"""The logger named in the records of uncaught exceptions. No logger of this name is used."""


class Uncaught:
    """The hooks of one handler. They are in place from construction until `remove`."""

    def __init__(self, handler: logging.Handler, in_use: Callable[[], bool] = lambda: True) -> None:
        """`in_use`: whether the handler still takes what nobody caught."""
        self._handler = handler
        self._active = True
        self._in_use = in_use
        self._excepthook = sys.excepthook
        self._threading_hook = threading.excepthook
        # Only who asks for the hooks pays for importing asyncio; its loops share no hook but this method.
        self._loop: Any = importlib.import_module("asyncio.base_events").BaseEventLoop
        self._loop_hook: Callable[[Any, dict[str, Any]], object] = self._loop.default_exception_handler
        self._ours = self._main, self._thread, self._asyncio_hook()
        sys.excepthook, threading.excepthook, self._loop.default_exception_handler = self._ours
        self._shell = _shell()
        if self._shell is not None:
            self._shell.events.register("post_run_cell", self._cell)

    def remove(self) -> None:
        """Put the former hooks back; where another has been set over ours, ours only passes on from now."""
        self._active = False
        main, thread, loop = self._ours
        if sys.excepthook == main:
            sys.excepthook = self._excepthook
        if threading.excepthook == thread:
            threading.excepthook = self._threading_hook
        if self._loop.default_exception_handler is loop:
            self._loop.default_exception_handler = self._loop_hook
        if self._shell is not None:
            with contextlib.suppress(ValueError):
                self._shell.events.unregister("post_run_cell", self._cell)

    def _main(self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        self._report("Uncaught exception", error)
        self._excepthook(kind, error, traceback)

    def _thread(self, args: threading.ExceptHookArgs) -> None:
        name = args.thread.name if args.thread is not None else "unknown"
        self._report("Uncaught exception in a thread", args.exc_value, threadName=name)
        self._threading_hook(args)

    def _cell(self, result: Any) -> None:
        """IPython shows a cell's exception itself: no excepthook sees it."""
        error = result.error_before_exec or result.error_in_exec
        if isinstance(error, BaseException):
            self._report("Uncaught exception in a cell", error)

    def _asyncio_hook(self) -> Callable[[Any, dict[str, Any]], None]:
        def default_exception_handler(loop: Any, context: dict[str, Any]) -> None:
            # asyncio logs it itself: report it only where that record would not come to us.
            if not _reaches(logging.getLogger("asyncio"), self._handler):
                self._report(str(context.get("message") or "Uncaught exception"), context.get("exception"))
            self._loop_hook(loop, context)

        return default_exception_handler

    def _report(self, message: str, error: BaseException | None, **attributes: str) -> None:
        """Hand one record to the handler. Whatever happens, the former hook still has its turn."""
        if not self._active or isinstance(error, (KeyboardInterrupt, SystemExit)):
            return
        try:
            if not self._in_use():
                return
            record = _record(message, error)
            record.__dict__.update(attributes)
            if record.levelno >= self._handler.level:
                self._handler.handle(record)
        except Exception:
            return


def attached(kind: type[H]) -> list[H]:
    """The handlers of this class on the root logger."""
    return [handler for handler in logging.getLogger().handlers if isinstance(handler, kind)]


def is_attached(handler: logging.Handler) -> bool:
    """Whether a logger that has a name has the handler."""
    found = [logging.getLogger(), *list(logging.Logger.manager.loggerDict.values())]
    return any(handler in logger.handlers for logger in found if isinstance(logger, logging.Logger))


def report_unless_logged(error: Exception, kind: type[H], servers: Iterable[str]) -> None:
    """An exception that leaves a web application, to the root logger's handlers of this class.

    Not where it comes to them anyway: its server logs it to the first of the loggers `servers` that exists,
    or, when none of them does, presumably to one that the root logger hears. Never raises.
    """
    try:
        known = logging.Logger.manager.loggerDict
        loggers = [logger for logger in map(known.get, servers) if isinstance(logger, logging.Logger)]
        if not loggers:
            return
        record = _record("Uncaught exception in a request", error)
        for handler in attached(kind):
            if record.levelno >= handler.level and not _reaches(loggers[0], handler):
                handler.handle(record)
    except Exception:
        return


def _shell() -> Any:
    """The running IPython, in a notebook or a terminal."""
    ipython = sys.modules.get("IPython")
    try:
        return None if ipython is None else ipython.get_ipython()
    except Exception:
        return None


def _record(message: str, error: BaseException | None) -> logging.LogRecord:
    """A record whose place is where the exception was raised: there is no log call."""
    path, line, function = "", 0, ""
    traceback = error.__traceback__ if error is not None else None
    while traceback is not None:
        code = traceback.tb_frame.f_code
        path, line, function = code.co_filename, traceback.tb_lineno or 0, code.co_name
        traceback = traceback.tb_next
    info = None if error is None else (type(error), error, error.__traceback__)
    return logging.LogRecord(LOGGER, logging.CRITICAL, path, line, message, (), info, function)


def _reaches(logger: logging.Logger, handler: logging.Handler) -> bool:
    """Would an error logged to `logger` come to `handler`, or to another of its class?"""
    if logger.disabled or not logger.isEnabledFor(logging.ERROR):
        return False
    at: logging.Logger | None = logger
    while at is not None:
        if any(type(found) is type(handler) for found in at.handlers):
            return True
        at = at.parent if at.propagate else None
    return False
