"""Foreign values as short text, without running foreign code. Knows no event and no exception's place.

A value's own `__repr__` may query a database, lock or never return, so it is never called; nor are
properties, `__getattr__`, `__class__`, a metaclass's methods, or hash and comparison of foreign objects.
`str()` is called only where the application asked for text itself: its message and its exceptions.
"""

from __future__ import annotations

import builtins
import datetime
import decimal
import pathlib
import re
import types
import uuid
from collections import deque
from collections.abc import Callable, Collection, Iterable
from itertools import islice
from typing import Any

ROOM = 1024
"""Characters of one rendered value, at most."""

_ITEMS = 10
_INNER = 256
_BYTES = 200
_FLAT_TEXT, _FLAT_NUMBER = 200, 2**63
_KINDS_KEPT = 1024
_QUOTED_ITEMS = 50
_QUOTED_TEXT = 16 * 1024
_LEVEL_TEXT = 40
_LEVELS = {0: "NOTSET", 10: "DEBUG", 20: "INFO", 30: "WARNING", 40: "ERROR", 50: "CRITICAL"}
_CUT = re.compile(r"… \(of (\d{1,20}) ([a-z]+)\)\Z")
_COLOUR = re.compile(r"\x1b\[[0-9;]{0,20}m")

# The getters themselves: `cls.__mro__` or `cls.__name__` would ask a metaclass first.
_mro_of: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__
_namespace_of: Callable[[type], types.MappingProxyType[str, Any]] = type.__dict__["__dict__"].__get__
_qualname_of: Callable[[type], Any] = type.__dict__["__qualname__"].__get__
_module_of: Callable[[type], Any] = type.__dict__["__module__"].__get__
_args_of: Callable[[BaseException], tuple[Any, ...]] = BaseException.__dict__["args"].__get__
_message_of: Callable[[BaseException], object] = BaseExceptionGroup.__dict__["message"].__get__
_members_of: Callable[[BaseException], tuple[object, ...]] = BaseExceptionGroup.__dict__["exceptions"].__get__
_filename_of: Callable[[BaseException], object] = OSError.__dict__["filename"].__get__


class Kind:
    """What is known of a class, read once. `name` is `module.QualName`, without the module for builtins."""

    __slots__ = ("attributes", "base", "cls", "fields", "name", "slots", "text_owner")

    def __init__(self, cls: type) -> None:
        self.cls = cls
        self.name = name_of(cls)
        self.attributes: Callable[[object], Any] | None = None
        self.text_owner: type = object
        """The class whose `__str__` an instance's text comes from."""
        self.base: type | None = None
        """The builtin class whose data an instance holds, None where it is none of those."""
        self.fields: tuple[str, ...] = ()
        """Of a named tuple: its names."""
        self.slots: list[tuple[str, Callable[[object], Any]]] = []
        found_text = found_attributes = False
        for base in _mro_of(cls):
            namespace = _namespace_of(base)
            if self.base is None and base in _BASES:
                self.base = base
            if not self.fields and type(fields := namespace.get("_fields")) is tuple:
                self.fields = tuple(name for name in fields if type(name) is str)
            if type(namespace.get("__slots__")) in _NAMED_SLOTS:
                self.slots += [
                    (name, member.__get__)
                    for name, member in namespace.items()
                    if type(name) is str and type(member) is types.MemberDescriptorType
                ]
            if not found_text and "__str__" in namespace:
                self.text_owner, found_text = base, True
            if not found_attributes and "__dict__" in namespace:
                found_attributes = True
                descriptor = namespace["__dict__"]
                if type(descriptor) is types.GetSetDescriptorType:
                    self.attributes = descriptor.__get__


_kinds: dict[int, Kind] = {}


def kind_of(value: object) -> Kind:
    """The `Kind` of the value's class. Kept by the class's id: a metaclass may have its own `__hash__`."""
    cls = type(value)
    kind = _kinds.get(id(cls))
    if kind is None:
        if len(_kinds) >= _KINDS_KEPT:
            _kinds.clear()
        kind = _kinds[id(cls)] = Kind(cls)
    return kind


def attributes_of(value: object) -> dict[str, Any] | None:
    """The instance's own `__dict__`, the real one, or None where there is none or it is not a plain dict."""
    getter = kind_of(value).attributes
    found = getter(value) if getter is not None else None
    return found if type(found) is dict else None


def clean(text: str) -> str:
    """`text` as every encoder and database takes it: no lone surrogates, no NUL."""
    if "\0" in text:
        text = text.replace("\0", "\u2400")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text


def exact(text: object) -> str | None:
    """A str or a subclass's as exact str, anything else as None."""
    if type(text) is str:
        return text
    return str.__str__(text) if issubclass(type(text), str) else None


CUT = "…"
"""The name under which, among named values, it is told how many there were."""


def cut_mark(whole: int, unit: str) -> str:
    """What stands where something was cut off: how much there was."""
    return f"… (of {whole} {unit})"


def shortened(text: str, room: int) -> str:
    """`text`, or its first `room` characters and how many there were, before an earlier cut too."""
    if len(text) <= room:
        return text
    whole, unit = whole_of(text) or (len(text), "characters")
    return text[:room] + cut_mark(whole, unit)


def whole_of(text: str) -> tuple[int, str] | None:
    """(how much, of what) there was of a text that was cut, None where it was not."""
    found = _CUT.search(text[-60:])
    return (int(found[1]), found[2]) if found is not None else None


def name_of(cls: type) -> str:
    """`module.QualName`, without the module for builtins."""
    name = exact(_qualname_of(cls)) or "?"
    module = exact(_module_of(cls))
    full = name if module is None or module == "builtins" else f"{module}.{name}"
    return clean(shortened(full, 300))


def level_name(level: int, given: object) -> str:
    """The application's own name of a level; "" for logging's, however a formatter has coloured or padded it."""
    name = _COLOUR.sub("", (exact(given) or "")[:200]).strip()
    return "" if name in (_LEVELS.get(level), f"Level {level}") else clean(shortened(name, _LEVEL_TEXT))


def text_of(value: object) -> str:
    """The text `str(value)` gives, as far as that needs no foreign `__repr__`; else how we render it.

    For messages and exception arguments only: a class's own `__str__` is called, and whatever it raises,
    SystemExit and KeyboardInterrupt too, ends here.
    """
    text = exact(value)
    if text is not None:
        return text
    if issubclass(type(value), BaseException):
        return error_text(value)  # type: ignore[arg-type]
    if kind_of(value).text_owner is not object or quotable(value):
        return called_text(value)
    return render(value)


def error_text(error: BaseException, depth: int = 3) -> str:
    """An exception's text, as `str(error)` gives it wherever its arguments are text or plain data.

    Python's own `__str__` of exceptions writes the `repr` of several arguments: those we render ourselves.
    """
    owner = kind_of(error).text_owner
    if owner is BaseExceptionGroup:
        count = len(_members_of(error))
        return f"{exact(_message_of(error)) or ''} ({count} sub-exception{'s' if count != 1 else ''})"
    args = _args_of(error)
    if owner is BaseException:
        if not args:
            return ""
        if len(args) == 1:
            inner = args[0]
            nested = depth > 0 and issubclass(type(inner), BaseException)
            return error_text(inner, depth - 1) if nested else text_of(inner) if depth > 0 else render(inner)
    elif id(owner) not in _BUILTIN_TEXTS or id(owner) in _BOUNDED_TEXTS:
        return called_text(error)
    if all(map(quotable, args)) and (owner is not OSError or quotable(_filename_of(error))):
        return called_text(error)
    if len(args) == 1:
        return render(args[0])
    more = [cut_mark(len(args), "items")] if len(args) > _ITEMS else []
    return "(" + ", ".join([*map(_inner, args[:_ITEMS]), *more]) + ")"


def called_text(value: object) -> str:
    """`str(value)`, whatever it raises: then only the type is told."""
    try:
        return exact(str(value)) or ""
    except BaseException as error:
        return f"<{kind_of(value).name} whose str() raised {kind_of(error).name}>"


def quotable(value: object, depth: int = 3) -> bool:
    """Is this builtin data of modest size throughout, so that its `repr` is Python's own and short?"""
    cls = type(value)
    if cls is str or cls is bytes:
        return len(value) <= _QUOTED_TEXT  # type: ignore[arg-type]
    if cls is int:
        return value.bit_length() <= 4096  # type: ignore[attr-defined,no-any-return]
    if value is None or cls is bool or cls is float or cls is pathlib.PosixPath:
        return True
    if depth == 0 or cls not in _CONTAINERS or len(value) > _QUOTED_ITEMS:  # type: ignore[arg-type]
        return False
    if cls is dict:
        return all(quotable(k, depth - 1) and quotable(v, depth - 1) for k, v in list(value.items()))  # type: ignore[attr-defined]
    return all(quotable(item, depth - 1) for item in list(value))  # type: ignore[call-overload]


def render(value: object) -> str:
    """A value for a person to read, at most about `ROOM` characters: builtin data as Python writes it, also of
    classes below those, other objects as their type and the plain data in their attributes. Never raises.
    """
    writer = _WRITERS.get(id(type(value)))
    try:
        text = writer(value) if writer is not None else _object(value)
    except Exception:
        text = f"<{kind_of(value).name}>"
    return shortened(text, ROOM)


def route_of(request: object) -> str:
    """The route that a Django request was resolved to, '' without one. Reads attributes, runs no code of it."""
    match = (attributes_of(request) or {}).get("resolver_match")
    route = (attributes_of(match) or {}).get("route")
    return route if type(route) is str else ""


def _str(value: str) -> str:
    return repr(value) if len(value) <= ROOM else repr(value[:ROOM]) + cut_mark(len(value), "characters")


def _bytes(value: bytes | bytearray) -> str:
    base: Any = bytearray if issubclass(type(value), bytearray) else bytes
    size = base.__len__(value)
    text = repr(bytes(base.__getitem__(value, slice(_BYTES))))
    return text if size <= _BYTES else text + cut_mark(size, "bytes")


def _int(value: int) -> str:
    bits = int.bit_length(value)
    return int.__repr__(value) if bits <= 256 else f"<int of {bits} bits>"


def _decimal(value: decimal.Decimal) -> str:
    digits = len(value.as_tuple().digits)
    return f"Decimal('{value}')" if digits <= 60 else f"<Decimal of {digits} digits>"


def _moment(value: datetime.datetime | datetime.time) -> str:
    zone = value.tzinfo
    return str(value if zone is None or type(zone) is datetime.timezone else value.replace(tzinfo=None))


def _inner(value: object) -> str:
    """An item of a container or an attribute: scalars in full, anything deeper by name and size."""
    cls = type(value)
    writer = _SCALARS.get(id(cls))
    if writer is not None:
        text = writer(value)
    elif cls in _CONTAINERS:
        text = f"{cls.__name__}({len(value)})" if value else repr(value)  # type: ignore[arg-type]
    else:
        kind = kind_of(value)
        base: Any = kind.base
        if base in _CONTAINERS:
            text = f"{kind.name}({base.__len__(value)})"
        elif base is BaseException:
            text = _error(value)  # type: ignore[arg-type]
        elif base is not None:
            text = _scalar(value, kind)
        else:
            text = f"<{kind.name}>"
    if len(text) <= _INNER:
        return text
    # Up to the last blank: half a secret would not be recognised as one.
    whole, unit = whole_of(text) or (len(text), "characters")
    return (text[:_INNER].rpartition(" ")[0] or text[:16]) + cut_mark(whole, unit)


def _item(value: object) -> str:
    if id(type(value)) in _SCALARS:
        return _inner(value)
    base = _container(value)
    if base is None or _nested(value, base):
        return _inner(value)
    text = render(value)
    return text if len(text) <= _INNER else _inner(value)


def _container(value: object) -> type | None:
    """The builtin container that a value is, of its own class or of one below it."""
    if id(type(value)) in _SCALARS:
        return None
    base = kind_of(value).base
    return base if base in _CONTAINERS else None


def _nested(value: Any, base: type) -> bool:
    items: Iterable[object] = dict.values(value) if base is dict else base.__iter__(value)  # type: ignore[attr-defined]
    return any(
        id(type(item)) not in _SCALARS and _container(item) is not None for item in islice(items, _ITEMS)
    )


def _sequence(value: Any) -> str:
    cls = type(value)
    held = value[: _ITEMS + 1] if cls is list else value
    if (cls is list or cls is tuple) and _is_flat(held, _ITEMS) and len(text := repr(held)) <= _INNER:
        return text
    return _listed(value, cls)


def _is_flat(items: Collection[object], most: int) -> bool:
    """Whether these are few texts and numbers, none of them long: what holds them Python itself may write."""
    if len(items) > most:
        return False
    for item in items:
        cls = type(item)
        if cls is str or cls is bytes:
            if len(item) > _FLAT_TEXT:  # type: ignore[arg-type]
                return False
        elif cls is int:
            if not -_FLAT_NUMBER < item < _FLAT_NUMBER:  # type: ignore[operator]
                return False
        elif not (item is None or cls is float or cls is bool):
            return False
    return True


def _listed(value: Any, base: Any) -> str:
    opening, closing = _BRACKETS[base]
    size = base.__len__(value)
    parts = [_item(item) for item in islice(base.__iter__(value), _ITEMS)]
    if size > _ITEMS:
        parts.append(cut_mark(size, "items"))
    elif base is tuple and size == 1:
        closing = ",)"
    return opening + ", ".join(parts) + closing


def _dict(value: dict[Any, Any]) -> str:
    size = dict.__len__(value)
    if size <= _ITEMS and type(value) is dict:
        held = value.copy()  # What was looked at is what is written: another thread may put anything into it.
        if _is_flat((*held, *held.values()), 2 * _ITEMS) and len(text := repr(held)) <= _INNER:
            return text
    parts = [f"{_inner(k)}: {_item(v)}" for k, v in islice(dict.items(value), _ITEMS)]
    if size > _ITEMS:
        parts.append(cut_mark(size, "items"))
    return "{" + ", ".join(parts) + "}"


def _object(value: object) -> str:
    """One of a class that has no writer: by what it is below, else by its attributes."""
    kind = kind_of(value)
    base = kind.base
    if base is BaseException:
        return _error(value)  # type: ignore[arg-type]
    if base is dict:
        return f"{kind.name}({_dict(value)})"  # type: ignore[arg-type]
    if base is tuple and kind.fields:
        held: Any = value
        shown = zip(kind.fields[:_ITEMS], tuple.__iter__(held), strict=False)
        parts = [f"{name}={_item(one)}" for name, one in shown]
        if len(kind.fields) > _ITEMS:
            parts.append(cut_mark(len(kind.fields), "items"))
        return f"{kind.name}({', '.join(parts)})"
    if base in _CONTAINERS:
        return f"{kind.name}({_listed(value, base)})"
    if base is not None:
        return _scalar(value, kind)
    return _attributes(value, kind)


def _scalar(value: Any, kind: Kind) -> str:
    """Of a text, number or bytes of an own class: the class and what it is below."""
    base: Any = kind.base
    text = _WRITERS[id(base)](exact(value) if base is str else value)
    return f"{kind.name}({text})"


def _error(error: BaseException) -> str:
    """An exception that is a value: its type and arguments. Its `__str__` is not asked.

    One that it holds is named only: chains of them have no end, and trees of them double at each level.
    """
    args = _args_of(error)
    parts = [
        f"<{kind_of(arg).name}>" if issubclass(type(arg), BaseException) else _inner(arg)
        for arg in args[:_ITEMS]
    ]
    if len(args) > _ITEMS:
        parts.append(cut_mark(len(args), "items"))
    return f"{kind_of(error).name}({', '.join(parts)})"


def _attributes(value: object, kind: Kind) -> str:
    held = [(name, one) for name, one in (attributes_of(value) or {}).items() if type(name) is str]
    for name, get in kind.slots:
        try:
            held.append((name, get(value)))
        except AttributeError:  # Never set.
            continue
    held = [(name, one) for name, one in held if not name.startswith("__")]
    parts = [kind.name, *(f"{name}={_inner(one)}" for name, one in held[:_ITEMS])]
    if len(held) > _ITEMS:
        parts.append(cut_mark(len(held), "attributes"))
    return "<" + " ".join(parts) + ">"


def _callable(value: Any) -> str:
    return f"<function {shortened(value.__qualname__, 200)}>"


def _class(value: type) -> str:
    return f"<class {name_of(value)}>"


# Keyed by the class's id, so that no foreign metaclass is asked for a hash. The keys are the builtins' own.
_CONTAINERS_BY_NAME = (list, tuple, dict, set, frozenset, deque)


class _Exactly:
    """Membership by identity: `cls in` a set would call a foreign metaclass's `__hash__` and `__eq__`."""

    def __init__(self, classes: tuple[type, ...]) -> None:
        self._ids = frozenset(map(id, classes))

    def __contains__(self, cls: object) -> bool:
        return id(cls) in self._ids


_CONTAINERS = _Exactly(_CONTAINERS_BY_NAME)
_BASES = _Exactly((*_CONTAINERS_BY_NAME, BaseException, str, int, float, complex, bytes, bytearray))
_NAMED_SLOTS = _Exactly((tuple, list, str, dict, set, frozenset))
_BUILTIN_TEXTS = frozenset(
    id(cls) for cls in vars(builtins).values() if isinstance(cls, type) and issubclass(cls, BaseException)
)
_BOUNDED_TEXTS = frozenset(map(id, (UnicodeDecodeError, UnicodeEncodeError, UnicodeTranslateError)))
_BRACKETS: dict[type, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
    deque: ("deque([", "])"),
}
_WRITERS: dict[int, Callable[[Any], str]] = {
    id(cls): writer
    for cls, writer in (
        (str, _str),
        (int, _int),
        (bool, repr),
        (type(None), repr),
        (float, float.__repr__),
        (complex, complex.__repr__),
        (bytes, _bytes),
        (bytearray, _bytes),
        (list, _sequence),
        (tuple, _sequence),
        (set, _sequence),
        (frozenset, _sequence),
        (deque, _sequence),
        (dict, _dict),
        (datetime.datetime, _moment),
        (datetime.time, _moment),
        (datetime.date, str),
        (datetime.timedelta, str),
        (decimal.Decimal, _decimal),
        (uuid.UUID, str),
        (pathlib.PosixPath, str),
        (types.FunctionType, _callable),
        (type, _class),
    )
}
_SCALARS = {key: writer for key, writer in _WRITERS.items() if key not in set(map(id, _CONTAINERS_BY_NAME))}
