"""A call's arguments as data from which it can be made again, without secrets. Runs no code of the application.

Plain data is itself. What JSON has no word for stands as an object with the one key `$`, a list of what it is and
what it holds: `{"$": ["tuple", [1, 2]]}`. An object of a class is its type's name and the data in its own attributes.
"""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import Enum
from typing import Any

from tocsin.handler.capture import values
from tocsin.handler.capture.scrub import Scrubber

MARK = "$"
_TEXT = 2000
_NAME = 200
_BYTES = 1000
_NODES = 200
_DEPTH = 4
_DIGITS = 100
_mro_of: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__


def arguments_of(
    held: Mapping[str, Any], parameters: tuple[str, ...] | None, scrub: Scrubber
) -> tuple[dict[str, Any], list[str]] | None:
    """A call's arguments, when every one is plain data and none by its name a secret: they can be replayed. Then the
    texts in them, in which secrets are still to be looked for.
    """
    return _read(held, parameters, _Plain(scrub))


def call_of(
    held: Mapping[str, Any], parameters: tuple[str, ...] | None, scrub: Scrubber
) -> tuple[dict[str, Any], list[str]] | None:
    """The same with objects among them, and with the object that a method belongs to, as `self`."""
    if parameters is not None and "self" in held:
        parameters = ("self", *parameters)
    return _read(held, parameters, _Described(scrub))


def has_state(held: Mapping[str, Any]) -> bool:
    """Whether the call is a method's, of an object with attributes of its own."""
    if "self" not in held:
        return False
    kind = values.kind_of(held["self"])
    return bool(values.attributes_of(held["self"])) or bool(kind.slots)


def _read(
    held: Mapping[str, Any], parameters: tuple[str, ...] | None, reading: _Plain
) -> tuple[dict[str, Any], list[str]] | None:
    if parameters is None:
        return None
    try:
        found = {name: reading.value(name, held[name], _DEPTH) for name in parameters}
    except (_NotData, KeyError, RuntimeError):
        return None
    together = "\n".join(reading.texts)
    return (found, reading.texts) if values.clean(together) == together else None


class _NotData(Exception):
    """An argument that cannot be written down and read back as it was."""


class _Plain:
    """The arguments of one call, and the texts in them: secrets are looked for in all of these together."""

    def __init__(self, scrub: Scrubber) -> None:
        self._scrub = scrub
        self._left = _NODES
        self.texts: list[str] = []

    def value(self, name: str, value: Any, depth: int) -> Any:
        """The value under a name, as it is. Raises _NotData."""
        self._left -= 1
        cls = type(value)
        if self._left < 0 or depth < 0:
            raise _NotData
        if value is None or cls is bool or cls is float:
            return value
        if cls is int:
            if -(2**63) <= value < 2**63 and not self._scrub.secret_name(name):
                return value
        elif cls is str:
            if len(value) <= _TEXT and not self._scrub.secret_name(name):
                self.texts.append(value)
                return value
        elif cls is list:
            if not self._scrub.names_an_item(value):
                return [self.value(name, item, depth - 1) for item in value[:_NODES]]
        elif cls is dict:
            if len(value) <= _NODES and not self._scrub.names_its_value(value):
                return {self._key(k): self.value(k, v, depth - 1) for k, v in list(value.items())}
        else:
            return self.other(name, value, depth)
        raise _NotData

    def other(self, name: str, value: Any, depth: int) -> Any:
        """A value of another type. Raises _NotData."""
        raise _NotData

    def _key(self, key: object) -> str:
        if type(key) is str and len(key) <= _NAME and key != MARK:
            self.texts.append(key)
            return key
        raise _NotData


class _Described(_Plain):
    """The same, objects among them."""

    def other(self, name: str, value: Any, depth: int) -> Any:
        cls = type(value)
        if self._scrub.secret_name(name):
            raise _NotData
        if cls is tuple or cls is set or cls is frozenset:
            if len(value) > _NODES or self._scrub.names_an_item(list(value)):
                raise _NotData
            return {MARK: [cls.__name__, [self.value(name, item, depth - 1) for item in value]]}
        if cls is bytes and len(value) <= _BYTES:
            # Secrets are looked for in it as in a text.
            self.texts.append(value.decode("latin-1"))
            return {MARK: ["bytes", value.hex()]}
        if (write := _WRITTEN.get(cls)) is not None:
            return {MARK: [cls.__name__, write(value)]}
        return self._object(name, value, depth)

    def _object(self, name: str, value: Any, depth: int) -> Any:
        """An object by its type's name and its own attributes; what holds more than these is no data."""
        kind = values.kind_of(value)
        state = dict(values.attributes_of(value) or {})
        if len(kind.name) > _NAME or "." not in kind.name:
            raise _NotData
        if Enum in _mro_of(kind.cls):
            return {MARK: ["enum", kind.name, self.value("name", state.get("_name_"), depth)]}
        if kind.base is not None or (kind.attributes is None and not kind.slots):
            raise _NotData
        for attribute, read in kind.slots:
            with suppress(AttributeError):  # it was never set
                state[attribute] = read(value)
        if len(state) > _NODES or self._scrub.names_its_value(state):
            raise _NotData
        own = {self._key(k): self.value(k, v, depth - 1) for k, v in list(state.items())}
        return {MARK: ["object", kind.name, own]}


def _moment(value: datetime.datetime | datetime.time) -> str:
    if value.tzinfo is not None and type(value.tzinfo) is not datetime.timezone:
        raise _NotData
    return value.isoformat()


def _decimal(value: decimal.Decimal) -> str:
    if len(value.as_tuple().digits) > _DIGITS:
        raise _NotData
    return str(value)


_WRITTEN: dict[type, Callable[[Any], Any]] = {
    datetime.date: datetime.date.isoformat,
    datetime.datetime: _moment,
    datetime.time: _moment,
    datetime.timedelta: lambda value: [value.days, value.seconds, value.microseconds],
    decimal.Decimal: _decimal,
}
"""Types of the standard library whose own code writes them down."""
