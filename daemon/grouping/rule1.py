"""Version 1 of the grouping rule, frozen: event facts → what an error is known by. Pure.

Version 2 (`rule2`) makes the facts comparable first and then asks these functions.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from tocsin.daemon.grouping import traceback_text
from tocsin.daemon.grouping.mask import mask
from tocsin.handler.capture.code_locations import canonical, module_of
from tocsin.handler.capture.inapp import in_app as belongs
from tocsin.handler.capture.inapp import is_standard_library
from tocsin.handler.capture.source import percent
from tocsin.handler.protocol.event import CodeLocation, Event, Frame, Raised

TITLE_LIMIT = 300
NAME_LIMIT = 500
CHAIN = 8
_LEAVES = 64
_RECURSIVE = 64

DEFAULT = frozenset(("{{ default }}", "{{default}}"))
INLINED = frozenset(("<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>"))
"""Frames that are no frames of their own, or not in every Python version."""
_PASSED_OVER = frozenset(
    ("wrapper", "wrapped", "inner", "middleware", "__call__", "dispatch", "<lambda>", "<module>")
)
"""Functions that are nobody's caller: adding a decorator or a middleware opens nothing."""
_INLINED_SCOPE = re.compile(r"<(?:list|dict|set)comp>\.")
REMOTE = ("RemoteTraceback", "_RemoteTraceback")
_CANCELLED = "asyncio.exceptions.CancelledError"

WORDS = re.compile(r"(?:[^\W\d_][\W\d_]*+){3}|[\u3400-\u9fff\uac00-\ud7af]{2}")
_WARNING = re.compile(r"^(.{1,1000}?):(\d{1,7}): (?=([\w.]{1,200}): )")
_DICT_EVENT = re.compile(r"""['"](?:event|message|msg)['"]: (['"])([^'"]{1,2000}+)\1""")
_UNSPOKEN = " *:.,-"
_CAPPED = 4000
"""A message this long may have been shortened by the handler: its end may be missing."""

_escaped = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode
_plain = msgspec.json.Encoder().encode
masked = lru_cache(maxsize=4096)(mask)

CodeLocations = Mapping[tuple[str, int], CodeLocation]


class NamedLocation(NamedTuple):
    """The code an error belongs to."""

    path: str
    line: int
    module: str
    function: str


class Key(NamedTuple):
    """What an event is, before it is hashed."""

    components: list[Any]
    coarse: list[str]
    title: str
    location: NamedLocation | None = None


class Code(NamedTuple):
    """What is known of the locations an event names, and how in-app is decided where nothing is."""

    locations: CodeLocations
    in_app: tuple[str, ...]
    not_in_app: tuple[str, ...]
    printed: Mapping[tuple[str, int], str] = {}
    """Of a text traceback: the source line under each frame."""

    def module(self, path: str, line: int, name: str) -> str:
        if not name:
            location = self.locations.get((path, line))
            name = location.module if location else ""
        if name and name != "__main__" and path[:1] != "<" and "ipy" not in path:
            return name[:NAME_LIMIT]
        return (module_of(path, name) or _from_path(path))[:NAME_LIMIT]

    def ours(self, frame: Frame) -> bool:
        location = self.locations.get((frame.path, frame.line))
        if location is not None:
            return location.in_app
        return belongs(frame.path, self.module_of(frame), self.in_app, self.not_in_app)

    def module_of(self, frame: Frame) -> str:
        return self.module(frame.path, frame.line, frame.module)

    def location(self, frame: Frame) -> NamedLocation:
        return NamedLocation(frame.path, frame.line, self.module_of(frame), function_name(frame.function))

    def statement(self, frame: Frame) -> str | None:
        """The frame's statement; in a text traceback only one that holds the line printed there."""
        location = self.locations.get((frame.path, frame.line))
        statement = location.statement if location else None
        printed = self.printed.get((frame.path, frame.line))
        if printed is None:
            return statement
        shown = canonical(printed)
        return statement if statement and shown in statement else shown


def exception_cache_key(event: Event, raised: Raised, code: Code | None) -> Hashable | None:
    """`cache_key` of an event with this exception; without `code` its text is always part of it."""
    if raised.group or raised.syntax or raised.recursive:
        return None
    chain: list[tuple[str, str | None]] = []
    one: Raised | None = raised
    while one is not None and len(chain) < CHAIN:
        if one.type.endswith(REMOTE):
            return None
        chain.append((one.type, one.errno))
        one = one.cause
    frames = tuple([(frame.path, frame.line, frame.module, frame.function) for frame in raised.frames])
    # Where no frame is ours, the error belongs to the call that logged it.
    text: tuple[str, str, int] | None = (raised.text, event.path, event.line)
    if code is not None and next(own_frames(raised.frames, code), None) is not None:
        text = None
    return tuple(chain), frames, text, event.fingerprint


def key_of(event: Event, code: Code) -> Key:
    """What the event is under version 1."""
    if event.exception is not None:
        return exception_key(event.exception, code)
    if traceback_text.MARKER in event.message:
        printed = traceback_text.read(traceback_text.with_traceback(event.message))
        if printed is not None:
            return exception_key(printed.raised, code._replace(printed=printed.lines))
    return message_key(event, code)


def encode(components: list[Any]) -> bytes:
    """JSON, all but printable ASCII escaped; msgspec's, the faster, agrees where nothing is to escape."""
    try:
        data = _plain(components)
    except UnicodeEncodeError:
        return _escaped(components).encode()
    return data if data.isascii() and b"\x7f" not in data else _escaped(components).encode()


# Exceptions


def exception_key(raised: Raised, code: Code) -> Key:
    """Of a group the key of its distinct leaves; of an error in a worker process the key it had there."""
    if raised.group:
        return _group_key(raised, code)
    remote = raised.cause
    if remote is not None and remote.type.endswith(REMOTE):
        printed = traceback_text.read(remote.text)
        if printed is not None and printed.raised.frames:
            there = msgspec.structs.replace(printed.raised, errno=raised.errno)
            return _single_key(there, code._replace(printed=printed.lines))
    return _single_key(raised, code)


def _group_key(raised: Raised, code: Code) -> Key:
    leaves = list(_leaves(raised))
    others = [leaf for leaf in leaves if leaf.type != _CANCELLED]
    keys = {encode(key.components): key for key in (_single_key(leaf, code) for leaf in others or leaves)}
    if not keys:
        return _single_key(msgspec.structs.replace(raised, group=()), code)
    ordered = [keys[one] for one in sorted(keys)]
    if len(ordered) == 1:
        return ordered[0]
    own = next(own_frames(raised.frames, code), None)
    coarse = [*_location_names(own, code), _type(raised)] if own else [*ordered[0].coarse[:2], _type(raised)]
    at = code.location(own) if own else ordered[0].location
    return Key(["group", [key.components for key in ordered]], coarse, _titled(raised), at)


def _leaves(raised: Raised) -> Iterator[Raised]:
    """The exceptions of a group that are no groups, nested ones too; bounded."""
    waiting, looked = [raised], 0
    count = 0
    while waiting and looked < 16 * _LEAVES and count < _LEAVES:
        one = waiting.pop()
        looked += 1
        if one.group:
            waiting.extend(reversed(one.group))
        else:
            count += 1
            yield one


def _single_key(raised: Raised, code: Code) -> Key:
    types = _types(raised)
    title = _titled(raised)
    if raised.syntax is not None and not raised.syntax.path.startswith("<"):
        return _syntax_key(raised, types, title, code)
    if raised.type == "RecursionError" and (recursive := _recursive(raised, code)):
        own = next(own_frames(raised.frames, code), None)
        return Key(
            ["recursion", types, recursive],
            [*recursive[0], raised.type],
            title,
            code.location(own) if own else None,
        )
    ours = own_frames(raised.frames, code)
    innermost = next(ours, None)
    if innermost is None:
        return _foreign_key(raised, types, title, code)
    names = _location_names(innermost, code)
    caller = next((other for other in _callers(ours, code) if other != names), None)
    components = ["exception", types, [*names, code.statement(innermost)], caller]
    return Key(components, [*names, types[0][0]], title, code.location(innermost))


def _types(raised: Raised) -> list[list[str]]:
    """[type, errno name where there is one] of the exception and of what it was raised from."""
    found: list[list[str]] = []
    one: Raised | None = raised
    while one is not None and len(found) < CHAIN:
        found.append([_type(one), one.errno] if one.errno else [_type(one)])
        one = one.cause
    return found


def _type(raised: Raised) -> str:
    return raised.type.removeprefix("__main__.")[:NAME_LIMIT]


def own_frames(frames: tuple[Frame, ...], code: Code) -> Iterator[Frame]:
    """The application's own frames, innermost first, without those of comprehensions."""
    for frame in reversed(frames):
        if frame.function.rpartition(".")[2] not in INLINED and code.ours(frame):
            yield frame


def _callers(frames: Iterator[Frame], code: Code) -> Iterator[list[str]]:
    for frame in frames:
        name = frame.function.rpartition(".")[2]
        if name not in _PASSED_OVER and name.strip("_") not in _PASSED_OVER:
            yield _location_names(frame, code)


def _location_names(frame: Frame, code: Code) -> list[str]:
    return [code.module_of(frame), function_name(frame.function)]


def function_name(name: str) -> str:
    """The qualified name as every Python gives it: since 3.12 a comprehension is no scope of its own."""
    if "<" in name:
        name = _INLINED_SCOPE.sub("", name.replace("<locals>.", ""))
    return name[:NAME_LIMIT]


def _foreign_key(raised: Raised, types: list[list[str]], title: str, code: Code) -> Key:
    """No frame of the application: the innermost third-party function and the value; no frames: the value."""
    value = masked(first_line(raised.text))
    frames = [frame for frame in raised.frames if frame.path[:1] != "<"] or list(raised.frames)
    if not frames:
        return Key(["exception", types, value], ["", "", types[0][0]], title)
    third = [frame for frame in frames if not is_standard_library(frame.path)] or frames
    names = _location_names(third[-1], code)
    return Key(["exception", types, names, value], [*names, types[0][0]], title)


def _recursive(raised: Raised, code: Code) -> list[list[str]]:
    """The (module, function) pairs that make the recursion, sorted; where not told, counted in the frames."""
    names = {(frame.module, frame.function): _location_names(frame, code) for frame in raised.frames}
    if raised.recursive:
        pairs = [
            names.get(pair) or [pair[0][:NAME_LIMIT], function_name(pair[1])] for pair in raised.recursive
        ]
    else:
        seen = Counter((frame.module, frame.function) for frame in raised.frames)
        pairs = [names[pair] for pair, count in seen.items() if count >= 3]
    return sorted([pair for pair in pairs if pair[1].rpartition(".")[2] not in INLINED])[:_RECURSIVE]


def _syntax_key(raised: Raised, types: list[list[str]], title: str, code: Code) -> Key:
    """The broken file, the complaint and the text: who imported it does not matter."""
    syntax = raised.syntax
    assert syntax is not None
    module = code.module(syntax.path, 0, "")
    text = " ".join(syntax.text.split())[:NAME_LIMIT]
    components = ["syntax", types, module, masked(first_line(syntax.message)), text]
    return Key(components, [module, "", types[0][0]], title, NamedLocation(syntax.path, 0, module, ""))


def _titled(raised: Raised) -> str:
    """`Type: masked value`."""
    name = _type(raised).rpartition(".")[2] or "Error"
    value = masked(first_line(raised.text))
    return f"{name}: {value}"[:TITLE_LIMIT] if value else name[:TITLE_LIMIT]


def _from_path(path: str) -> str:
    """A module name out of nothing but a path: its last two parts."""
    parts = path.replace("\\", "/").removesuffix(".py").split("/")
    return ".".join(part for part in parts[-2:] if part)


# Messages


def logged_at(event: Event, code: Code) -> NamedLocation:
    location = code.locations.get((event.path, event.line))
    if not event.path or event.line <= 0:
        return NamedLocation(event.path, event.line, event.logger[:NAME_LIMIT], event.function[:NAME_LIMIT])
    module = code.module(
        event.path, event.line, location.module if location and location.module else event.module
    )
    return NamedLocation(
        event.path, event.line, module or event.logger[:NAME_LIMIT], function_name(event.function)
    )


def message_key(event: Event, code: Code) -> Key:
    if event.logger == "py.warnings" and (warning := _WARNING.match(event.message)):
        return _warning_key(event.message, warning)
    at = logged_at(event, code)
    text = kept = ""
    for candidate in _candidates(event, code.locations.get((event.path, event.line))):
        text = masked(first_line(candidate()))
        kept = text.rstrip(_UNSPOKEN)
        if WORDS.search(kept):
            break
    title = text[:TITLE_LIMIT] or f"(empty message in {at.function or at.module})"[:TITLE_LIMIT]
    return Key(["message", at.module, at.function, kept], [at.module, at.function], title, at)


def message_cache_key(event: Event, locations: CodeLocations) -> Hashable | None:
    """What stands for a message whose own text has no say: its template does, and the location of the call."""
    if event.logger == "py.warnings" or traceback_text.MARKER in event.message:
        return None
    location = locations.get((event.path, event.line))
    if location is not None and location.template is not None and _trusted(location, event.message):
        template, known = location.template, True
    elif event.template is not None:
        template, known = event.template, False
    else:
        return None
    if not _speaks(template, known):
        return None
    call = (event.path, event.line, event.module, event.function, event.logger)
    return template, known, location is not None, call, event.fingerprint


@lru_cache(maxsize=4096)
def _speaks(template: str, known: bool) -> bool:
    """Whether a template is enough to know a message by."""
    text = masked(first_line(template if known else percent(template)))
    return WORDS.search(text.rstrip(_UNSPOKEN)) is not None


def _warning_key(message: str, warning: re.Match[str]) -> Key:
    """A warning logged by `logging.captureWarnings`: category and text, wherever it was issued."""
    text = masked(first_line(message[warning.end() :]))
    at = NamedLocation(warning[1], int(warning[2]), "py.warnings", "")
    return Key(
        ["message", "py.warnings", "", text.rstrip(_UNSPOKEN)],
        ["py.warnings", warning[3]],
        text[:TITLE_LIMIT],
        at,
    )


def _candidates(event: Event, location: CodeLocation | None) -> Iterator[Callable[[], str]]:
    """The texts a message may be known by, best first."""
    if location is not None and location.template is not None and _trusted(location, event.message):
        template = location.template
        yield lambda: template
    if event.template is not None:
        asked = event.template
        yield lambda: percent(asked)
    if event.message[:1] == "{":
        yield lambda: _json_event(event.message)
    yield lambda: event.message


def _trusted(location: CodeLocation, message: str) -> bool:
    """Do the template's constants occur in the text in order? Else the source is not what runs."""
    if location.translated:
        return True
    at = 0
    for piece in (location.template or "").split("*"):
        wanted = piece.strip()
        found = message.find(wanted, at)
        if found < 0:
            return at > 0 and len(message) >= _CAPPED
        at = found + len(wanted)
    return True


def first_line(text: str) -> str:
    """The first line that is not blank."""
    for line in text.split("\n") if "\n" in text else (text,):
        if line.strip():
            return line
    return ""


def _json_event(message: str) -> str:
    """The `event`, `message` or `msg` of a message that is JSON, or such a dict's repr; '' without one."""
    value = traceback_text.json_object(message)
    if value is not None:
        return next(
            (value[key] for key in ("event", "message", "msg") if isinstance(value.get(key), str)), ""
        )
    found = _DICT_EVENT.search(message)
    return found[2] if found else ""
