"""Tracebacks in the forms they have in logs, brought back to the one that `traceback_text` reads. Pure.

Bytes' repr and `%r`, HTML, colours, a prefix on each line (containers, Airflow, journals), Twisted's marks and
failures, IPython's and rich's layouts, Ray's heading. Any text will do; what is no such form stays as it is.
"""

from __future__ import annotations

import html
import re

from msgspec.structs import replace

from tocsin.daemon.grouping import traceback_text
from tocsin.daemon.grouping.traceback_text import MARKER, Printed
from tocsin.handler.protocol.event import Raised

_TEXT_LIMIT = 64 * 1024
_ESCAPED = re.compile(re.escape(MARKER) + r":?\\+[nr]")
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|([nrt'\"\\]))")
_NAMED = {"n": "\n", "r": "\r", "t": "\t"}
_OPENING = re.compile(r"(?<![\w\\])b?(['\"])")
_COLOUR = re.compile(r"\x1b\[[0-9;]{0,20}m")
_TWISTED = re.compile(r"^\s*--- <[^>]{1,100}> ---\s*$")
_FAILURE = re.compile(r"(?<!\w)Traceback(?: \([^)]{0,60}\))?: <class '([\w.<>]{1,300})'>: ?(.*)")
_FAILURE_FRAME = re.compile(r"^(\S.{0,999}?):(\d{1,9}):(\S{1,500})$")
_RICH = re.compile(r"^│ (/.{1,900}?|[\w./\\:\-]{1,900}):(\d{1,9}) in (\S{1,300})\s*│$")
_NOTEBOOK_HEAD = re.compile(r"^[A-Z]\w{0,100}\s{2,}Traceback \(most recent call last\)$")
_NOTEBOOK_FRAME = re.compile(
    r"^(?:File |Cell )?(\S{1,900}?)(?::(\d{1,9})|(?:\[\d{1,6}\])?, line (\d{1,9})), in ([\w.<>]{1,300})\("
)
_CURRENT = re.compile(r"^-+> ?\d{1,9}(?: (.*))?$")
_RAY = re.compile(r"^\S{0,20}ray::(\S{1,200}) \(")
_HINTS = ("Traceback", "Failure instance", "ray::")
_PIECES = re.compile(r"\d+|\D+")


def may_hold(text: str) -> bool:
    """Whether `read` has to look at the text at all."""
    return any(hint in text for hint in _HINTS)


def read(text: str) -> Printed | None:
    """The last exception printed in the text in any form that is known; None where there is none with a type."""
    for plain in _plain(text[:_TEXT_LIMIT]):
        printed = traceback_text.read(plain)
        if printed is not None and _named(printed.raised):
            return Printed(_with_context(printed.raised, plain), printed.lines)
    return None


def printed(message: str) -> Printed | None:
    """The traceback that a message holds, as it is or in a value of the JSON object that it is."""
    return read(traceback_text.with_traceback(message)) if may_hold(message) else None


def _plain(text: str) -> list[str]:
    """The text in `traceback_text`'s own form, likeliest first."""
    text = _unescaped(text)
    if "File &quot;" in text:
        text = html.unescape(text)
    if "\x1b" in text:
        text = _COLOUR.sub("", text)
    rows = text.replace("\r\n", "\n").split("\n")
    found = ["\n".join(row for row in _unprefixed(rows) if not _TWISTED.match(row))]
    found += [
        "\n".join(other) for other in (_failure(rows), _rich(rows), _notebook(rows), _ray(rows)) if other
    ]
    return found


def _named(raised: Raised) -> bool:
    return bool(raised.type) and all(_named(leaf) for leaf in raised.group)


def _with_context(raised: Raised, text: str) -> Raised:
    """With what it happened during, of which only type and text are known here."""
    before = text.rpartition("During handling of the above exception, another exception occurred:")[0]
    if raised.cause is not None or not before:
        return raised
    during = traceback_text.read(before)
    return replace(raised, context=during.raised) if during is not None and during.raised.type else raised


def _unescaped(text: str) -> str:
    """The text of a literal (`repr`, JSON in JSON) around the heading; quotes around it end it."""
    for _ in range(3):
        found = _ESCAPED.search(text)
        if found is None:
            break
        openings = list(_OPENING.finditer(text, 0, found.start()))[-1:]
        start, quote = (openings[0].end(), openings[0][1]) if openings else (0, "")
        stop = _closing(text, found.start(), quote)
        text = _ESCAPE.sub(_character, text[start:stop])
    return text


def _closing(text: str, at: int, quote: str) -> int:
    """Where the literal's quote closes it: the first one that is not escaped."""
    while quote and (at := text.find(quote, at)) >= 0:
        slashes = len(text[:at]) - len(text[:at].rstrip("\\"))
        if slashes % 2 == 0:
            return at
        at += 1
    return len(text)


def _character(found: re.Match[str]) -> str:
    if code := found[1] or found[2]:
        return chr(int(code, 16))
    return _NAMED.get(found[3], found[3])


def _unprefixed(rows: list[str]) -> list[str]:
    """Without what stands, digits aside, before the heading and before each row that follows it."""
    for index, row in enumerate(rows[:-1]):
        head, marker, _ = row.partition(MARKER)
        first = next((other for other in rows[index + 1 : index + 3] if other.strip()), "")
        prefix, frame, _ = first.partition('  File "')
        if not marker or not frame or not prefix.strip(" |+"):
            continue
        shape = "".join(r"\d+" if one.isdigit() else re.escape(one) for one in _PIECES.findall(prefix))
        if not re.search(f"{shape}$", head):
            continue
        before = re.compile(f"{shape}|{shape.rstrip(chr(92) + ' ')}$")
        return [*rows[:index], row[len(head) :], *(before.sub("", other, count=1) if before.match(other) else other
                                                   for other in rows[index + 1 :])]  # fmt: skip
    return rows


def _standard(frames: list[tuple[str, str, str, str]], last: str) -> list[str]:
    """Rows as Python prints them: frames are (path, line, function, source line)."""
    rows = [MARKER + ":"]
    for path, line, function, source in frames:
        rows.append(f'  File "{path}", line {line}, in {function}')
        if source.strip():
            rows.append(f"    {source.strip()}")
    return [*rows, last]


def _failure(rows: list[str]) -> list[str]:
    """Twisted's `Failure` as it prints itself, whole or brief: `path:line:function` under `Traceback: <class ...`."""
    for index, row in enumerate(rows):
        if found := _FAILURE.search(row):
            frames = [match for other in rows[index + 1 :] if (match := _FAILURE_FRAME.match(other))]
            text = (found[2].rstrip("]") if "[Failure instance: " in row else found[2]).strip()
            return _standard([(m[1], m[2], m[3], "") for m in frames], f"{found[1]}: {text}")
    return []


def _rich(rows: list[str]) -> list[str]:
    """rich's box: `│ path:line in function │`, the exception under the box."""
    frames = [
        (m[1], m[2], m[3], _pointed(rows, at)) for at, row in enumerate(rows) if (m := _RICH.match(row))
    ]
    end = next((at for at, row in enumerate(rows) if row.startswith("╰")), len(rows))
    last = next((row for row in rows[end + 1 :] if row.strip()), "")
    return _standard(frames, last) if frames and last else []


def _pointed(rows: list[str], at: int) -> str:
    """The source line that rich points at with `❱` below a frame."""
    for row in rows[at + 1 : at + 12]:
        if _RICH.match(row):
            break
        if "❱" in row:
            return re.sub(r"^│\s*❱\s*\d+\s?(?:│\s?)?|\s*│$", "", row)
    return ""


def _notebook(rows: list[str]) -> list[str]:
    """IPython's: `Type   Traceback (most recent call last)`, frames with numbered source, `---->` at the line."""
    start = next((at for at, row in enumerate(rows) if _NOTEBOOK_HEAD.match(row)), None)
    if start is None:
        return []
    frames: list[tuple[str, str, str, str]] = []
    for row in rows[start + 1 :]:
        if found := _NOTEBOOK_FRAME.match(row):
            frames.append((found[1], found[2] or found[3], found[4], ""))
        elif frames and (current := _CURRENT.match(row)):
            frames[-1] = (*frames[-1][:3], current[1] or "")
    last = next((row for row in reversed(rows) if row.strip()), "")
    return _standard(frames, last) if frames else []


def _ray(rows: list[str]) -> list[str]:
    """Ray's and its like: frames under a heading of their own, without Python's."""
    for index, row in enumerate(rows):
        if _RAY.match(row) and index + 1 < len(rows) and rows[index + 1].startswith('  File "'):
            return [MARKER + ":", *rows[index + 1 :]]
    return []
