"""A log record that knows what was bound when it was made.

It is made as `logging.LogRecord` makes one, but what is the same for all records of a call, of a process or of a
thread outside asyncio is not worked out again: with it a log call costs less than with logging's own. Where logging
makes records in a way that is not known here, that way is taken.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Mapping
from types import FunctionType
from typing import Any

from tocsin.handler import process
from tocsin.handler.capture import values
from tocsin.handler.capture.breadcrumbs import Trail
from tocsin.handler.capture.context import Bound, bound_here, current, running_task
from tocsin.handler.capture.site import Site, sites

TASK = "tocsin_task" if sys.version_info < (3, 12) else "taskName"
"""The attribute of a record that names the asyncio task it was made in."""
TASKS_UNKNOWN = TASK == "tocsin_task"

Marks = dict[object, object]
"""The destinations that have counted a record, each with whoever was there first."""

_BY_LOGGING = logging.LogRecord.__init__
_KNOWN = sys.version_info < (3, 14) and (
    type(_BY_LOGGING) is FunctionType
    and _BY_LOGGING.__code__.co_filename == logging.getLevelName.__code__.co_filename
)
"""Whether `_BY_LOGGING` sets the fields that are set here: nobody has put another in its place."""
_IN_NANOSECONDS = sys.version_info >= (3, 13)
_STARTED: Any = logging._startTime  # type: ignore[attr-defined]
_EMPTY: dict[str, Any] = {"msg": None, "args": None, "exc_info": None, "stack_info": None}

_modules = sys.modules
_exception = sys.exception
_thread_id = threading.get_ident
_current_thread = threading.current_thread


class StampedRecord(logging.LogRecord):
    """Takes what `logging.LogRecord` takes. The stamp is in slots: no other handler prints it as `extra`."""

    __slots__ = ("tocsin_bound", "tocsin_marks", "tocsin_site", "tocsin_task", "tocsin_trail")

    tocsin_bound: Bound
    tocsin_marks: Marks
    tocsin_site: Site | None
    """Where it was made; None where that has not been looked at."""
    tocsin_task: str | None
    """The asyncio task's name, where records do not know it themselves."""
    tocsin_trail: Trail | None
    """What its thread or task had logged before it; unset where nobody wants breadcrumbs."""

    def __init__(
        self,
        name: str,
        level: int,
        pathname: str,
        lineno: int,
        msg: object,
        args: Any,
        exc_info: Any,
        func: str | None = None,
        sinfo: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.tocsin_bound = bound_here() if _exception() is None else current()
        self.tocsin_marks = {}
        if TASKS_UNKNOWN:
            self.tocsin_task = task_name() if "asyncio" in _modules else None
        site = sites.get((pathname, lineno)) if type(pathname) is str and type(lineno) is int else None
        if (
            site is None
            or (site.logger is not name or site.level is not level or site.function is not func)
            or (site.template is None or logging.LogRecord.__init__ is not _BY_LOGGING)
        ):
            self._learn(name, level, pathname, lineno, msg, args, exc_info, func, sinfo, **kwargs)
            return
        now: Any = time.time_ns() if _IN_NANOSECONDS else time.time()
        self.tocsin_site = site
        self.__dict__ = fields = site.template.copy()
        fields["msg"] = msg
        if args and len(args) == 1 and isinstance(args[0], Mapping) and args[0]:
            args = args[0]
        fields["args"] = args
        fields["levelname"] = logging.getLevelName(level)
        fields["exc_info"] = exc_info
        fields["stack_info"] = sinfo
        if _IN_NANOSECONDS:
            fields["created"] = created = now / 1e9
            msecs = now % 1_000_000_000 // 1_000_000 + 0.0
            # A float may round a moment up to the next second.
            fields["msecs"] = 0.0 if msecs == 999.0 and int(created) != now // 1_000_000_000 else msecs
            fields["relativeCreated"] = (now - _STARTED) / 1e6
        else:
            fields["created"] = now
            fields["msecs"] = int((now - int(now)) * 1000) + 0.0
            fields["relativeCreated"] = (now - _STARTED) * 1000
        fields["thread"] = _thread_id() if logging.logThreads else None
        fields["threadName"] = _current_thread().name if logging.logThreads else None
        if not logging.logMultiprocessing:
            fields["processName"] = None
        else:
            fields["processName"] = _process_name() if "multiprocessing" in _modules else "MainProcess"
        if logging.logProcesses:
            fields["process"] = _own.pid if _own.unforked[0] else _own.look()
        else:
            fields["process"] = None
        if not TASKS_UNKNOWN:
            wanted = "asyncio" in _modules and logging.logAsyncioTasks  # type: ignore[attr-defined]
            fields["taskName"] = task_name() if wanted else None

    def _learn(self, *args: Any, **kwargs: Any) -> None:
        """Has logging make the record, and keeps what the next one of the same call begins with."""
        logging.LogRecord.__init__(self, *args, **kwargs)
        self.tocsin_site = site = sites.find(self.__dict__)
        if _KNOWN and logging.LogRecord.__init__ is _BY_LOGGING and site.template is None:
            site.template = self.__dict__ | _EMPTY

    def __copy__(self) -> StampedRecord:
        """Shares the marks: the copy is the same event."""
        made = StampedRecord.__new__(StampedRecord)
        made.__dict__.update(self.__dict__)
        made.tocsin_bound, made.tocsin_marks = self.tocsin_bound, self.tocsin_marks
        made.tocsin_site = self.tocsin_site
        made.tocsin_task = getattr(self, "tocsin_task", None)
        made.tocsin_trail = getattr(self, "tocsin_trail", None)
        return made

    def __getstate__(self) -> Any:
        """For pickle: bound values as text, since what an application binds need not be picklable."""
        client, bound = self.tocsin_bound
        texts = {name: values.render(value) for name, value in bound.items()}
        return self.__dict__, {
            "tocsin_bound": (client, texts),
            "tocsin_marks": dict.fromkeys(self.tocsin_marks),
            "tocsin_site": None,
            "tocsin_task": getattr(self, "tocsin_task", None),
            "tocsin_trail": getattr(self, "tocsin_trail", None),
        }


def task_name() -> Any:
    """The running asyncio task's name; None outside of tasks."""
    task = running_task()
    if task is None:
        return None
    try:
        if not TASKS_UNKNOWN:
            return task.get_name()  # type: ignore[attr-defined]
        name = sys.modules["asyncio"].Task.get_name(task)
    except Exception:  # It is none of asyncio's own.
        return None
    return name if type(name) is str else None


class _OwnProcess:
    """This process's id: asking the system for it costs as much as a third of the record."""

    def __init__(self) -> None:
        self.unforked = process.flag()
        self.pid = self.look()

    def look(self) -> int:
        """Asks the system, at first and after a fork."""
        self.pid = os.getpid()
        self.unforked[0] = 1
        return self.pid


def _process_name() -> str:
    try:
        name: str = _modules["multiprocessing"].current_process().name
    except Exception:  # It is being imported, or replaced by the application.
        return "MainProcess"
    return name


_own = _OwnProcess()
