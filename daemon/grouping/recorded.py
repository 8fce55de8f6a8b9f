"""Recorded log records and pairs of them (JSON, one a line) → signatures, by the way live events take.

A line is a pair (`a`, `b`, `together`) or a record alone (bare, or as `a`).
"""

from __future__ import annotations

import json
import logging
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from tocsin.daemon.grouping.sign import VERSION, Signature, sign
from tocsin.handler.capture.code_locations import module_of
from tocsin.handler.capture.inapp import in_app
from tocsin.handler.capture.source import Source, canonical, parsed
from tocsin.handler.protocol.event import CodeLocation, Event, Frame, Raised, Syntax

_DEEP = 50
"""Exceptions nested in one another, at most."""


class Problem(Struct, frozen=True):
    """A line that is no record: its number and what is wrong, naming the key."""

    line: int
    text: str


class Single(Struct, frozen=True):
    """A record without a verdict."""

    line: int
    id: str
    signature: Signature


class Pair(Struct, frozen=True):
    """Two records that must, or must not, have one fine signature."""

    line: int
    id: str
    together: bool
    passed: bool
    why: str
    a: Signature
    b: Signature


class Report(Struct, frozen=True):
    """What was found in a file. `ok`: no pair failed and every line could be read."""

    pairs: list[Pair]
    records: list[Single]
    problems: list[Problem]

    @property
    def failed(self) -> list[Pair]:
        return [pair for pair in self.pairs if not pair.passed]

    @property
    def ok(self) -> bool:
        return not self.failed and not self.problems


class _BadRecord(Exception):
    """A record lacks a key or has a wrong value; the text names the key."""


def check(lines: Iterable[str], *, version: int = VERSION) -> Report:
    """Signs every record of the lines under a version; bad ones become problems, not exceptions."""
    report = Report([], [], [])
    for number, row in enumerate(lines, 1):
        if not row.strip():
            continue
        try:
            _check_line(number, json.loads(row), report, version)
        except json.JSONDecodeError as error:
            report.problems.append(Problem(number, f"not JSON: {error.msg} at column {error.colno}"))
        except RecursionError:
            report.problems.append(Problem(number, "nested too deeply"))
        except _BadRecord as error:
            report.problems.append(Problem(number, str(error)))
    return report


def text(report: Report) -> str:
    """The report for people: bad lines, failed pairs with both signatures' components, then records alone."""
    rows = [f"line {problem.line}: {problem.text}" for problem in report.problems]
    for pair in report.failed:
        wanted = "must share a signature" if pair.together else "must not share a signature"
        rows += [f"line {pair.line}: {pair.id}: {wanted}: {pair.why}"]
        rows += [f"    {side.fine} {_shown(side)}" for side in (pair.a, pair.b)]
    for record in report.records:
        name = f" {record.id}" if record.id else ""
        rows += [f"line {record.line}:{name} {record.signature.title}", f"    fine   {record.signature.fine}"]
        rows += [f"    coarse {record.signature.coarse}", f"    {_shown(record.signature)}"]
    if report.pairs:
        rows.append(f"{len(report.pairs) - len(report.failed)} of {len(report.pairs)} pairs as they must be")
    return "\n".join(rows)


def _shown(signature: Signature) -> str:
    return json.dumps(signature.components, ensure_ascii=False)


def event_of(record: dict[str, Any]) -> tuple[Event, dict[tuple[str, int], CodeLocation]]:
    """The event and the locations of a recorded record. Raises ValueError naming the key that is wrong."""
    try:
        return _event(record, "")
    except _BadRecord as error:
        raise ValueError(str(error)) from None


def _check_line(number: int, value: Any, report: Report, version: int) -> None:
    if not isinstance(value, dict):
        raise _BadRecord("not a JSON object")
    if "a" not in value and "b" not in value and "together" not in value:
        report.records.append(Single(number, _text(value, "id", "", "") or "", _signed(value, "", version)))
        return
    name = _text(value, "id", "", "") or ""
    first = _signed(_need(value, "a", "", dict), "a.", version)
    together = value.get("together")
    if together is None:
        report.records.append(Single(number, name, first))
        if "b" in value:
            report.records.append(Single(number, name, _signed(_need(value, "b", "", dict), "b.", version)))
        return
    if not isinstance(together, bool):
        raise _BadRecord("together: must be true or false")
    second = _signed(_need(value, "b", "", dict), "b.", version)
    passed = (first.fine == second.fine) is together
    report.pairs.append(
        Pair(number, name, together, passed, _text(value, "why", "", "") or "", first, second)
    )


def _signed(record: dict[str, Any], at: str, version: int) -> Signature:
    event, locations = _event(record, at)
    ours, theirs = _names(record, "in_app", at), _names(record, "not_in_app", at)
    return sign(event, locations, in_app=ours, not_in_app=theirs, version=version)


def _event(record: dict[str, Any], at: str) -> tuple[Event, dict[tuple[str, int], CodeLocation]]:
    message = _need(record, "message", at, str)
    template = record.get("msg")
    extra = _optional(record, "extra", at, dict) or {}
    path, line = _need(record, "pathname", at, str), _need(record, "lineno", at, int)
    module = _text(record, "module", at, "") or ""
    settings = _names(record, "in_app", at), _names(record, "not_in_app", at)
    locations = {(path, line): _location(path, line, module, _text(record, "source", at, None), settings)}
    raised = _optional(record, "exc", at, dict)
    event = Event(
        occurred_at=0.0,
        level=_level(record.get("level")),
        logger=_text(record, "logger", at, "") or "",
        message=message,
        template=template if isinstance(template, str) and record.get("args") else None,
        path=path,
        module=module,
        function=_text(record, "funcName", at, "") or "",
        line=line,
        exception=_raised(raised, f"{at}exc.", locations, settings, 0) if raised else None,
        context={name: value for name, value in extra.items() if isinstance(value, str)} or None,
        fingerprint=_fingerprint(extra, at),
    )
    return event, locations


def _level(value: Any) -> int:
    level = logging.getLevelNamesMapping().get(value) if isinstance(value, str) else value
    return level if isinstance(level, int) else logging.ERROR


def _fingerprint(extra: dict[str, Any], at: str) -> tuple[str, ...] | None:
    value = extra.get("fingerprint")
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
        raise _BadRecord(f"{at}extra.fingerprint: must be a list of strings")
    return tuple(value)


def _raised(
    value: dict[str, Any],
    at: str,
    locations: dict[tuple[str, int], CodeLocation],
    settings: tuple[tuple[str, ...], tuple[str, ...]],
    depth: int,
) -> Raised:
    if depth > _DEEP:
        raise _BadRecord(f"{at.rstrip('.')}: nested too deeply")
    frames = []
    for index, frame in enumerate(_objects(value, "frames", at)):
        at_frame = f"{at}frames[{index}]."
        path, line = _need(frame, "pathname", at_frame, str), _need(frame, "lineno", at_frame, int)
        module = _text(frame, "module", at_frame, "") or ""
        if (path, line) not in locations or locations[path, line].statement is None:
            locations[path, line] = _location(
                path, line, module, _text(frame, "source", at_frame, None), settings
            )
        if not (_optional(frame, "locals", at_frame, dict) or {}).get("__tracebackhide__"):
            frames.append(Frame(path, module, _need(frame, "func", at_frame, str), line))
    cause, context = _optional(value, "cause", at, dict), _optional(value, "context", at, dict)
    return Raised(
        type=_need(value, "type", at, str),
        text=_text(value, "value", at, "") or "",
        frames=tuple(frames),
        cause=_raised(cause, f"{at}cause.", locations, settings, depth + 1) if cause else None,
        context=_raised(context, f"{at}context.", locations, settings, depth + 1) if context else None,
        group=tuple(
            _raised(leaf, f"{at}group[{index}].", locations, settings, depth + 1)
            for index, leaf in enumerate(_objects(value, "group", at))
        ),
        errno=_text(value, "errno", at, None),
        syntax=_syntax(value, at),
    )


def _syntax(value: dict[str, Any], at: str) -> Syntax | None:
    found = _optional(value, "syntax", at, dict)
    if found is None:
        return None
    at = f"{at}syntax."
    return Syntax(
        _need(found, "filename", at, str),
        _text(found, "msg", at, "") or "",
        _text(found, "text", at, "") or "",
    )


def _location(
    path: str, line: int, module: str, text: str | None, settings: tuple[tuple[str, ...], tuple[str, ...]]
) -> CodeLocation:
    """The location as the shipping thread would have read it, from the source text recorded with it."""
    name = module_of(path, module) if module else ""
    ours = in_app(path, name, *settings)
    statement = template = None
    translated = False
    if text is not None and text.strip():
        source = _parsed(text)
        first = next(
            number for number, row in enumerate(source.lines if source else [text], 1) if row.strip()
        )
        statement = (source.statement(first) if source else None) or canonical(text)
        found = source.template(first) if source else None
        template, translated = (found.text, found.translated) if found else (None, False)
    lines = tuple(text.strip("\n").split("\n")) if text else ()
    return CodeLocation(
        path, line, statement, template, ours, line, lines, module=name, translated=translated
    )


def _parsed(text: str) -> Source | None:
    """The recorded statement parsed; of one that has a body only the header may be there."""
    text = textwrap.dedent(text).strip("\n")
    return parsed(text) or parsed(text + "\n    pass")


def _names(record: dict[str, Any], key: str, at: str) -> tuple[str, ...]:
    value = record.get(key) or ()
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise _BadRecord(f"{at}{key}: must be a list of strings")
    return tuple(value)


def _objects(value: dict[str, Any], key: str, at: str) -> Iterator[dict[str, Any]]:
    found = _optional(value, key, at, list) or []
    for index, one in enumerate(found):
        if not isinstance(one, dict):
            raise _BadRecord(f"{at}{key}[{index}]: must be an object")
        yield one


_KINDS = {str: "a string", int: "a whole number", dict: "an object", list: "a list"}


def _optional(record: dict[str, Any], key: str, at: str, kind: type) -> Any:
    value = record.get(key)
    if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
        raise _BadRecord(f"{at}{key}: must be {_KINDS[kind]}")
    return value.encode(errors="replace").decode() if isinstance(value, str) else value


def _text(record: dict[str, Any], key: str, at: str, default: str | None) -> str | None:
    value = _optional(record, key, at, str)
    return default if value is None else str(value)


def _need(record: dict[str, Any], key: str, at: str, kind: type) -> Any:
    if key not in record:
        raise _BadRecord(f"{at}{key}: missing")
    value = _optional(record, key, at, kind)
    if value is None:
        raise _BadRecord(f"{at}{key}: must be {_KINDS[kind]}")
    return value
