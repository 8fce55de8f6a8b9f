"""LogRecord to `Event`: what the handler does in the application's thread before the spool has it.

Two steps, so that a repeat costs little: `look` reads what makes the record identical to an earlier one and
hashes it, `event` reads the rest. Neither does I/O, takes a lock or formats a traceback, and nothing of the
record or its traceback outlives the `Glance`.

A record may hold anything. Foreign code runs only where the application asked for text (`str()` of the
message, its arguments and the exceptions), and whatever that raises, SystemExit and KeyboardInterrupt too,
ends here. Only what a signal handler of the application raises just then passes through: it is not about the
record.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
import uuid
from collections.abc import Iterable
from itertools import islice
from typing import Any, Literal

import msgspec
from msgspec import structs

from tocsin.handler import context, values
from tocsin.handler.event import PAYLOAD_LIMIT, Event, Frame, Raised
from tocsin.handler.raised import Caught, Traces
from tocsin.handler.scrub import LIMIT, Scrubber

_HASH = 2**63 - 1
_ARGUMENT_TEXT = 8 * 1024
_CONTEXT_NAMES, _CONTEXT_TEXT = 20, 200
_FINGERPRINT_PARTS = 8
_KEPT = 1024
"""Places and templates kept, at most; all are forgotten together."""
_KEPT_TEXT = 1000
_TRACEBACK = "Traceback (most recent call last)"

# `bool(args)` as logging asks it, but of builtin data only: a foreign `__bool__` may do anything.
_ASKED = frozenset(map(id, (tuple, dict, list, str, int, float, bool)))

_ATTRIBUTES = values.attributes_of
_ORDINARY = frozenset(
    [
        *logging.LogRecord("", 0, "", 0, "", (), None).__dict__,
        *("message", "asctime", "taskName", "client", "fingerprint"),
    ]
)
_ORDINARY_COUNT = len(logging.LogRecord("", 0, "", 0, "", (), None).__dict__)


class Site:
    """Where a record comes from, read and cleaned once: most records come from few places."""

    __slots__ = (
        *("clean_function", "clean_logger", "clean_module", "clean_path"),
        *("function", "level", "line", "logger", "path"),
    )

    def __init__(self, path: str, line: int, function: str, level: int, logger: str, module: str) -> None:
        self.path, self.line, self.function = path, line, function
        self.level, self.logger = level, logger
        self.clean_path = values.clean(path)
        self.clean_function = values.clean(function)
        self.clean_logger = values.clean(logger)
        self.clean_module = values.clean(module)


class Glance:
    """What `look` saw of one record. Drop it when the record is done: it holds the exception.

    `key` is the repeat key: equal for records identical in place, level, text, exception, client and
    fingerprint; 63 bits, never 0, only good within this process. `occurred_at` is epoch seconds.
    """

    __slots__ = (
        *("caught", "client", "fields", "fingerprint", "key"),
        *("message", "occurred_at", "site", "template"),
    )

    key: int
    occurred_at: float
    site: Site
    message: str
    template: str | None
    caught: Caught | None
    client: str | None
    fingerprint: tuple[str, ...] | None
    fields: dict[str, Any]


class Capture:
    """Turns log records into events. One per handler; callable from any thread at once.

    `locals`: "in_app" shows local variables of in-app frames, "none" shows none. `in_app`, `not_in_app`:
    module prefixes. `client`: the client of records that name none.
    """

    def __init__(
        self,
        *,
        locals: Literal["in_app", "none"],
        in_app: tuple[str, ...],
        not_in_app: tuple[str, ...],
        scrub: Scrubber,
        client: str | None,
    ) -> None:
        self._scrub = scrub
        self._client = client
        self._traces = Traces(locals=locals, in_app=in_app, not_in_app=not_in_app, scrub=scrub)
        self._sites: dict[tuple[str, int, str, int, str, str], Site] = {}
        self._templates: dict[str, str] = {}

    def look(self, record: logging.LogRecord) -> Glance:
        """The cheap first look at every record. Never raises, whatever the record holds."""
        try:
            return self._look(record)
        except Exception as problem:
            return _unreadable(record, problem)

    def event(self, glance: Glance) -> Event:
        """The whole event, scrubbed and sanitised; its `key` is the glance's. Never raises. See `fit`."""
        try:
            return self._event(glance)
        except Exception as problem:
            message = f"{glance.message[:LIMIT]} [capture failed: {type(problem).__name__}]"
            return _bare(glance, values.clean(self._scrub.text(message)))

    def _look(self, record: logging.LogRecord) -> Glance:
        fields = record.__dict__ if type(record) is logging.LogRecord else _ATTRIBUTES(record) or {}
        get = fields.get
        glance = Glance()
        glance.fields = fields
        glance.occurred_at = _moment(get("created"))
        glance.site = site = self._site(fields)
        glance.message, glance.template = _message(record, fields)
        plain = get("exc_info") is None and type(get("msg")) is str
        glance.caught = caught = None if plain else _caught(fields)
        bound_client, bound = context.current()
        named = get("client")
        glance.client = (None if named is None else _client(named)) or bound_client or self._client
        own = get("fingerprint")
        glance.fingerprint = _fingerprint(bound.get("fingerprint") if own is None else own)
        raised = 0 if caught is None else self._traces.identity(caught)
        glance.key = (
            hash(
                (
                    *(site.path, site.line, site.function, site.level, site.logger),
                    *(glance.message, raised, glance.client, glance.fingerprint),
                )
            )
            & _HASH
        ) or 1
        return glance

    def _site(self, fields: dict[str, Any]) -> Site:
        get = fields.get
        path, line, function = get("pathname"), get("lineno"), get("funcName")
        level, logger, module = get("levelno"), get("name"), get("module")
        if not (
            (type(path) is str and type(line) is int and type(function) is str)
            and (type(level) is int and type(logger) is str and type(module) is str)
        ):
            return _site_of(fields)
        key = (path, line, function, level, logger, module)
        site = self._sites.get(key)
        if site is None:
            site = _site_of(fields)
            if len(path) + len(function) + len(logger) + len(module) < _KEPT_TEXT:
                if len(self._sites) >= _KEPT:
                    self._sites.clear()
                self._sites[key] = site
        return site

    def _template(self, template: str) -> str:
        shown = self._templates.get(template)
        if shown is None:
            shown = values.clean(self._scrub.text(template))
            if len(template) < _KEPT_TEXT:
                if len(self._templates) >= _KEPT:
                    self._templates.clear()
                self._templates[template] = shown
        return shown

    def _event(self, glance: Glance) -> Event:
        get = glance.fields.get
        site, caught, template, client = glance.site, glance.caught, glance.template, glance.client
        stack = get("stack_info")
        # By position, in the order of `Event`: keywords cost four times as much.
        return Event(
            glance.occurred_at,
            site.level,
            site.clean_logger,
            self._text(glance.message),
            None if template is None else self._template(template),
            site.clean_path,
            site.clean_module,
            site.clean_function,
            site.line,
            values.clean(_word(get("threadName"))),
            None if caught is None else self._traces.raised(caught),
            None if client is None else values.clean(client[:_CONTEXT_TEXT]),
            self._context(glance.fields),
            None if glance.fingerprint is None else self._fingerprint(glance.fingerprint),
            self._stack(stack) if type(stack) is str and stack else None,
            glance.key,
        )

    def _text(self, raw: str) -> str:
        """The start of the message; of one that holds a traceback its end too, where the exception stands."""
        text = self._scrub.text(raw)
        if len(raw) > LIMIT and _TRACEBACK in raw[:LIMIT]:
            text += "\n" + self._stack(raw[LIMIT:])
        return values.clean(text)

    def _fingerprint(self, parts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(self._text(part)[:_CONTEXT_TEXT] for part in parts)

    def _stack(self, text: str) -> str:
        """The last whole lines: a cut through a line could hide what makes a secret one."""
        if len(text) >= LIMIT:
            text = text[1 - LIMIT :].partition("\n")[2]
        return values.clean(self._scrub.text(text))

    def _context(self, fields: dict[str, Any]) -> dict[str, str] | None:
        """Bound names, then structlog's event, then `extra=`: the later, nearer one wins."""
        bound = context.current()[1]
        event = fields.get("msg")
        extra = len(fields) > _ORDINARY_COUNT
        if not bound and not extra and type(event) is not dict:
            return None
        found: dict[str, str] = {}
        _add(found, bound.items())
        if type(event) is dict:
            _add(found, event.items())
        if extra:
            _add(found, fields.items(), _ORDINARY)
        if not found:
            return None
        shown = self._scrub.pairs(found)
        return {values.clean(name): values.clean(text[:_CONTEXT_TEXT]) for name, text in shown.items()}


def fit(event: Event) -> bytes:
    """The event's payload, at most `PAYLOAD_LIMIT` bytes; what does not fit is shortened step by step: local
    variables, frames from the middle, contexts, texts. Never raises.
    """
    for shorten in _STEPS:
        try:
            event = event if shorten is None else shorten(event)
            data = _encoder.encode(event)
        except (TypeError, ValueError, OverflowError, RecursionError, AttributeError):
            continue
        if len(data) <= PAYLOAD_LIMIT:
            return data
    return _encoder.encode(_remains(event))


def _message(record: logging.LogRecord, fields: dict[str, Any]) -> tuple[str, str | None]:
    """(the formatted text, its template where there are arguments)."""
    msg, args = fields.get("msg"), fields.get("args")
    if id(type(args)) in _ASKED and not args:
        args = None
    template = msg if type(msg) is str and args is not None else None
    if type(record) is not logging.LogRecord and type(record).getMessage is not logging.LogRecord.getMessage:
        return _formatted_by(record), template
    if type(msg) is dict:
        event = msg.get("event", msg.get("message"))
        return _cut(values.text_of(msg if event is None else event)), None
    text = msg if type(msg) is str else values.text_of(msg)
    if args is None:
        return _cut(text), None
    try:
        formatted = text % _short(args)
        return _cut(values.exact(formatted) or ""), template
    except BaseException as problem:
        kinds = args if type(args) is tuple else (args,)
        names = ", ".join(values.kind_of(arg).name for arg in kinds[:10])
        return f"{_cut(text)} [not formatted: {values.kind_of(problem).name}; arguments: {names}]", template


def _formatted_by(record: logging.LogRecord) -> str:
    try:
        return _cut(values.exact(record.getMessage()) or "")
    except BaseException as problem:
        return (
            f"[no message: {values.kind_of(record).name}.getMessage() raised {values.kind_of(problem).name}]"
        )


def _short(args: Any) -> Any:
    """The arguments with overlong texts cut, so that formatting does not copy hundreds of megabytes."""
    if type(args) is not tuple:
        return args
    for arg in args:
        cls = type(arg)
        if (cls is str or cls is bytes or cls is bytearray) and len(arg) > _ARGUMENT_TEXT:
            break
    else:
        return args
    return tuple(
        arg[:_ARGUMENT_TEXT] if type(arg) in (str, bytes, bytearray) and len(arg) > _ARGUMENT_TEXT else arg
        for arg in args
    )


def _cut(text: str) -> str:
    """At most what `_text` will look at, so that nobody hashes or keeps 200 MB."""
    if len(text) <= 4 * LIMIT:
        return text
    return text[: 2 * LIMIT] + "\n…\n" + text[-2 * LIMIT :]


def _caught(fields: dict[str, Any]) -> Caught | None:
    """The record's exception, also where a structlog event carries it."""
    given: Any = fields.get("exc_info")
    msg = fields.get("msg")
    if (given is None or given is False) and type(msg) is dict:
        given = msg.get("exc_info")
    if given is True:
        given = sys.exc_info()
    error, traceback = given, None
    if type(given) is tuple:
        error, traceback = given[1:] if len(given) == 3 else (None, None)
    return Caught(error, traceback) if error is not None and issubclass(type(error), BaseException) else None


def _client(given: object) -> str | None:
    if type(given) is str:
        return given or None
    return str(given) if type(given) is int or type(given) is uuid.UUID else values.exact(given)


def _fingerprint(given: object) -> tuple[str, ...] | None:
    """The texts of `extra={"fingerprint": [...]}`; None where there is none."""
    if given is None:
        return None
    parts: Iterable[object] = (given,)
    if type(given) is list or type(given) is tuple:
        parts = islice(given, _FINGERPRINT_PARTS)
    texts = (values.text_of(part)[: values.ROOM] for part in parts)
    return tuple(values.clean(text) for text in texts if text) or None


def _add(found: dict[str, str], items: Iterable[tuple[Any, Any]], but: frozenset[str] = frozenset()) -> None:
    for name, value in list(islice(items, 100)):
        if type(name) is not str or name in but or name.startswith("_"):
            continue
        if name in ("event", "exc_info", "fingerprint") or (
            len(found) >= _CONTEXT_NAMES and name not in found
        ):
            continue
        text = value if type(value) is str else values.render(value)
        found[name[:100]] = text[: values.ROOM]


def _site_of(fields: dict[str, Any]) -> Site:
    """The place as far as the record says it; one made by hand may say anything."""
    get = fields.get
    return Site(
        path=_word(get("pathname")),
        line=_number(get("lineno"), 0),
        function=_word(get("funcName")),
        level=_number(get("levelno"), logging.ERROR),
        logger=_word(get("name")),
        module=_word(get("module")),
    )


def _moment(created: object) -> float:
    """Epoch seconds; a record made by hand may say anything."""
    return created if type(created) is float and 0.0 < created < 2.0**40 else time.time()


def _number(given: object, default: int) -> int:
    return given if type(given) is int and -(2**31) < given < 2**31 else default


def _word(given: object) -> str:
    if type(given) is str and len(given) <= 1024:
        return given
    return (values.exact(given) or "")[:1024]


def _unreadable(record: logging.LogRecord, problem: Exception) -> Glance:
    """What is left when even the look failed (no memory, no stack): it happened and it counts."""
    glance = Glance()
    glance.key = 1
    glance.occurred_at = time.time()
    glance.site = Site("", 0, "", logging.ERROR, "", "")
    glance.message = f"[a record that could not be read: {type(problem).__name__}]"
    glance.template = glance.caught = glance.client = glance.fingerprint = None
    glance.fields = {}
    return glance


def _bare(glance: Glance, message: str) -> Event:
    site = glance.site
    return Event(
        occurred_at=glance.occurred_at,
        level=site.level,
        logger=site.clean_logger,
        message=message,
        template=None,
        path=site.clean_path,
        module="",
        function=site.clean_function,
        line=site.line,
        thread=threading.current_thread().name,
        key=glance.key,
    )


_encoder = msgspec.msgpack.Encoder()


def _without_arguments(event: Event) -> Event:
    return _changed(event, lambda frame: structs.replace(frame, arguments=None), 100, LIMIT)


def _without_locals(event: Event) -> Event:
    return _changed(event, _frame_only, 100, LIMIT)


def _with_fewer_frames(event: Event) -> Event:
    return _changed(event, _frame_only, 16, 1000)


def _with_short_texts(event: Event) -> Event:
    event = _changed(event, _frame_only, 8, 300)
    return structs.replace(
        event, message=event.message[:2000], stack=None, context=None, template=_head(event.template, 1000)
    )


def _remains(event: Event) -> Event:
    """An event of bounded size whatever it was: for what not even the shortest form could save."""
    error = event.exception
    return Event(
        occurred_at=event.occurred_at,
        level=event.level,
        logger=_safe(event.logger),
        message=_safe(event.message),
        template=None,
        path=_safe(event.path),
        module=_safe(event.module),
        function=_safe(event.function),
        line=event.line,
        exception=None if error is None else Raised(type=_safe(error.type), text=_safe(error.text)),
        client=None if event.client is None else _safe(event.client),
        key=event.key,
    )


_STEPS = (None, _without_arguments, _without_locals, _with_fewer_frames, _with_short_texts)


def _frame_only(frame: Frame) -> Frame:
    return Frame(frame.path, frame.module, frame.function, frame.line)


def _head(text: str | None, limit: int) -> str | None:
    return None if text is None else text[:limit]


def _safe(text: str) -> str:
    return values.clean(text[:1000])


def _changed(event: Event, change: Any, room: int, text: int) -> Event:
    if event.exception is None:
        return event
    return structs.replace(event, exception=_shorter(event.exception, change, room, text, room))


def _shorter(raised: Raised, change: Any, room: int, text: int, nodes: int) -> Raised:
    """The exception with every frame changed, `room` frames of each kept, and chains at most `nodes` long."""
    omitted = max(0, len(raised.frames) - room)
    half = room // 2
    frames = raised.frames[:half] + raised.frames[half + omitted :]

    def follow(link: Raised | None) -> Raised | None:
        return None if link is None or nodes <= 0 else _shorter(link, change, room, text, nodes - 2)

    members = raised.group[: max(0, nodes)]
    return structs.replace(
        raised,
        text=raised.text[:text],
        frames=tuple(change(frame) for frame in frames),
        omitted=raised.omitted + omitted,
        cause=follow(raised.cause),
        context=follow(raised.context),
        group=tuple(_shorter(member, change, room, text, nodes - 4) for member in members),
    )
