"""Which code locations an event mentions: its own, its exceptions' frames, and those that a text quotes. Pure.

A text may hold a traceback in any form that logs have: whole or a line of it, escaped once or several times, as
HTML, in colours, in the layouts of Twisted, rich and IPython. What is found too much costs a look-up only.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import NamedTuple

from tocsin.handler.protocol.event import Event, Raised

LIMIT = 256
"""Locations of one event, at most."""
_LEVELS = 4
"""A text is read as it is, and with its escapes undone so many times less one."""

_FRAME = re.compile(r'File "([^"\n]{1,1000})", line (\d{1,9})(, in )?')
_OTHER_FRAMES = (
    re.compile(r"^(/[^:\n]{1,999}):(\d{1,9}):[\w.<>]{1,500}$", re.MULTILINE),  # Twisted
    re.compile(r"^│ (\S[^\n]{0,900}?):(\d{1,9}) in \S{1,300} *│$", re.MULTILINE),  # rich
    re.compile(
        r"^(?:File )?(\S{1,900}?)(?::|, line )(\d{1,9}), in [\w.<>]{1,300}\(", re.MULTILINE
    ),  # IPython
)
_COLOUR = re.compile(r"\x1b\[[0-9;]{0,20}m")
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|([nrt'\"\\/]))")
_WHITE = {"n": "\n", "r": "\r", "t": "\t"}


class Mention(NamedTuple):
    """A code location as an event names it."""

    path: str
    line: int
    module: str | None = None
    """The frame's `__name__` where it is known."""
    quoted: bool = False
    """Only a text names it, and anybody may have written that."""

    @property
    def at(self) -> tuple[str, int]:
        """What the location is known by."""
        return self.path, self.line


def mentions(event: Event) -> list[Mention]:
    """What the event mentions, each path and line once, what a text quotes last."""
    found: dict[tuple[str, int], Mention] = {}
    for one in (Mention(event.path, event.line), *_of_frames(event.exception), *_quoted(event)):
        found.setdefault(one.at, one)
        if len(found) >= LIMIT:
            break
    return list(found.values())


def _of_frames(raised: Raised | None) -> Iterator[Mention]:
    for one in _exceptions(raised):
        if one.syntax is not None:
            yield Mention(one.syntax.path, 0)
        for frame in reversed(one.frames):
            yield Mention(frame.path, frame.line, frame.module or None)


def _exceptions(raised: Raised | None) -> Iterator[Raised]:
    """The exception, what it came from and what it holds; bounded by the locations that one event may have."""
    waiting = [raised] if raised else []
    frames = 0
    while waiting and frames < 4 * LIMIT:
        one = waiting.pop()
        frames += len(one.frames) + 1
        yield one
        waiting.extend(reversed([*one.group[:LIMIT], *filter(None, (one.cause, one.context))]))


def _quoted(event: Event) -> Iterator[Mention]:
    yield from _in_text(event.message)
    for raised in _exceptions(event.exception):
        yield from _in_text(raised.text)


def _in_text(text: str) -> Iterator[Mention]:
    traceback = "Traceback" in text
    if not traceback and "File " not in text:
        return
    for plain in _levels(text):
        for path, line, function in _FRAME.findall(plain):
            # Without a function it is the file that a SyntaxError complains of: known by its path alone.
            yield Mention(path, int(line) if function else 0, quoted=True)
        for form in _OTHER_FRAMES if traceback else ():
            for path, line in form.findall(plain):
                yield Mention(path, int(line), quoted=True)


def _levels(text: str) -> Iterator[str]:
    """The text without colours and entities, then with its escapes undone, once and again."""
    for _ in range(_LEVELS):
        if "&quot;" in text:
            text = html.unescape(text)
        if "\x1b" in text:
            text = _COLOUR.sub("", text)
        yield text
        if "\\" not in text:
            break
        text = _ESCAPE.sub(_character, text)


def _character(found: re.Match[str]) -> str:
    if code := found[1] or found[2]:
        return chr(int(code, 16))
    return _WHITE.get(found[3], found[3])
