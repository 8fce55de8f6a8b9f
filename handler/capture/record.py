"""LogRecord to `Event`: what the handler does in the application's thread before the spool has it.

Two steps, so that a repeat costs little: `summarize` reads what makes the record identical to an earlier one and
hashes it, `payload` reads the rest. Neither does I/O, takes a lock or formats a traceback, and nothing of the
record or its traceback outlives the `RecordSummary`.

A record may hold anything. Foreign code runs only where the application asked for text (`str()` of the
message, its arguments and the exceptions), and whatever that raises, SystemExit and KeyboardInterrupt too,
ends here. Only what a signal handler of the application raises just then passes through: it is not about the
record.
"""

from __future__ import annotations

import logging
import operator
import re
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from itertools import islice
from types import TracebackType
from typing import Any, Literal

import msgspec
from msgspec import Struct

from tocsin.handler.capture import values
from tocsin.handler.capture.breadcrumbs import Breadcrumbs
from tocsin.handler.capture.context import client_id, current
from tocsin.handler.capture.fit import fit
from tocsin.handler.capture.named_values import NamedValues
from tocsin.handler.capture.raised import Caught, Traces
from tocsin.handler.capture.scrub import LIMIT, Scrubber, innocent
from tocsin.handler.capture.stamp import TASK, StampedRecord, is_plain, keep_trail, trail_of
from tocsin.handler.protocol.event import PAYLOAD_LIMIT, Event

_encode = msgspec.msgpack.Encoder().encode
_HASH = 2**63 - 1
_TAG = Event.__struct_config__.tag
_ARGUMENT_TEXT = 8 * 1024
_CONTEXT_TEXT = 200
_FINGERPRINT_PARTS = 8
_KEPT = 1024
"""Places and templates kept, at most; all are forgotten together."""
_KEPT_TEXT = 1000
_CUT_OUT = re.compile(r"\n… \(of (\d{1,20}) characters\)\n")
_TRACEBACK = "Traceback (most recent call last)"

# `bool(args)` as logging asks it, but of builtin data only: a foreign `__bool__` may do anything.
_ASKED = frozenset(map(id, (tuple, dict, list, str, int, float, bool)))

_ATTRIBUTES = values.attributes_of
_DEFAULT_ORDER = tuple(logging.LogRecord("", 0, "", 0, "", (), None).__dict__)
_DEFAULTS = frozenset(_DEFAULT_ORDER)
_ORDINARY = _DEFAULTS | {"message", "asctime", "taskName", "client", "fingerprint"}
_CONSUMED = frozenset(("exc_info", "fingerprint"))
_ORDINARY_COUNT = len(_DEFAULTS)


class Site:
    """Where a record comes from, read and cleaned once: most records come from few places."""

    __slots__ = (
        *("clean_function", "clean_logger", "clean_module", "clean_path"),
        *("function", "key", "level", "level_name", "levelname", "line", "logger", "module"),
    )

    def __init__(
        self,
        path: str,
        line: int,
        function: str,
        level: int,
        logger: str,
        module: str,
        levelname: object = "",
    ) -> None:
        self.line, self.level = line, level
        self.levelname, self.level_name = levelname, values.level_name(level, levelname)
        self.function, self.logger, self.module = function, logger, module
        self.key = hash((path, line, function, level, logger))
        """This place's part of a repeat key."""
        self.clean_path = values.clean(path)
        self.clean_function = values.clean(function)
        self.clean_logger = values.clean(logger)
        self.clean_module = values.clean(module)


class RecordSummary(Struct, frozen=True, gc=False):
    """What `summarize` saw of one record. Drop it when the record is done: it holds the exception.

    `key` is the repeat key: equal for records identical in place, level, text, exception, client and
    fingerprint; 63 bits, never 0, only good within this process. `occurred_at` is epoch seconds.
    """

    key: int
    occurred_at: float
    site: Site
    message: str
    template: str | None
    thread: object
    caught: Caught | None
    client: str | None
    bound: Mapping[str, Any] | None
    """None when there is nothing to tell besides: nothing bound, no `extra=`, no structlog event."""
    fingerprint: tuple[str, ...] | None
    stack: object
    plain: logging.LogRecord


class Capture:
    """Turns log records into events. One per handler; callable from any thread at once.

    `locals`: "in_app" shows local variables of in-app frames, "none" shows none. `in_app`, `not_in_app`:
    module prefixes. `client`: the client of records that name none. `breadcrumbs`: how many an event takes along.
    """

    def __init__(
        self,
        *,
        locals: Literal["in_app", "none"],
        in_app: tuple[str, ...],
        not_in_app: tuple[str, ...],
        scrub: Scrubber,
        client: str | None,
        breadcrumbs: int = 0,
    ) -> None:
        self._scrub = scrub
        self._client = client
        self._traces = Traces(locals=locals, in_app=in_app, not_in_app=not_in_app, scrub=scrub)
        self._breadcrumbs = Breadcrumbs(scrub, breadcrumbs) if breadcrumbs else None
        self._sites: dict[tuple[str, int], Site] = {}
        self._templates: dict[str, str] = {}
        self._threads: dict[str, str] = {}

    def summarize(self, record: logging.LogRecord) -> RecordSummary:
        """The cheap summary of every record. Never raises, whatever the record holds."""
        try:
            cls = type(record)
            plain = record if cls is StampedRecord or cls is logging.LogRecord else _plain(record)
            site = self._site(plain)
            message, template, ordinary = _message(record, plain)
            caught = None if ordinary and plain.exc_info is None else _caught(plain)
            # Asked here, not in a function: every record comes this way.
            if cls is StampedRecord:
                client, bound = record.tocsin_bound  # type: ignore[attr-defined]
            else:
                client, bound = current()
            given = bound.get("fingerprint") if bound else None
            if not ordinary and type(plain.msg) is dict and (named := plain.msg.get("client")) is not None:
                client = client_id(named) or client
            if caught is None and plain.exc_text is not None:
                message += _printed(plain.exc_text)
            fields = plain.__dict__
            if len(fields) > _ORDINARY_COUNT:
                ordinary = False
                if (named := fields.get("client")) is not None:
                    client = client_id(named) or client
                if (own := fields.get("fingerprint")) is not None:
                    given = own
            client = client or self._client
            fingerprint = None if given is None else _fingerprint(given)
            raised = 0 if caught is None else self._traces.identity(caught)
            rest = (raised, client, fingerprint) if raised or client or fingerprint else None
            key = hash((site.key, message, rest)) & _HASH or 1
            created = plain.created
            if type(created) is not float or not 0.0 < created < 2.0**40:
                created = time.time()  # A record made by hand may say anything.
            told = None if ordinary and not bound else bound
            # By position: keywords cost four times as much.
            return RecordSummary(
                key, created, site, message, template, plain.threadName, caught, client, told, fingerprint,
                plain.stack_info, plain,
            )  # fmt: skip
        except Exception as problem:
            if is_plain(record) and not record.__dict__.keys() >= _DEFAULTS:
                return self.summarize(_plain(record))
            return _unreadable(problem)

    def payload(self, summary: RecordSummary) -> bytes:
        """The whole event as a spool frame holds it, scrubbed, sanitised and fitted. Never raises."""
        try:
            site, caught, template, client = summary.site, summary.caught, summary.template, summary.client
            message, thread, bound, stack = summary.message, summary.thread, summary.bound, summary.stack
            levelname = getattr(summary.plain, "levelname", "")
            task = getattr(summary.plain, TASK, None)
            if len(message) > LIMIT or not innocent(message):
                message = self._text(message)
            elif "\0" in message or not message.isascii():
                message = values.clean(message)
            # In the order of `Event`. One that is only written need not be built: encoded, they are the same.
            told = (
                _TAG,
                summary.occurred_at,
                site.level,
                site.clean_logger,
                message,
                None if template is None else self._templates.get(template) or self._template(template),
                site.clean_path,
                site.clean_module,
                site.clean_function,
                site.line,
                (type(thread) is str and self._threads.get(thread)) or self._thread(thread),
                None if caught is None else self._traces.raised(caught),
                None if client is None else values.clean(client[:_CONTEXT_TEXT]),
                None if bound is None else self._context(bound, summary.plain),
                None if summary.fingerprint is None else self._fingerprint(summary.fingerprint),
                self._stack(stack) if type(stack) is str and stack else None,
                summary.key,
                site.level_name if levelname is site.levelname else values.level_name(site.level, levelname),
                "" if task is None else values.clean(_word(task)),
                self._breadcrumbs.of(trail_of(summary.plain), site.key, summary.occurred_at, client)
                if self._breadcrumbs
                else (),
            )
            data = _encode(told)
            return data if len(data) <= PAYLOAD_LIMIT else fit(Event(*told[1:]))
        except Exception as problem:
            text = f"{summary.message[:LIMIT]} [capture failed: {type(problem).__name__}]"
            return fit(_bare(summary, values.clean(self._scrub.text(text))))

    def _site(self, plain: logging.LogRecord) -> Site:
        path, line, module = plain.pathname, plain.lineno, plain.module
        if type(path) is not str or type(line) is not int or type(module) is not str:
            return _site_of(plain)
        site = self._sites.get((path, line))
        # The very objects of an earlier record need no second look; a logger and a function keep theirs.
        if (
            site is not None
            and (site.function is plain.funcName and site.logger is plain.name)
            and (site.level is plain.levelno and site.module == module)
        ):
            return site
        site = _site_of(plain)
        if len(path) + len(site.function) + len(site.logger) + len(module) < _KEPT_TEXT:
            _keep(self._sites, (path, line), site)
        return site

    def _template(self, template: str) -> str:
        shown = values.clean(self._scrub.text(template))
        if len(template) < _KEPT_TEXT:
            _keep(self._templates, template, shown)
        return shown

    def _thread(self, name: object) -> str:
        shown = values.clean(_word(name))
        if type(name) is str and len(name) < _KEPT_TEXT:
            _keep(self._threads, name, shown)
        return shown

    def _text(self, raw: str) -> str:
        """The start of the message; of one that holds a traceback its end too, where the exception stands."""
        if len(raw) <= LIMIT:
            return values.clean(self._scrub.searched(raw))
        text = self._scrub.text(raw[: LIMIT + 1] + values.cut_mark(_length(raw), "characters"))
        if _TRACEBACK in raw[:LIMIT]:
            text += "\n" + self._scrub.text(_last_lines(raw[LIMIT:]))
        return values.clean(text)

    def _fingerprint(self, parts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(self._text(part)[:_CONTEXT_TEXT] for part in parts)

    def _stack(self, text: str) -> str:
        """The last whole lines, and how much there was."""
        shown = self._scrub.text(_last_lines(text))
        if len(text) >= LIMIT:
            shown = f"{values.cut_mark(_length(text), 'characters')}\n{shown}"
        return values.clean(shown)

    def _context(self, bound: Mapping[str, Any], plain: logging.LogRecord) -> dict[str, str] | None:
        """Bound names, then structlog's event, then `extra=`: the later, nearer one wins. Then exceptions among the
        message's arguments, of which the message shows the text only.
        """
        found = NamedValues()
        found.add(bound.items(), _CONSUMED)
        if type(plain.msg) is dict:
            found.add(plain.msg.items(), _CONSUMED | {"event"})
        fields = plain.__dict__
        found.add(_added(fields), _ORDINARY)
        if (client := fields.get("client")) is not None and client_id(client) is None:
            found.add((("client", client),))
        found.add_errors(plain.args)
        if "request" in found.texts and (route := values.route_of(fields.get("request"))):
            found.texts.setdefault("route", route)
        return found.shown(self._scrub) or None


def _added(fields: dict[str, Any]) -> Iterable[tuple[Any, Any]]:
    """What was added to a record: it stands behind what logging itself gave it, as long as that is in its order."""
    if all(map(operator.is_, fields, _DEFAULT_ORDER)):
        return islice(fields.items(), _ORDINARY_COUNT, None)
    return fields.items()


def _keep(known: dict[Any, Any], key: object, value: object) -> None:
    if len(known) >= _KEPT:
        known.clear()
    known[key] = value


def _message(record: logging.LogRecord, plain: logging.LogRecord) -> tuple[str, str | None, bool]:
    """(the formatted text, its template where there are arguments, whether it is a text without exceptions in it)."""
    msg: Any = plain.msg
    args: Any = plain.args
    if type(args) is tuple:
        args = args or None
    elif id(type(args)) in _ASKED and not args:
        args = None
    template = msg if type(msg) is str and args is not None else None
    cls = type(record)
    if (
        cls is not StampedRecord
        and cls is not logging.LogRecord
        and cls.getMessage is not logging.LogRecord.getMessage
    ):
        return _formatted_by(record), template, type(msg) is str
    if type(msg) is dict:
        event = msg.get("event", msg.get("message"))
        return _cut(values.text_of(msg if event is None else event)), None, False
    ordinary = type(msg) is str
    text = msg if ordinary else values.text_of(msg)
    if args is None:
        return _cut(text), None, ordinary
    try:
        dropped = 0
        for arg in args if type(args) is tuple else list(dict.values(args)) if type(args) is dict else ():
            cls = type(arg)
            if cls is int:
                continue
            if cls is str or cls is bytes or cls is bytearray:
                if len(arg) > _ARGUMENT_TEXT:
                    dropped += len(arg) - _ARGUMENT_TEXT
            elif issubclass(cls, BaseException):
                ordinary = False
        formatted = text % (args if not dropped else _short(args))
        if type(formatted) is not str:
            formatted = values.exact(formatted) or ""
        if len(formatted) <= LIMIT:
            return formatted, template, ordinary
        return _cut(formatted, dropped), template, ordinary
    except BaseException as problem:
        kinds = args if type(args) is tuple else (args,)
        names = ", ".join(values.kind_of(arg).name for arg in kinds[:10])
        return (
            f"{_cut(text)} [not formatted: {values.kind_of(problem).name}; arguments: {names}]",
            template,
            ordinary,
        )


def _formatted_by(record: logging.LogRecord) -> str:
    try:
        return _cut(values.exact(record.getMessage()) or "")
    except BaseException as problem:
        return (
            f"[no message: {values.kind_of(record).name}.getMessage() raised {values.kind_of(problem).name}]"
        )


def _short(args: Any) -> Any:
    """The arguments with overlong texts cut, so that formatting does not copy hundreds of megabytes."""
    if type(args) is dict:
        return {name: _shortened(arg) for name, arg in list(args.items())}
    return tuple(map(_shortened, args))


def _shortened(arg: Any) -> Any:
    cls = type(arg)
    long = (cls is str or cls is bytes or cls is bytearray) and len(arg) > _ARGUMENT_TEXT
    return arg[:_ARGUMENT_TEXT] if long else arg


def _cut(text: str, dropped: int = 0) -> str:
    """At most what `_text` will look at, so that nobody hashes or keeps 200 MB. `dropped`: characters of arguments
    that are missing already.
    """
    if len(text) <= 4 * LIMIT and not dropped:
        return text
    mark = values.cut_mark(len(text) + dropped, "characters")
    return f"{text[: 2 * LIMIT]}\n{mark}\n{text[max(2 * LIMIT, len(text) - 2 * LIMIT) :]}"


def _length(text: str) -> int:
    """How many characters there were, also before `_cut`."""
    found = _CUT_OUT.match(text, 2 * LIMIT)
    return len(text) if found is None else int(found[1])


def _last_lines(text: str) -> str:
    """Whole lines: a cut through a line could hide what makes a secret one."""
    return text if len(text) < LIMIT else text[1 - LIMIT :].partition("\n")[2]


def _caught(plain: logging.LogRecord) -> Caught | None:
    """The record's exception, also where a structlog event carries it."""
    given: Any = plain.exc_info
    msg: Any = plain.msg
    if (given is None or given is False) and type(msg) is dict:
        given = msg.get("exc_info")
    if given is True:
        given = sys.exc_info()
    if (given is None or given is False) and issubclass(type(msg), BaseException):
        given = msg  # `logger.error(exception)`: what would be written is its text alone.
    if type(given) is not tuple or len(given) != 3:
        return Caught(given, None) if issubclass(type(given), BaseException) else None
    kind, error, traceback = given
    if issubclass(type(error), BaseException):
        return Caught(error, traceback)
    if type(traceback) is not TracebackType:
        return None
    # A traceback apart from its exception: its type and text are what the record says they are.
    named = values.name_of(kind) if issubclass(type(kind), type) else "Traceback"
    text = "" if error is None else values.text_of(error)
    return Caught(Exception(text), traceback, named)


def _printed(text: object) -> str:
    """The traceback that a `SocketHandler` has printed in place of the exception it took off the record."""
    return "\n" + _cut(values.exact(text) or "") if text else ""


def _fingerprint(given: object) -> tuple[str, ...] | None:
    """The texts of `extra={"fingerprint": [...]}`; None where there is none."""
    parts: Iterable[object] = (given,)
    if type(given) is list or type(given) is tuple:
        parts = islice(given, _FINGERPRINT_PARTS)
    texts = (values.text_of(part)[: values.ROOM] for part in parts)
    return tuple(values.clean(text) for text in texts if text) or None


def _site_of(plain: logging.LogRecord) -> Site:
    """The place as far as the record says it; one made by hand may say anything."""
    return Site(
        path=_word(plain.pathname),
        line=_number(plain.lineno, 0),
        function=_word(plain.funcName),
        level=_number(plain.levelno, logging.ERROR),
        logger=_word(plain.name),
        module=_word(plain.module),
        levelname=plain.__dict__.get("levelname"),
    )


def _plain(record: logging.LogRecord) -> logging.LogRecord:
    """The record's own attributes, read past its class; for what is missing, nothing."""
    plain = logging.LogRecord("", logging.ERROR, "", 0, "", (), None, "")
    plain.__dict__.update(_ATTRIBUTES(record) or {})
    keep_trail(plain, trail_of(record))
    return plain


def _number(given: object, default: int) -> int:
    return given if type(given) is int and -(2**31) < given < 2**31 else default


def _word(given: object) -> str:
    if type(given) is str and len(given) <= 1024:
        return given
    return values.shortened(values.exact(given) or "", 1024)


def _unreadable(problem: Exception) -> RecordSummary:
    """What is left when even the summary failed (no memory, no stack): it happened and it counts."""
    return RecordSummary(
        key=1,
        occurred_at=time.time(),
        site=Site("", 0, "", logging.ERROR, "", ""),
        message=f"[a record that could not be read: {type(problem).__name__}]",
        template=None,
        thread="",
        caught=None,
        client=None,
        bound=None,
        fingerprint=None,
        stack=None,
        plain=logging.LogRecord("", logging.ERROR, "", 0, "", (), None),
    )


def _bare(summary: RecordSummary, message: str) -> Event:
    site = summary.site
    return Event(
        occurred_at=summary.occurred_at,
        level=site.level,
        logger=site.clean_logger,
        message=message,
        template=None,
        path=site.clean_path,
        module="",
        function=site.clean_function,
        line=site.line,
        thread=threading.current_thread().name,
        key=summary.key,
    )
