"""What belongs to the moment of logging, kept on the record itself: whose work it was, and where it was counted.

A record may be handled later and by another thread (`QueueHandler`, `MemoryHandler`, loguru): then the thread that
handles it knows nothing of the one that logged it.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from tocsin.handler.capture import values
from tocsin.handler.capture.breadcrumbs import Trail, trails
from tocsin.handler.capture.context import Bound, current, running_task

_modules = sys.modules
TASK = "tocsin_task" if sys.version_info < (3, 12) else "taskName"
"""The attribute of a record that names the asyncio task it was made in."""
_TASKS_UNKNOWN = TASK == "tocsin_task"

Marks = dict[object, object]
"""The destinations that have counted a record, each with whoever was there first."""


class StampedRecord(logging.LogRecord):
    """A record that knows what was bound when it was made. In slots: no other handler prints it as `extra`."""

    __slots__ = ("tocsin_bound", "tocsin_marks", "tocsin_task", "tocsin_trail")

    tocsin_bound: Bound
    tocsin_marks: Marks
    tocsin_task: str | None
    """The asyncio task's name, where records do not know it themselves."""
    tocsin_trail: Trail | None
    """What its thread or task had logged before it; unset where nobody wants breadcrumbs."""

    def __copy__(self) -> StampedRecord:
        """Shares the marks: the copy is the same event."""
        made = StampedRecord.__new__(StampedRecord)
        made.__dict__.update(self.__dict__)
        made.tocsin_bound, made.tocsin_marks = self.tocsin_bound, self.tocsin_marks
        made.tocsin_task = self.tocsin_task
        made.tocsin_trail = getattr(self, "tocsin_trail", None)
        return made

    def __getstate__(self) -> Any:
        """For pickle: bound values as text, since what an application binds need not be picklable."""
        client, bound = self.tocsin_bound
        texts = {name: values.render(value) for name, value in bound.items()}
        return self.__dict__, {
            "tocsin_bound": (client, texts),
            "tocsin_marks": dict.fromkeys(self.tocsin_marks),
            "tocsin_task": self.tocsin_task,
            "tocsin_trail": getattr(self, "tocsin_trail", None),
        }


_foreign: WeakKeyDictionary[logging.LogRecord, Marks] = WeakKeyDictionary()
"""Marks of records of an application's own class, which has no slot for them."""
_foreign_trails: WeakKeyDictionary[logging.LogRecord, Trail] = WeakKeyDictionary()
"""What had been logged before them."""


def is_plain(record: logging.LogRecord) -> bool:
    """Whether its attributes can be read as they are: another class may answer with anything."""
    cls = type(record)
    return cls is StampedRecord or cls is logging.LogRecord


def trail_of(record: logging.LogRecord) -> Trail | None:
    """What had been logged before the record; None where that was not kept for it."""
    if type(record) is StampedRecord:
        return getattr(record, "tocsin_trail", None)
    try:
        return _foreign_trails.get(record) if _foreign_trails else None
    except Exception:  # Its own `__hash__` or `__eq__` may do anything.
        return None


def keep_trail(record: logging.LogRecord, trail: Trail | None) -> None:
    """Keeps it for a record that has no slot for it. Never raises."""
    if trail:
        with contextlib.suppress(Exception):
            _foreign_trails[record] = trail


def is_first(record: logging.LogRecord, destination: object) -> bool:
    """Whether the record, or a copy of it, has not met this destination before. Marks that it has now."""
    if type(record) is StampedRecord:
        try:
            marks = record.tocsin_marks
        except AttributeError:
            marks = record.tocsin_marks = {}
    else:
        install()  # The application may have set a factory of its own since.
        try:
            marks = _foreign.setdefault(record, {})
        except Exception:  # Its own `__hash__` or `__eq__` may do anything.
            return True
    me = object()
    # One step of the interpreter: a copy may be at it in another thread.
    return marks.setdefault(destination, me) is me


def _task() -> str | None:
    """The running task's name."""
    task = running_task()
    if task is None:
        return None
    try:
        name = sys.modules["asyncio"].Task.get_name(task)
    except TypeError:  # It is none of asyncio's own.
        return None
    return name if type(name) is str else None


def _stamped(*args: Any, **kwargs: Any) -> StampedRecord:
    record = StampedRecord(*args, **kwargs)
    record.tocsin_bound = current()
    record.tocsin_marks = {}
    record.tocsin_task = _task() if _TASKS_UNKNOWN and "asyncio" in _modules else None
    return record


def _followed(*args: Any, **kwargs: Any) -> StampedRecord:
    """As `_stamped`, where breadcrumbs are wanted."""
    record = _stamped(*args, **kwargs)
    record.tocsin_trail = trails.follow(record, record.tocsin_bound[0]) if trails.length else None
    return record


class _Stamping:
    """The application's own factory, its records stamped; those of a class of its own have no slot for it."""

    def __init__(self, before: Callable[..., logging.LogRecord]) -> None:
        self._before = before

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        made = self._before(*args, **kwargs)
        if type(made) is StampedRecord:  # The application's own factory calls ours.
            return made
        bound = current()
        trail = trails.follow(made, bound[0]) if trails.length else None
        if type(made) is not logging.LogRecord:
            keep_trail(made, trail)
            return made
        record = StampedRecord.__new__(StampedRecord)
        record.__dict__ = made.__dict__
        record.tocsin_bound = bound
        record.tocsin_marks = {}
        record.tocsin_task = _task() if _TASKS_UNKNOWN and "asyncio" in _modules else None
        record.tocsin_trail = trail
        return record


def install() -> None:
    """Has every record stamped from now on, over whatever factory the application has set by now."""
    before = logging.getLogRecordFactory()
    own = _followed if trails.length else _stamped
    if before is own or type(before) is _Stamping:
        return
    ours = before is logging.LogRecord or before is _stamped
    logging.setLogRecordFactory(own if ours else _Stamping(before))
