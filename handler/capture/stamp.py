"""What belongs to the moment of logging, kept on the record itself: whose work it was, and where it was counted.

A record may be handled later and by another thread (`QueueHandler`, `MemoryHandler`, loguru): then the thread that
handles it knows nothing of the one that logged it.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from tocsin.handler.capture import values
from tocsin.handler.capture.breadcrumbs import Trail, trails
from tocsin.handler.capture.context import current
from tocsin.handler.capture.stamped_record import TASKS_UNKNOWN, Marks, StampedRecord, task_name

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


def is_to_be_counted(record: logging.LogRecord, level: int, mark: str) -> bool:
    """Whether the record is not below the level and has not met, itself or a copy of it, the destination of this
    mark before. Marks that it has now.
    """
    ours = type(record) is StampedRecord
    try:
        # Of another class's record, its own attributes only.
        if (record.levelno if ours else (values.attributes_of(record) or {})["levelno"]) < level:
            return False
    except Exception:  # A record made by hand may say anything of its level.
        pass
    if ours:
        marks: Marks = record.tocsin_marks  # type: ignore[attr-defined]
    else:
        install()  # The application may have set a factory of its own since.
        try:
            marks = _foreign.setdefault(record, {})
        except Exception:  # Its own `__hash__` or `__eq__` may do anything.
            return True
    me = object()
    # One step of the interpreter: a copy may be at it in another thread.
    return marks.setdefault(mark, me) is me


def _followed(*args: Any, **kwargs: Any) -> StampedRecord:
    """A stamped record where breadcrumbs are wanted."""
    record = StampedRecord(*args, **kwargs)
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
        record.tocsin_site = None
        if TASKS_UNKNOWN:
            record.tocsin_task = task_name()
        record.tocsin_trail = trail
        return record


def install() -> None:
    """Has every record stamped from now on, over whatever factory the application has set by now."""
    before = logging.getLogRecordFactory()
    own = _followed if trails.length else StampedRecord
    if before is own or type(before) is _Stamping:
        return
    ours = before is logging.LogRecord or before is StampedRecord
    logging.setLogRecordFactory(own if ours else _Stamping(before))
