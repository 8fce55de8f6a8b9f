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
from tocsin.handler.capture.envelope import Envelopes
from tocsin.handler.capture.fit import fit
from tocsin.handler.capture.message import last_lines, length_of, message_of, printed
from tocsin.handler.capture.named_values import Harmless, NamedValues
from tocsin.handler.capture.raised import Caught, Traces
from tocsin.handler.capture.scrub import LIMIT, Scrubber, innocent
from tocsin.handler.capture.site import Site, sites, word
from tocsin.handler.capture.stamp import is_plain, keep_trail, trail_of
from tocsin.handler.capture.stamped_record import TASK, TASKS_UNKNOWN, StampedRecord
from tocsin.handler.protocol.event import PAYLOAD_LIMIT, Event

_encode = msgspec.msgpack.Encoder().encode
_HASH = 2**63 - 1
_TAG = Event.__struct_config__.tag
_CONTEXT_TEXT = 200
_FINGERPRINT_PARTS = 8
_KEPT = 1024
"""Places and templates kept, at most; all are forgotten together."""
_KEPT_TEXT = 1000
_TRACEBACK = "Traceback (most recent call last)"

_ATTRIBUTES = values.attributes_of
_PLAIN = logging.LogRecord("", logging.ERROR, "", 0, "", (), None, "")
"""A record that says nothing."""
_DEFAULT_ORDER = tuple(_PLAIN.__dict__)
_DEFAULTS = frozenset(_DEFAULT_ORDER)
_ORDINARY = _DEFAULTS | {"message", "asctime", "taskName", "client", "fingerprint"}
_CONSUMED = frozenset(("exc_info", "fingerprint"))
_ORDINARY_COUNT = len(_DEFAULTS)


class Details(Struct, frozen=True, gc=False):
    """What a record tells besides its message; most tell nothing."""

    caught: Caught | None
    client: str | None
    bound: Mapping[str, Any] | None
    """None where there are no named values: nothing bound, no `extra=`, no structlog event."""
    fingerprint: tuple[str, ...] | None
    task: object


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
    plain: logging.LogRecord
    details: Details | None = None


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
        self._templates: dict[str, str] = {}
        self._envelopes = Envelopes(self._template)
        self._harmless = Harmless()
        self._always = bool(client) or self._breadcrumbs is not None
        """Whether each event tells something besides its message."""

    def summarize(self, record: logging.LogRecord) -> RecordSummary:
        """The cheap summary of every record. Never raises, whatever the record holds."""
        try:
            cls = type(record)
            if cls is StampedRecord:
                plain = record
                fields = record.__dict__
                client, bound = record.tocsin_bound  # type: ignore[attr-defined]
                site: Site | None = record.tocsin_site  # type: ignore[attr-defined]
                task = record.tocsin_task if TASKS_UNKNOWN else fields["taskName"]  # type: ignore[attr-defined]
            else:
                plain = record if cls is logging.LogRecord else _plain(record)
                fields = plain.__dict__
                client, bound = current()
                site, task = None, fields.get(TASK)
            # The very objects of the record that was made need no second look.
            if (
                site is None
                or (site.line is not fields["lineno"] or site.path is not fields["pathname"])
                or (site.function is not fields["funcName"] or site.logger is not fields["name"])
                or (site.level is not fields["levelno"] or site.module is not fields["module"])
            ):
                site = sites.find(fields)
            message, template, ordinary = message_of(record, fields)
            details = rest = None
            if (
                (bound or client or task is not None or not ordinary or len(fields) > _ORDINARY_COUNT)
                or (fields["exc_info"] is not None or fields["exc_text"] is not None)
                or (fields["stack_info"] is not None or fields["levelname"] is not site.levelname)
                or (site.level_name or self._always)
            ):
                details = self._details(plain, ordinary, client, bound, task)
                if details.caught is None and fields["exc_text"] is not None:
                    message += printed(fields["exc_text"])
                raised = 0 if details.caught is None else self._traces.identity(details.caught)
                if raised or details.client or details.fingerprint:
                    rest = raised, details.client, details.fingerprint
            key = hash((site.key, message, rest)) & _HASH or 1
            created = fields["created"]
            if type(created) is not float or not 0.0 < created < 2.0**40:
                created = time.time()  # A record made by hand may say anything.
            # By position: keywords cost four times as much.
            return RecordSummary(key, created, site, message, template, plain, details)
        except Exception as problem:
            if is_plain(record) and not record.__dict__.keys() >= _DEFAULTS:
                return self.summarize(_plain(record))
            return _unreadable(problem)

    def _details(
        self,
        plain: logging.LogRecord,
        ordinary: bool,
        client: str | None,
        bound: Mapping[str, Any],
        task: object,
    ) -> Details:
        """`ordinary`: the message is a text without exceptions in it. `client` and `bound` are what was bound."""
        fields = plain.__dict__
        caught = None if ordinary and fields["exc_info"] is None else _caught(plain)
        given = bound.get("fingerprint") if bound else None
        if not ordinary and type(plain.msg) is dict and (named := plain.msg.get("client")) is not None:
            client = client_id(named) or client
        if len(fields) > _ORDINARY_COUNT:
            ordinary = False
            if (named := fields.get("client")) is not None:
                client = client_id(named) or client
            if (own := fields.get("fingerprint")) is not None:
                given = own
        fingerprint = None if given is None else _fingerprint(given)
        told = None if ordinary and not bound else bound
        return Details(caught, client or self._client, told, fingerprint, task)

    def payload(self, summary: RecordSummary) -> bytes:
        """The whole event as a spool frame holds it, scrubbed, sanitised and fitted. Never raises."""
        try:
            message, details = summary.message, summary.details
            if len(message) > LIMIT or not innocent(message):
                message = self._text(message)
            elif not message.isascii():
                message = values.clean(message)
            if details is None:
                at, site, thread = summary.occurred_at, summary.site, summary.plain.__dict__.get("threadName")
                return self._envelopes.sealed(at, site, summary.template, message, thread, summary.key)
            told = self._told(summary, details, message)
            data = _encode(told)
            return data if len(data) <= PAYLOAD_LIMIT else fit(Event(*told[1:]))
        except Exception as problem:
            text = f"{summary.message[:LIMIT]} [capture failed: {type(problem).__name__}]"
            return fit(_bare(summary, values.clean(self._scrub.text(text))))

    def _told(self, summary: RecordSummary, details: Details, message: str) -> tuple[Any, ...]:
        """The parts of `Event`. One that is only written need not be built: encoded, they are the same."""
        site, template, plain = summary.site, summary.template, summary.plain
        client, fingerprint, task = details.client, details.fingerprint, details.task
        fields = plain.__dict__
        stack, levelname = fields.get("stack_info"), fields.get("levelname")
        return (
            _TAG,
            summary.occurred_at,
            site.level,
            site.shown.logger,
            message,
            None if template is None else self._template(template),
            site.shown.path,
            site.shown.module,
            site.shown.function,
            site.line,
            values.clean(word(fields.get("threadName"))),
            None if details.caught is None else self._traces.raised(details.caught),
            None if client is None else values.clean(client[:_CONTEXT_TEXT]),
            None if details.bound is None else self._context(details.bound, plain),
            None if fingerprint is None else self._fingerprint(fingerprint),
            None if stack is None else self._stack(stack),
            summary.key,
            site.level_name if levelname is site.levelname else values.level_name(site.level, levelname),
            "" if task is None else values.clean(word(task)),
            self._breadcrumbs.of(trail_of(plain), site.key, summary.occurred_at, client)
            if self._breadcrumbs
            else (),
        )

    def _template(self, template: str) -> str:
        known = self._templates.get(template)
        if known is not None:
            return known
        shown = values.clean(self._scrub.text(template))
        if len(template) < _KEPT_TEXT:
            if len(self._templates) >= _KEPT:
                self._templates.clear()
            self._templates[template] = shown
        return shown

    def _text(self, raw: str) -> str:
        """The start of the message; of one that holds a traceback its end too, where the exception stands."""
        if len(raw) <= LIMIT:
            return values.clean(self._scrub.searched(raw))
        text = self._scrub.text(raw[: LIMIT + 1] + values.cut_mark(length_of(raw), "characters"))
        if _TRACEBACK in raw[:LIMIT]:
            text += "\n" + self._scrub.text(last_lines(raw[LIMIT:]))
        return values.clean(text)

    def _fingerprint(self, parts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(self._text(part)[:_CONTEXT_TEXT] for part in parts)

    def _stack(self, text: object) -> str | None:
        """The last whole lines, and how much there was; None for what is no text."""
        if type(text) is not str or not text:
            return None
        shown = self._scrub.text(last_lines(text))
        if len(text) >= LIMIT:
            shown = f"{values.cut_mark(length_of(text), 'characters')}\n{shown}"
        return values.clean(shown)

    def _context(self, bound: Mapping[str, Any], plain: logging.LogRecord) -> dict[str, str] | None:
        """Bound names, then structlog's event, then `extra=`: the later, nearer one wins. Then exceptions among the
        message's arguments, of which the message shows the text only.
        """
        found = NamedValues(self._harmless)
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


def _fingerprint(given: object) -> tuple[str, ...] | None:
    """The texts of `extra={"fingerprint": [...]}`; None where there is none."""
    parts: Iterable[object] = (given,)
    if type(given) is list or type(given) is tuple:
        parts = islice(given, _FINGERPRINT_PARTS)
    texts = (values.text_of(part)[: values.ROOM] for part in parts)
    return tuple(values.clean(text) for text in texts if text) or None


def _plain(record: logging.LogRecord) -> logging.LogRecord:
    """The record's own attributes, read past its class; for what is missing, nothing."""
    plain = logging.LogRecord("", logging.ERROR, "", 0, "", (), None, "")
    plain.__dict__.update(_ATTRIBUTES(record) or {})
    keep_trail(plain, trail_of(record))
    return plain


def _unreadable(problem: Exception) -> RecordSummary:
    """What is left when even the summary failed (no memory, no stack): it happened and it counts."""
    return RecordSummary(
        key=1,
        occurred_at=time.time(),
        site=Site(_PLAIN.__dict__),
        message=f"[a record that could not be read: {type(problem).__name__}]",
        template=None,
        plain=_PLAIN,
    )


def _bare(summary: RecordSummary, message: str) -> Event:
    site = summary.site
    return Event(
        occurred_at=summary.occurred_at,
        level=site.level,
        logger=site.shown.logger,
        message=message,
        template=None,
        path=site.shown.path,
        module="",
        function=site.shown.function,
        line=site.line,
        thread=threading.current_thread().name,
        key=summary.key,
    )
