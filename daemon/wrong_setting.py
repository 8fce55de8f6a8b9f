"""What is wrong with a setting's value, and what would be right, drawn from the setting's type."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from msgspec import Meta, Struct


def explain(text: str, data: dict[str, Any], root: type[Struct], shown: Callable[[str, Any], str]) -> str:
    """msgspec's error for `data`, said with the setting's name, its value and what to write instead.

    `shown(name, value)` is ` = value`, or '' for a value that nobody may see.
    """
    reason, _, where = text.partition(" - at `$.")
    key = where.rstrip("`")
    value: Any = data
    hint: Any = root
    for part in re.findall(r"[^.\[\]]+", key):
        try:
            value = value[int(part)] if isinstance(value, list) else value[part]
        except (KeyError, IndexError, ValueError, TypeError):
            return f"{key}: {reason}"
        hint = _below(hint, part)
    if missing := re.fullmatch(r"Object missing required field `(\w+)`", reason):
        return f"{key}: it needs {missing[1]}{_such_as(_below(hint, missing[1]))}"
    return f"{key}{shown(key, value)}: {_remedy(key, hint) if _mechanical(reason) else reason}"


def choices(hint: Any) -> list[str]:
    """The values a setting may have, [] when they cannot be listed."""
    return [str(one) for part in _parts(hint) if get_origin(part) is Literal for one in get_args(part)]


def _mechanical(reason: str) -> bool:
    """Whether it is msgspec's own sentence; those of our readers of values say themselves what is right."""
    return reason.startswith(("Expected `", "Invalid enum value"))


def _remedy(key: str, hint: Any) -> str:
    """What to write."""
    if known := choices(hint):
        *others, last = [json.dumps(one) for one in known]
        return f"write {', '.join(others)} or {last}"
    for part in _parts(hint):
        if isinstance(part, type) and issubclass(part, Struct):
            return f"write [{key}] on a line of its own, its settings below"
        if get_origin(part) is list:
            inner = get_args(part)[0]
            if isinstance(inner, type) and issubclass(inner, Struct):
                return f"write [[{key}]] on a line of its own, its settings below"
            return f"write a list{_such_as(hint) or ', such as []'}"
        if part in (int, float):
            return f"write a {'whole ' if part is int else ''}number{_bounds(hint)}"
        if part is str:
            return f"write a text in quotes{_such_as(hint)}"
    return f"write another value{_such_as(hint)}"


def _bounds(hint: Any) -> str:
    metas = list(_metas(hint))
    least = next((meta.ge for meta in metas if meta.ge is not None), None)
    most = next((meta.le for meta in metas if meta.le is not None), None)
    return ("" if least is None else f" from {least}") + ("" if most is None else f" to {most}")


def _such_as(hint: Any) -> str:
    example = next((one for meta in _metas(hint) for one in meta.examples or ()), None)
    return "" if example is None else f", such as {json.dumps(example)}"


def _below(hint: Any, part: str) -> Any:
    """The type of a struct's field or of a list's item."""
    for one in _parts(hint):
        if get_origin(one) is list:
            return get_args(one)[0]
        if isinstance(one, type) and issubclass(one, Struct):
            return get_type_hints(one, include_extras=True).get(part)
    return None


def _parts(hint: Any) -> Iterator[Any]:
    """The plain types that a type allows, None aside."""
    if get_origin(hint) is Annotated:
        yield from _parts(get_args(hint)[0])
    elif get_origin(hint) in (Union, UnionType):
        for one in get_args(hint):
            yield from _parts(one)
    elif hint is not NoneType:
        yield hint


def _metas(hint: Any) -> Iterator[Meta]:
    if get_origin(hint) is Annotated:
        yield from (one for one in get_args(hint)[1:] if isinstance(one, Meta))
        yield from _metas(get_args(hint)[0])
    elif get_origin(hint) in (Union, UnionType):
        for one in get_args(hint):
            yield from _metas(one)
