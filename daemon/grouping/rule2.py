"""Version 2 of the grouping rule: facts made comparable, then version 1's questions. Pure.

What it adds: printed tracebacks in the forms that logs have, exceptions handed over by other processes, frames
of templates and frozen programs, and what a library's record says of the application's code.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Hashable
from typing import TypeVar

from msgspec.structs import replace

from tocsin.daemon.grouping import forms
from tocsin.daemon.grouping.rule1 import (
    CHAIN,
    NAME_LIMIT,
    TITLE_LIMIT,
    WORDS,
    Code,
    Key,
    exception_cache_key,
    exception_key,
    message_cache_key,
    message_key,
    own_frames,
)
from tocsin.daemon.grouping.speakers import Speakers
from tocsin.handler.capture.code_locations import NOTEBOOK
from tocsin.handler.capture.source import STATEMENT_LIMIT
from tocsin.handler.protocol.event import Event, Frame, Raised

E = TypeVar("E", bound=Event)

_TRANSPORTS = re.compile(
    r"(?:^|\.)(?:ExceptionWithTraceback|_?RemoteTraceback|RemoteError|RemoteException|RayTaskError(?:\(.*\))?|"
    r"WorkerTaskError|TransportableException|JoblibException|ExceptionWrapper|KilledWorker|TaskFailed)$"
)
"""Exceptions that carry another process's: billiard, multiprocessing, concurrent.futures, loky, execnet, Ray."""
_TEMPLATE_SUFFIXES = frozenset((
    ".html", ".htm", ".xml", ".txt", ".jinja", ".jinja2", ".j2", ".mako", ".mak", ".tmpl", ".tpl", ".md",
    ".pt", ".email", ".sql", ".yml", ".yaml", ".conf", ".css", ".js", ".csv", ".tex", ".rst",
))  # fmt: skip
_TEMPLATE_FUNCTION = re.compile(r"^(?:template|top-level template code|<module>|block ['\"].*['\"])$")
_IN_TEMPLATES = re.compile(r"(?:^|.*[/_])(templates?[/_].+)$")
_FROZEN = re.compile(r"^<frozen ([\w.]+)>$")
_DATABRICKS = re.compile(r"[/\\]\.?ipykernel[/\\]\d+[/\\]command-|^<command-\d")
_KEY = re.compile(r"""[{,] ?['"]([A-Za-z_][\w.-]{0,40})['"]: ?""")
_KEYS = 8
_HELD = re.compile(r"\((\d{1,9}) sub-exceptions?\)$")
_VERSION = re.compile(r"[-_.]?v?\d[\w.\-+]*$")
_BLANK_LEAD = re.compile(r"(?:[^\w\n]*\n)+(?=[^\n]*[^\W\d_])")
_UNSPOKEN = " *:.,-[(\"'"
_SHORT = 4
"""Characters below which an inner exception's text is no text to look for in the outer one's."""


class Code2(Code):
    """What is known of the code, by version 2: frames need not be of Python modules."""

    __slots__ = ()

    def module(self, path: str, line: int, name: str) -> str:
        if _DATABRICKS.search(path):
            return NOTEBOOK
        if _is_template(path, name):
            return self._template_module(path, line)
        if name == "__main__" or (not name and path.endswith("__main__.py")):
            return _program(path)[:NAME_LIMIT] or super().module(path, line, name)
        return super().module(path, line, name)

    def ours(self, frame: Frame) -> bool:
        if frame.path[:1] == "<" and (found := _FROZEN.match(frame.path)):
            return found[1].partition(".")[0] not in sys.stdlib_module_names
        return _DATABRICKS.search(frame.path) is not None or super().ours(frame)

    def statement(self, frame: Frame) -> str | None:
        if not _is_template(frame.path, frame.module):
            return super().statement(frame)
        shown = self.printed.get((frame.path, frame.line))
        location = self.locations.get((frame.path, frame.line))
        if shown is None and location is not None and 0 <= frame.line - location.first < len(location.source):
            shown = location.source[frame.line - location.first]
        return " ".join(shown.split())[:STATEMENT_LIMIT] if shown else None

    def _template_module(self, path: str, line: int) -> str:
        location = self.locations.get((path, line))
        known = location.module if location else ""
        if known and "/" not in known and "\\" not in known and known != path:
            return known[:NAME_LIMIT]
        if path.startswith("memory:"):
            return "<memory>"
        slashed = path.replace("\\", "/")
        tail = _IN_TEMPLATES.match(slashed)
        return ".".join((tail[1] if tail else "/".join(slashed.split("/")[-2:])).split("/"))[:NAME_LIMIT]


def key_of(event: Event, code: Code, speakers: Speakers) -> Key:
    """What the event is under version 2."""
    raised = event.exception
    if raised is None and (found := forms.printed(event.message)):
        raised, code = found.raised, code._replace(printed=found.lines)
    if raised is None:
        key = _worded(message_key(_led(event), code), event, code)
    else:
        key = _counted(exception_key(*_unwrapped(raised, code)), raised)
        if key.location is not None:
            return key
    return _spoken(key, speakers.parts(event))


def cache_key(event: Event, code: Code | None, speakers: Speakers) -> Hashable | None:
    """See `sign.cache_key`."""
    raised = event.exception
    parts = tuple(speakers.parts(event))
    if raised is None:
        if code is None or forms.may_hold(event.message):
            return None
        key = message_cache_key(_led(event), code.locations)
        return None if key is None or event.message != _led(event).message else (key, parts)
    if carries(raised):
        return None
    # An application's frame under version 1 is one under version 2, too: then no text has a say in either.
    key = exception_cache_key(event, raised, None if code is None else Code(*code))
    context = raised.context.text if raised.context is not None else ""
    return None if key is None else (key, parts, context)


def carries(raised: Raised) -> bool:
    """Whether an exception is of those that hand over another process's."""
    return _TRANSPORTS.search(raised.type) is not None


def _spoken(key: Key, parts: list[str]) -> Key:
    """With what the record says of the application's code; the coarse key, which caps, stays the call's."""
    if not parts:
        return key
    title = f"{key.title} ({', '.join(parts)})"[:TITLE_LIMIT]
    return key._replace(components=[*key.components, ["of", *parts]], title=title)


def _counted(key: Key, raised: Raised) -> Key:
    """Of a group the title says how many exceptions it held when it was first seen."""
    held = _HELD.search(raised.text) if raised.group else None
    return key if held is None else key._replace(title=key.title.replace("(* sub-exc", f"({held[1]} sub-exc"))


def _worded(key: Key, event: Event, code: Code) -> Key:
    """A title that has words: of a text without any the code location's."""
    if WORDS.search(key.title):
        return key
    _, module, function, *_ = [*key.components, "", ""]
    at = ".".join(str(part) for part in (module, function) if part) or event.logger
    return key._replace(title=f"{at}: {_shape(event.message) or key.title}"[:TITLE_LIMIT])


def _shape(message: str) -> str:
    """Of a dict its keys, of a list that it is one: the values vary, and are nobody else's business."""
    if message[:1] == "[":
        return "[…]"
    keys = dict.fromkeys(_KEY.findall(message[:TITLE_LIMIT])) if message[:1] == "{" else ()
    return "{" + ", ".join(list(keys)[:_KEYS]) + "}" if keys else ""


def _led(event: E) -> E:
    """Without the lines of quotes and rules before the first line with letters."""
    if event.message[:1].isalnum() or not (found := _BLANK_LEAD.match(event.message)):
        return event
    return replace(event, message=event.message[found.end() :])


# Exceptions


def _unwrapped(raised: Raised, code: Code) -> tuple[Raised, Code]:
    """The exception that the application raised, out of what carried it here."""
    for _ in range(CHAIN):
        foreign = not raised.group and next(own_frames(raised.frames, code), None) is None
        if not (foreign or carries(raised)) or not forms.may_hold(raised.text):
            break
        carried = forms.read(raised.text)
        if carried is None or (carried.raised == raised):
            break
        there = carried.raised
        raised = replace(there, errno=there.errno or raised.errno)
        code = code._replace(printed=carried.lines)
    raised = _tidied(raised, CHAIN)
    if not raised.group and next(own_frames(raised.frames, code), None) is None:
        raised = replace(raised, text=_own_words(raised))
    return raised, code


def _tidied(raised: Raised, depth: int) -> Raised:
    """`builtins.KeyError` is `KeyError`, and a text begins where its letters do; along the chain, into groups."""
    text = raised.text
    if not text[:1].isalnum() and (found := _BLANK_LEAD.match(text)):
        text = text[found.end() :]
    cause = raised.cause
    return replace(
        raised,
        type=raised.type.removeprefix("builtins."),
        text=text,
        cause=_tidied(cause, depth - 1) if cause is not None and depth > 0 else cause,
        group=tuple(_tidied(leaf, depth - 1) for leaf in raised.group) if depth > 0 else raised.group,
    )


def _own_words(raised: Raised) -> str:
    """The text without that of the exception it happened during: `raise SSHException("..." + str(e))`."""
    inner = raised.context or raised.cause
    text = raised.text.split("\n", 1)[0]
    said = inner.text.split("\n", 1)[0].strip() if inner is not None else ""
    if len(said) < _SHORT or said not in text or said == text.strip():
        return raised.text
    return text.replace(said, " * ").rstrip(_UNSPOKEN) or raised.text


# Code that is no Python module


def _is_template(path: str, name: str) -> bool:
    path, name = path.removesuffix(".py"), "" if path.endswith(".py") else name
    if path[:1] in ("<", "") or path.endswith((".pyx", ".pyc", ".so", ".ipynb")):
        return False
    if name == path or path.startswith("memory:"):
        return True
    dot = path.rfind(".")
    return dot > 0 and path[dot:].lower() in _TEMPLATE_SUFFIXES


def _program(path: str) -> str:
    """The name of what runs as `__main__`: of a package or an archive its own, without its version."""
    parts = path.replace("\\", "/").split("/")
    if parts[-1] != "__main__.py" or len(parts) < 2:
        return ""
    parent = parts[-2]
    stem = parent.rpartition(".")[0] if parent.endswith((".pyz", ".zip", ".pex", ".egg")) else parent
    return f"{_VERSION.sub('', stem) or stem}.__main__"
