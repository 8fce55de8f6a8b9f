"""The code of a function that is known by module and qualified name, as the running process has it.

Only dictionaries, closures and constants are read: no attribute is asked for, so no foreign code runs.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, MappingProxyType, ModuleType
from typing import Any

ONLY = "*."
"""Before the name of a function of which no more is known: the only one of the module called so."""
_LOOKED_AT = 5_000
"""Values and code objects that are looked at for one function, at most."""
_WRAPPED = ("__wrapped__", "__func__", "func", "fget", "run")
"""Where decorators, descriptors and task libraries keep the function that they stand for."""

# The getters themselves: a class's own `__dict__` or `__mro__` may be anything.
_namespace_of_module: Callable[[ModuleType], dict[str, Any]] = vars(ModuleType)["__dict__"].__get__
_namespace_of_class: Callable[[type], MappingProxyType[str, Any]] = vars(type)["__dict__"].__get__
_mro_of: Callable[[type], tuple[type, ...]] = vars(type)["__mro__"].__get__


class Found:
    """The code objects of a function, and what they were found in: as long as that is the same, so are they."""

    __slots__ = ("_seen", "codes", "loaded")

    def __init__(self, module: str, name: str) -> None:
        namespace = namespace_of(module)
        self.loaded = namespace is not None
        """The module has been imported: before, no function of it can have run."""
        self.codes: tuple[CodeType, ...] = ()
        self._seen = _state(namespace, name)
        if namespace is not None:
            self.codes = tuple(_codes(namespace, module, name))

    def current(self, module: str, name: str) -> bool:
        """Whether nothing was imported, reloaded or replaced since."""
        return self._seen == _state(namespace_of(module), name)


def namespace_of(module: str) -> dict[str, Any] | None:
    """The global names of a module that is loaded."""
    found = dict.get(sys.modules, module)
    return _namespace_of_module(found) if found is not None and ModuleType in _mro_of(type(found)) else None


def _state(namespace: dict[str, Any] | None, name: str) -> tuple[int, int, int, int]:
    """What differs when the module is another one, was reloaded, or has another value under the name."""
    if namespace is None:
        return 0, 0, 0, 0
    spec, first = dict.get(namespace, "__spec__"), dict.get(namespace, name.partition(".")[0])
    # A module that is just being imported grows.
    return id(namespace), id(spec), id(first), len(namespace)


def _codes(namespace: dict[str, Any], module: str, name: str) -> Iterator[CodeType]:
    """Of the named one first, and where its name leads nowhere, of whatever in the module has it."""
    if name.startswith(ONLY):
        called = name.removeprefix(ONLY)
        found = [code for code in _all_codes(namespace, module) if code.co_name == called]
        if len(found) == 1:
            yield from found
        return
    first = dict.get(namespace, name.partition(".")[0])
    named = [code for code in _codes_within([first], module) if _is(code, name)]
    yield from named or (code for code in _all_codes(namespace, module) if _is(code, name))


def _is(code: CodeType, name: str) -> bool:
    return code.co_qualname.replace("<locals>.", "") == name


def _all_codes(namespace: dict[str, Any], module: str) -> Iterator[CodeType]:
    return _codes_within(list(dict.values(namespace)), module)


def _codes_within(values: list[Any], module: str) -> Iterator[CodeType]:
    """The code of all functions of the module that these values are, hold or stand for."""
    seen: set[int] = set()
    codes: list[CodeType] = []
    while values and len(seen) < _LOOKED_AT:
        value = values.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if type(value) is FunctionType:
            if value.__globals__.get("__name__") == module:
                codes.append(value.__code__)
            values += _behind(value)
        elif type in _mro_of(type(value)):
            # Classes of other modules are named in this one too.
            if (members := _namespace_of_class(value)).get("__module__") == module:
                values += members.values()
        elif type(value) is not ModuleType:
            values += _stood_for(value)
    while codes and len(seen) < _LOOKED_AT:
        code = codes.pop()
        if id(code) not in seen:
            seen.add(id(code))
            yield code
            codes += (one for one in code.co_consts if type(one) is CodeType)


def _behind(function: FunctionType) -> Iterator[Any]:
    """What a decorator's function calls: the wrapped one, and functions in its closure."""
    yield dict.get(function.__dict__, "__wrapped__")
    for cell in function.__closure__ or ():
        try:
            held = cell.cell_contents
        except ValueError:  # Still empty.
            continue
        if type(held) in (FunctionType, classmethod, staticmethod, functools.partial):
            yield held


def _stood_for(value: Any) -> Iterator[Any]:
    """The functions behind a method, property, partial object or whatever a decorator has made."""
    if type(value) in _PLAIN:
        return
    for name in _WRAPPED:
        held = inspect.getattr_static(value, name, None)
        if type(held) in _DESCRIPTORS and type(value) in _OURS:
            held = held.__get__(value)
        yield held


_PLAIN = frozenset({type(None), bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset})
_OURS = frozenset({classmethod, staticmethod, property, functools.partial, functools.cached_property})
"""Builtin wrappers: their own descriptors run no foreign code."""
_DESCRIPTORS = frozenset({type(property.fget), type(classmethod.__dict__["__wrapped__"])})
