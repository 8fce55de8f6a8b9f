"""Breadcrumbs: what a thread or an asyncio task logged below the handler's level before an error.

The record factory (`stamp`) shows every record that a logger makes. Kept of one are its template and its arguments:
numbers and short texts as they are, anything else as text at once, so that no object lives longer and none is shown
as it became later. It is formatted and scrubbed only when an error takes it along. No method of an application's
class is called.
"""

from __future__ import annotations

import logging
import sys
import threading
import weakref
from collections import deque
from collections.abc import Mapping
from types import FrameType
from typing import Any, Protocol

from tocsin.handler.capture import values
from tocsin.handler.capture.context import client_id, running_task
from tocsin.handler.capture.scrub import Scrubber
from tocsin.handler.protocol.event import Breadcrumb

ROOM = 2048
"""Bytes of the breadcrumbs of one event: loggers and messages."""

_TRAILS = 1000
"""Tasks whose records are kept, at most: of more, those that began to log first are forgotten."""
_TEMPLATE, _TEXT, _MESSAGE, _ARGUMENTS = 1000, 456, 200, 10
"""Characters; an argument's text is kept longer than it is shown: half a secret would not be recognised as one."""
_FIRST, _EVERY = 10, 10.0
"""Full events of one code location that take breadcrumbs along: the first ones, then one in so many seconds."""
_LOCATIONS = 1024
_CALLS_TO_LOGGER = 6
"""Calls between a record's making and its logger, at most: factories may be wrapped in each other."""
_PLAIN = (tuple, dict)

Entry = tuple[float, int, object, str, str, Any, str | None]
"""When, at which level (also its name), by which logger; template and arguments; for which client."""
Trail = tuple[Entry, ...]


class Listener(Protocol):
    """A handler that wants breadcrumbs."""

    level: int


class Trails:
    """The last records below a level, each thread's and each task's own. Nothing is kept before `add`."""

    def __init__(self) -> None:
        self.length = 0
        """Records kept; 0 while nobody wants any."""
        self._from = self._below = 0
        """From which level on a record may be somebody's event, and below which it may be another's breadcrumb."""
        self._listeners: dict[int, tuple[weakref.ref[Listener], int]] = {}
        self._thread = threading.local()
        self._tasks: dict[int, tuple[weakref.ref[object], deque[Entry]]] = {}

    def add(self, listener: Listener, length: int) -> None:
        """Keeps so many records from now on, as long as the listener lives."""
        number = id(listener)

        def gone(_: object) -> None:
            self._listeners.pop(number, None)
            self.measure()

        self._listeners[number] = weakref.ref(listener, gone), length
        self.measure()

    def measure(self) -> None:
        """Asks the listeners again: their levels may have changed, and some may be gone."""
        # One step of the interpreter: a handler may be made in another thread meanwhile.
        known = [
            (found, length) for one, length in list(self._listeners.values()) if (found := one()) is not None
        ]
        levels = [listener.level for listener, _ in known]
        self._from, self._below = min(levels, default=0), max(levels, default=0)
        self.length = max((length for _, length in known), default=0)

    def follow(self, record: logging.LogRecord, client: str | None) -> Trail | None:
        """What was kept before a record that may be somebody's event; keeps one that may be a breadcrumb.

        Never raises.
        """
        trail = None
        try:
            fields = values.attributes_of(record) or {}
            level = fields.get("levelno")
            if type(level) is not int:
                return None
            if level >= self._from:
                trail = self.last()
            if level >= self._below:
                return trail
            message, args = _kept(fields.get("msg"), fields.get("args"))
            name, created = fields.get("name"), fields.get("created")
            self._trail().append((
                created if type(created) is float else 0.0,
                level,
                fields.get("levelname"),
                name if type(name) is str else "",
                message,
                args,
                _named_client(fields) or client,
            ))  # fmt: skip
        except Exception:
            pass
        return trail

    def last(self) -> Trail:
        """What this thread or task has logged below the level, oldest first."""
        task = running_task()
        kept = self._of_thread() if task is None else self._of_task(task)
        return () if kept is None else tuple(kept)

    def _trail(self) -> deque[Entry]:
        task = running_task()
        kept = self._of_thread() if task is None else self._of_task(task)
        if kept is not None and kept.maxlen == self.length:
            return kept
        kept = deque(kept or (), maxlen=self.length)
        if task is None:
            self._thread.kept = kept
            return kept
        while len(self._tasks) >= _TRAILS:
            self._tasks.pop(next(iter(self._tasks)), None)
        number = id(task)
        self._tasks[number] = weakref.ref(task, lambda gone: self._forget(number, gone)), kept
        return kept

    def _of_thread(self) -> deque[Entry] | None:
        kept: deque[Entry] | None = getattr(self._thread, "kept", None)
        return kept

    def _of_task(self, task: object) -> deque[Entry] | None:
        # By its id: a task class of an application may have a hash of its own.
        known = self._tasks.get(id(task))
        return known[1] if known is not None and known[0]() is task else None

    def _forget(self, number: int, gone: object) -> None:
        known = self._tasks.get(number)
        if known is not None and known[0] is gone:
            self._tasks.pop(number, None)


trails = Trails()
"""The process's own: there is one record factory."""


class Breadcrumbs:
    """Makes an event's breadcrumbs, at most `length`."""

    def __init__(self, scrub: Scrubber, length: int) -> None:
        self._scrub = scrub
        self._length = length
        self._given: dict[int, tuple[int, float]] = {}

    def of(
        self, trail: Trail | None, location: int, now: float, client: str | None
    ) -> tuple[Breadcrumb, ...]:
        """For an event of this code location: the newest that have room, oldest first, none of another client's."""
        times, last = self._given.get(location, (0, 0.0))
        if not trail or (times >= _FIRST and 0 <= now - last < _EVERY):
            return ()
        trail = tuple(entry for entry in trail if entry[-1] is None or entry[-1] == client)
        if not trail:
            return ()
        if len(self._given) >= _LOCATIONS:
            self._given.clear()
        self._given[location] = times + 1, now
        found: list[Breadcrumb] = []
        room = ROOM
        for entry in reversed(trail[-self._length :]):
            one = self._breadcrumb(entry)
            room -= len(one.message.encode()) + len(one.logger.encode())
            if room < 0:
                whole = min(len(trail), self._length)
                found.append(Breadcrumb(entry[0], 0, "", values.cut_mark(whole, "records")))
                break
            found.append(one)
        return tuple(reversed(found))

    def _breadcrumb(self, entry: Entry) -> Breadcrumb:
        created, level, levelname, logger, message, args, _ = entry
        if args:
            try:
                message = message % args
            except Exception:
                message = f"{message} {values.render(args)}"
        shown = values.shortened(self._scrub.text(message), _MESSAGE)
        return Breadcrumb(
            created,
            level if -(2**31) < level < 2**31 else 0,
            values.clean(values.shortened(logger, _MESSAGE)),
            values.clean(shown),
            values.level_name(level, levelname),
        )


def _named_client(fields: Mapping[str, Any]) -> str | None:
    """The client that a record being made names itself, as `Capture.summarize` will see it.

    `extra=` comes to a record after it was made: it is found where its logger makes it.
    """
    message = fields.get("msg")
    named = message.get("client") if type(message) is dict else None
    frame: FrameType | None = sys._getframe(2)
    for _ in range(_CALLS_TO_LOGGER):
        if frame is None or frame.f_code.co_name == "makeRecord":
            break
        frame = frame.f_back
    if frame is not None and frame.f_code.co_name == "makeRecord":
        extra = frame.f_locals.get("extra")
        named = extra.get("client", named) if type(extra) is dict else named
    return None if named is None else client_id(named)


def _kept(message: object, args: object) -> tuple[str, Any]:
    """(the template, the arguments), as they can be kept: nothing in them changes, lives on or is large."""
    if type(message) is dict:
        message = message.get("event", message)  # structlog's
    text = message if type(message) is str else values.exact(message)
    given = not (args is None or (type(args) in _PLAIN and not args))
    if text is None or len(text) > _TEMPLATE:
        # Cut through a placeholder, it could not be filled in.
        text = values.shortened(values.render(message) if text is None else text, _TEMPLATE)
    elif not given:
        return text, None
    elif type(args) is tuple and len(args) <= _ARGUMENTS:
        return text, tuple([_argument(arg) for arg in args])
    elif type(args) is dict and len(args) <= _ARGUMENTS:
        return text, {name: _argument(arg) for name, arg in list(args.items()) if type(name) is str}
    return (f"{text} {values.render(args)}" if given else text), None


def _argument(value: object) -> object:
    cls = type(value)
    if cls is int:
        return value if value.bit_length() <= 256 else values.render(value)  # type: ignore[attr-defined]
    if cls is float or cls is bool or value is None:
        return value
    text = value if cls is str else values.render(value)
    return values.shortened(text, _TEXT)  # type: ignore[arg-type]
