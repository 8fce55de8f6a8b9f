"""The message of a record: formatted as logging formats it, bounded before anybody hashes or keeps it. No secrets are
looked for here.

Foreign code runs only where the application asked for text: `str()` of the message and of its arguments.
"""

from __future__ import annotations

import logging
import re
from typing import Any

from tocsin.handler.capture import values
from tocsin.handler.capture.scrub import LIMIT
from tocsin.handler.capture.stamped_record import StampedRecord

_ARGUMENT_TEXT = 8 * 1024
_CUT_OUT = re.compile(r"\n… \(of (\d{1,20}) characters\)\n")

# `bool(args)` as logging asks it, but of builtin data only: a foreign `__bool__` may do anything.
_ASKED = frozenset(map(id, (tuple, dict, list, str, int, float, bool)))


def message_of(record: logging.LogRecord, fields: dict[str, Any]) -> tuple[str, str | None, bool]:
    """(the formatted text, its template where there are arguments, whether it is a text without exceptions in it).

    `fields` are the record's attributes.
    """
    msg: Any = fields["msg"]
    args: Any = fields["args"]
    # Of nearly every record: a template, numbers and short texts.
    if type(args) is tuple and args and type(msg) is str and type(record) is StampedRecord:
        for arg in args:
            cls = type(arg)
            if cls is not int and (cls is not str or len(arg) > _ARGUMENT_TEXT):
                break
        else:
            try:
                formatted = msg % args
                if len(formatted) <= LIMIT:
                    return formatted, msg, True
            except Exception:  # Told below.
                pass
    return _any_message(record, msg, args)


def _any_message(record: logging.LogRecord, msg: Any, args: Any) -> tuple[str, str | None, bool]:
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
        return cut(values.text_of(msg if event is None else event)), None, False
    ordinary = type(msg) is str
    text = msg if ordinary else values.text_of(msg)
    if args is None:
        return cut(text), None, ordinary
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
        return cut(formatted, dropped), template, ordinary
    except BaseException as problem:
        kinds = args if type(args) is tuple else (args,)
        names = ", ".join(values.kind_of(arg).name for arg in kinds[:10])
        return (
            f"{cut(text)} [not formatted: {values.kind_of(problem).name}; arguments: {names}]",
            template,
            ordinary,
        )


def _formatted_by(record: logging.LogRecord) -> str:
    try:
        return cut(values.exact(record.getMessage()) or "")
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


def cut(text: str, dropped: int = 0) -> str:
    """As much as will be looked at, so that nobody hashes or keeps 200 MB. `dropped`: characters of arguments
    that are missing already.
    """
    if len(text) <= 4 * LIMIT and not dropped:
        return text
    mark = values.cut_mark(len(text) + dropped, "characters")
    return f"{text[: 2 * LIMIT]}\n{mark}\n{text[max(2 * LIMIT, len(text) - 2 * LIMIT) :]}"


def length_of(text: str) -> int:
    """How many characters there were, also before `cut`."""
    found = _CUT_OUT.match(text, 2 * LIMIT)
    return len(text) if found is None else int(found[1])


def last_lines(text: str) -> str:
    """Whole lines: a cut through a line could hide what makes a secret one."""
    return text if len(text) < LIMIT else text[1 - LIMIT :].partition("\n")[2]


def printed(text: object) -> str:
    """The traceback that a `SocketHandler` has printed in place of the exception it took off the record."""
    return "\n" + cut(values.exact(text) or "") if text else ""
