"""A traceback printed into a message, read back into the facts of a live exception. Any text will do."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from tocsin.handler.protocol.event import Frame, Raised, Syntax

MARKER = "Traceback (most recent call last)"
_TEXT_LIMIT = 64 * 1024
_FRAMES = 200
_CHAIN = 16

_HEAD = re.compile(r"^([ |+]*+)(?:Exception Group )?Traceback \(most recent call last\):?\s*$")
_FRAME = re.compile(r'^ {2}File "([^"]{1,1000})", line (\d{1,9})(?:, in (.{1,500}))?$')
_LAST = re.compile(r"^([A-Za-z_][\w.<>]{0,300})(?::(?: (.*))?)?$")
_MARKS = re.compile(r"^[\s~^]*$")
_LEAF = re.compile(r"^ *(?:\| *)*\+-[+-]*-* *\d+ -+$")
_CAUSED = "The above exception was the direct cause of the following exception:"


class Printed(NamedTuple):
    """What a text holds: the exception, and the source line printed under each (path, line)."""

    raised: Raised
    lines: dict[tuple[str, int], str]


class _Block(NamedTuple):
    """One printed traceback: its exception, and whether the block before it is named as its direct cause."""

    raised: Raised
    caused: bool
    group: bool
    leaf: int
    """How many leaves of a group began before it."""


def read(text: str) -> Printed | None:
    """The last exception printed in the text, with those named as its direct causes; None without one."""
    lines: dict[tuple[str, int], str] = {}
    rows = text[:_TEXT_LIMIT].replace("\r\n", "\n").split("\n")
    blocks = list(_blocks(rows, lines))
    if not blocks:
        return None
    if any(block.group for block in blocks):
        return Printed(_group(blocks), lines)
    return Printed(_chained(blocks), lines)


def _chained(blocks: list[_Block]) -> Raised:
    """The last block's exception, with the ones before it that are its direct causes."""
    start = len(blocks) - 1
    while start and blocks[start].caused and len(blocks) - start < _CHAIN:
        start -= 1
    raised = blocks[start].raised
    for block in blocks[start + 1 :]:
        raised = replace(block.raised, cause=raised)
    return raised


def _group(blocks: list[_Block]) -> Raised:
    """An exception group: its leaves are the blocks under each numbered rule."""
    leaves: dict[int, list[_Block]] = {}
    for block in blocks:
        if block.leaf and not block.group:
            leaves.setdefault(block.leaf, []).append(block)
    own = next(block.raised for block in blocks if block.group)
    return replace(own, group=tuple(_chained(leaf) for leaf in leaves.values()))


def _blocks(rows: list[str], lines: dict[tuple[str, int], str]) -> list[_Block]:
    found: list[_Block] = []
    leaf = 0
    caused = False
    at = 0
    while at < len(rows):
        row = rows[at]
        at += 1
        if _LEAF.match(row):
            leaf += 1
            bare = _LAST.match(rows[at].lstrip(" |")) if at < len(rows) else None
            if bare:
                found.append(_Block(Raised(bare[1], bare[2] or ""), False, False, leaf))
        elif _CAUSED in row:
            caused = True
        elif MARKER in row:
            margin = _margin(row)
            raised, at = _block(rows, at, margin, lines)
            found.append(_Block(raised, caused, "Exception Group Traceback" in row, leaf))
            caused = False
    return found


def _margin(head: str) -> str:
    """What stands before each line of a block that is indented or printed inside a group."""
    found = _HEAD.match(head)
    return found[1].replace("+", "|") if found else ""


def _block(rows: list[str], at: int, margin: str, lines: dict[tuple[str, int], str]) -> tuple[Raised, int]:
    """The exception whose heading stands before row `at`, and the row after it."""
    frames: list[Frame] = []
    syntax = ""
    pending: tuple[str, int] | None = None
    while at < len(rows):
        row = rows[at].removeprefix(margin)
        at += 1
        if frame := _FRAME.match(row):
            pending = frame[1], int(frame[2])
            if frame[3] is None:
                syntax = frame[1]
            else:
                frames.append(Frame(frame[1], "", frame[3].strip(), pending[1]))
                del frames[: max(0, len(frames) - _FRAMES)]
        elif row[:1] in (" ", "\t"):
            if pending and not _MARKS.match(row):
                lines.setdefault(pending, row.strip()[:500])
                pending = None
        elif last := _LAST.match(row):
            return _raised(last[1], last[2] or "", frames, syntax, lines), at
        elif row.strip():
            break
    return Raised("", "", tuple(frames)), at


def _raised(
    name: str, text: str, frames: list[Frame], syntax: str, lines: dict[tuple[str, int], str]
) -> Raised:
    broken = next((line for (path, _), line in lines.items() if path == syntax), "") if syntax else ""
    return Raised(name, text, tuple(frames), syntax=Syntax(syntax, text, broken) if syntax else None)


def with_traceback(message: str) -> str:
    """The text that holds the traceback: of a JSON message the value it stands in."""
    value = json_object(message) if message[:1] == "{" else None
    for text in (value or {}).values():
        if isinstance(text, str) and MARKER in text:
            return text
    return message


def json_object(text: str) -> dict[str, Any] | None:
    """The object that the text is, None where it is none."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None
    return value if isinstance(value, dict) else None
