"""What a call brings, decoded and checked against the operation's declaration; what is wrong names its key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from tocsin.daemon.failure import Failed
from tocsin.handler.capture.values import clean
from tocsin.reports.api.operation import InvalidValue, Operation

_FIELD = re.compile(r"field `([^`]+)`")
_PATH = re.compile(r"at `(?:key in )?\$([^`]*)`")


class NotJson(Failed):
    """The body is no JSON."""


def body(operation: Operation, data: bytes) -> Any:
    """The body as its type; an empty one is an empty object. Raises NotJson, InvalidValue."""
    if operation.body is None:
        return None
    try:
        given = msgspec.json.decode(data) if data.strip() else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotJson(f"the body is no JSON: {str(error)[:200]}") from None
    return _converted(given, operation.body, strict=True)


def query(operation: Operation, given: Mapping[str, str]) -> Any:
    """The query as its type. Raises InvalidValue."""
    if operation.query is None:
        if given:
            raise InvalidValue(next(iter(given)), f"there is no parameter {next(iter(given))!r} here")
        return None
    return _converted(dict(given), operation.query, strict=False)


def _converted(given: Any, wanted: Any, *, strict: bool) -> Any:
    for key, text in _texts(given):
        if clean(text) != text:
            raise InvalidValue(key, f"{key}: it holds a NUL or half a character")
    try:
        return msgspec.convert(given, wanted, strict=strict)
    except msgspec.ValidationError as error:
        raise InvalidValue(_key(str(error)), str(error)) from None


def _texts(value: Any, key: str = "body") -> Iterator[tuple[str, str]]:
    """Every text in it with the name under which it stands, names included."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one, key)
    elif isinstance(value, dict):
        for name, one in value.items():
            yield key, name
            yield from _texts(one, name)


def _key(text: str) -> str:
    """The key that a ValidationError speaks of, such as `subject` or `[0].file_path`."""
    path, field = _PATH.search(text), _FIELD.search(text)
    parts = [path[1].removeprefix(".") if path else "", field[1] if field else ""]
    return ".".join(filter(None, parts)) or "body"


def key_in(text: str, operation: Operation) -> str:
    """The key of the body that a refusal speaks of first, as far as its text tells."""
    names = [name for kind in _structs(operation.body) for name in kind.__struct_encode_fields__]
    words = "|".join(rf"{name}|{name.replace('_', ' ')}" for name in names)
    said = re.search(rf"\b({words})\b", text) if names else None
    if said is not None:
        return said[1].replace(" ", "_")
    return names[0] if len(names) == 1 else ""


def _structs(body: Any) -> Iterator[type[msgspec.Struct]]:
    info = msgspec.inspect.type_info(body) if body is not None else None
    kinds = info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)
    for kind in kinds:
        if isinstance(kind, msgspec.inspect.StructType):
            yield kind.cls
