"""Library calls that log for the application's code: which part of such a record names the code. Pure.

asyncio logs every lost task from one line, Django every 5xx answer. What the record itself says of the
application (a coroutine, a route, a task's name) then belongs to what the error is known by.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Raw, Struct

from tocsin.daemon.settings import GroupingRule
from tocsin.handler.protocol.event import Event

_TEXT = 4096
_PART = 200
_LOGGERS = 10_000


class Speaker(Struct, frozen=True):
    """One such call: what it is recognised by, and the parts of the record that name the application's code."""

    logger: str = ""
    """Its logger, with those below it; '' is any."""
    template: str = ""
    """The call's template, or the text where it has none; `*` stands for anything."""
    module: str = ""
    """The module of the call, with those below it."""
    text: str = ""
    """A regular expression; its groups are parts of the key."""
    context: tuple[str, ...] = ()
    """Names of bound or `extra=` values that are parts of the key."""
    source: str = ""
    """Where the logging call stands."""


_NAME = r"([\w.<>\-]{1,200})"

KNOWN_CALLS = (
    Speaker(
        logger="asyncio", text=r"\bcoro=<([^()]{1,300})\(",
        source="CPython Lib/asyncio: Task.__del__ and BaseEventLoop.default_exception_handler",
    ),
    Speaker(
        logger="asyncio", text=r"<(?:Timer)?Handle ([\w.<>]{1,200})",
        source="CPython Lib/asyncio/events.py: Handle._run; base_events.py: 'Executing %s took %.3f seconds'",
    ),
    Speaker(
        logger="py.warnings", text=r"coroutine '([^']{1,300})' was never awaited",
        source="CPython Python/_warnings.c: RuntimeWarning of a coroutine that was never awaited",
    ),
    Speaker(
        logger="django.request", context=("route",),
        source="django/utils/log.py: log_response, '%s: %s' for every answer of 4xx and 5xx",
    ),
    Speaker(
        logger="celery.worker.request", text=r"time limit \(\S{1,40}\) exceeded for " + _NAME + r"\[",
        source="celery/worker/request.py: Request.on_timeout",
    ),
    Speaker(
        logger="celery", text=r"^Task " + _NAME + r"\[",
        source="celery/app/trace.py: 'Task %(name)s[%(id)s] %(description)s: %(exc)s'",
    ),
    Speaker(
        logger="celery.worker", text=r"unregistered task of type ['\"]?" + _NAME,
        source="celery/worker/consumer/consumer.py: UNKNOWN_TASK_ERROR",
    ),
    Speaker(
        logger="celery.beat", text=r"(?:Message Error|due task|entry) " + _NAME,
        source="celery/beat.py: Scheduler.apply_entry",
    ),
    Speaker(
        logger="apscheduler", text=r"(?:[Jj]ob|of job) \"([^\" (]{1,200})",
        source="apscheduler/executors/base.py: run_job; schedulers/base.py: 'Execution of job \"%s\" skipped'",
    ),
    Speaker(
        logger="dramatiq", text=r"[Mm]essage " + _NAME + r"\(",
        source="dramatiq/worker.py: 'Failed to process message %s with unhandled exception.'",
    ),
    Speaker(
        logger="distributed", text=r"(?m)^[Ff]unction: +" + _NAME,
        source="distributed/worker.py: 'Compute Failed', the function in the text's third line",
    ),
    Speaker(
        logger="luigi-interface", text=r"Worker\(.{0,300}?\) failed +" + _NAME + r"\(",
        source="luigi/worker.py: TaskProcess.run, '[pid %s] Worker %s failed    %s'",
    ),
    Speaker(
        logger="scrapy.core.downloader", text=r"in " + _NAME + r"\.process_",
        source="scrapy/core/downloader/middleware.py",
    ),
    Speaker(
        logger="huey", text=r"[Tt]ask " + _NAME + r":? [0-9a-f\-]{36}",
        source="huey/api.py: Huey._execute, '%s' of a task is 'module.function: id'",
    ),
    Speaker(
        logger="tornado.application", text=r"callback functools\.partial\(.{0,200}?<function " + _NAME,
        source="tornado/ioloop.py: IOLoop.handle_callback_exception, 'Exception in callback %r'",
    ),
    Speaker(
        logger="rq.worker",
        text=r"^(?:\[Job \S{1,60}\]|Worker \S{1,100}: job \S{1,100}): exception raised while executing \(" + _NAME,
        source="rq/worker/base.py: handle_exception; the first form until RQ 2",
    ),
)  # fmt: skip


class Speakers:
    """A table of such calls, the user's before the known ones; remembers what concerns a logger."""

    def __init__(self, own: Iterable[Speaker] = ()) -> None:
        self._calls = (*own, *KNOWN_CALLS)
        self._by_logger: dict[str, tuple[Speaker, ...]] = {}

    def parts(self, event: Event) -> list[str]:
        """What the record says of the application's code, empty where its call is not in the table."""
        calls = self._by_logger.get(event.logger)
        if calls is None:
            calls = self._of(event.logger)
        for call in calls:
            if (found := _parts(call, event)) is not None:
                return found
        return []

    def _of(self, logger: str) -> tuple[Speaker, ...]:
        if len(self._by_logger) >= _LOGGERS:
            self._by_logger.clear()
        found = tuple(call for call in self._calls if _below(logger, call.logger))
        self._by_logger[logger] = found
        return found


KNOWN = Speakers()


def speakers_of(rules: Iterable[GroupingRule]) -> Speakers:
    """The known calls with those of `[[grouping.rule]]` before them."""
    return Speakers(
        Speaker(rule.logger, rule.template, rule.module, rule.text, tuple(rule.context)) for rule in rules
    )


def _below(name: str, prefix: str) -> bool:
    return not prefix or name == prefix or name.startswith(prefix + ".")


def _parts(call: Speaker, event: Event) -> list[str] | None:
    """The named parts, None where the call is another or the record lacks all of them."""
    if call.module and not _below(event.module, call.module):
        return None
    if call.template and not fnmatchcase(event.template or event.message, call.template):
        return None
    found: list[str] = []
    if call.text:
        match = _compiled(call.text).search(event.message[:_TEXT])
        if match is None:
            return None
        found += [part for part in match.groups() or (match[0],) if part]
    if call.context:
        context = _context(event)
        found += [context[name] for name in call.context if context.get(name)]
    return [part.replace("<locals>.", "")[:_PART] for part in found] or None


def _context(event: Event) -> dict[str, str]:
    held: Any = event.context
    if isinstance(held, Raw):
        try:
            held = msgspec.msgpack.decode(held, type=dict[str, str] | None)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return {}
    return held or {}


def value_of(by: str, event: Event, client: str) -> str:
    """What `tocsin split` tells events apart by: `client`, `route` or `text:REGEX`; '' where there is none."""
    if by == "client":
        return client[:_PART]
    if by == "route":
        context = _context(event)
        return context.get("route", context.get("path", ""))[:_PART]
    match = _compiled(by.removeprefix("text:")).search(event.message[:_TEXT])
    return " ".join(filter(None, match.groups() or (match[0],)))[:_PART] if match else ""


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
