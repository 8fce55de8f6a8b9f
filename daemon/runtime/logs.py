"""How the daemon writes its log: one line per event; JSON in a service, readable on a terminal.

Text from outside is only ever a value, and no value holds a control character when it is written: JSON and
`repr` escape them, so that neither a line break forges an event nor an escape sequence reaches a terminal.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Mapping
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_PRIORITIES = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}
_COLOURS = {"critical": "31;1", "error": "31", "warning": "33"}
_SHARED: list[Processor] = [
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]


def configure(stream: TextIO = sys.stderr, environ: Mapping[str, str] = os.environ) -> None:
    """Sends all that this process logs (structlog, logging, warnings, dying threads) to the stream."""
    renderer: Processor
    if stream.isatty():
        renderer = readable
    elif "JOURNAL_STREAM" in environ:
        renderer = _for_the_journal
    else:
        renderer = structlog.processors.JSONRenderer(default=str)
    structlog.configure(
        processors=[*_SHARED, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _as_value, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(True)
    threading.excepthook = _thread_died


def readable(_logger: WrappedLogger, _name: str, event: EventDict) -> str:
    """`12:03:04 warning mail_not_sent  mail=7 reason='...'`, the level in colour."""
    at, level = str(event.pop("timestamp", ""))[11:19], str(event.pop("level", ""))
    name = str(event.pop("event", "")).encode("unicode_escape").decode()
    values = " ".join(f"{key}={value!a}" for key, value in event.items())
    return f"{at} \x1b[{_COLOURS.get(level, '32')}m{level:<8}\x1b[0m {name}  {values}".rstrip()


def _for_the_journal(logger: WrappedLogger, name: str, event: EventDict) -> str:
    """JSON behind the priority that journald takes off the line (sd-daemon(3)), for `journalctl -p`."""
    level = str(event.get("level", "info"))
    text = structlog.processors.JSONRenderer(default=str)(logger, name, event)
    return f"<{_PRIORITIES.get(level, 6)}>{text if isinstance(text, str) else text.decode()}"


def _as_value(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """What a library says is text from outside: it becomes a value, not the event's name."""
    event["message"] = event.get("event", "")
    event["event"] = "library"
    return event


def _thread_died(args: threading.ExceptHookArgs) -> None:
    """A dying thread is one event too; the watchdog sees that it no longer comes round."""
    structlog.get_logger().critical(
        "thread_died",
        thread=args.thread.name if args.thread else "",
        exc_info=(args.exc_type, args.exc_value, args.exc_traceback),
    )
