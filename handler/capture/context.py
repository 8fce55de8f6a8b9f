"""What the application says about the work at hand: its client and what else is worth knowing. Context-local.

Each thread and each asyncio task sees its own; a task starts with a copy of its creator's. An exception that
leaves a `with bind(...)` takes along what was bound, for whoever logs it further out.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from types import MappingProxyType, TracebackType
from typing import Any

from tocsin.handler.capture import values

Bound = tuple[str | None, Mapping[str, Any]]

_modules = sys.modules
_NOTHING: Bound = (None, MappingProxyType({}))
_bound: ContextVar[Bound] = ContextVar("tocsin", default=_NOTHING)
bound_here: Callable[[], Bound] = _bound.get
"""What is bound in this thread or task, whatever exception is handled."""
_LEFT = "_tocsin_left"
_CHAIN = 10
"""Exceptions of one chain that are asked what they left, at most."""
# No exception's own idea of its attributes is asked.
_attributes_of = BaseException.__dict__["__dict__"].__get__
_context_of = BaseException.__dict__["__context__"].__get__


class _Left:
    """On an exception: what was bound where it was raised, and what was bound again when it had left."""

    __slots__ = ("bound", "outside")

    def __init__(self, bound: Bound | None, outside: Bound) -> None:
        self.bound = bound
        self.outside = outside

    def __reduce__(self) -> tuple[type[str], tuple[()]]:
        # Exceptions travel between processes, also to such as have no Tocsin.
        return str, ()


class Binding:
    """What one `bind` did; as a context manager it takes it back on leaving."""

    def __init__(self, token: Token[Bound], before: Bound) -> None:
        self._token = token
        self._before = before

    def __enter__(self) -> Binding:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        left = _bound.get()
        self.restore()
        if error is not None:
            _take_along(error, left, self._before)

    def restore(self) -> None:
        """Bind again what was bound before."""
        try:
            _bound.reset(self._token)
        except (ValueError, RuntimeError):
            # Left in another context (an async generator closed elsewhere), or a second time.
            _bound.set(self._before)


def bind(client: str | None = None, **context: Any) -> Binding:
    """Say whose work this is and what else belongs to each error logged next, in this thread or task.

    `client` is the client's id; None keeps the one bound. Values become text when an error is logged,
    scrubbed and shortened. Use it as a call, or as `with bind(...):` to undo it at the end.
    """
    before = _bound.get()
    merged = MappingProxyType({**before[1], **context}) if context else before[1]
    return Binding(_bound.set((before[0] if client is None else client, merged)), before)


def bind_only(client: str | None = None, **context: Any) -> Binding:
    """As `bind`, of a request: what was bound before it is not its own.

    A server may serve it in what an earlier request left behind: asyncio keeps the context of the task that
    last waited for a connection.
    """
    before = _bound.get()
    return Binding(_bound.set((client, MappingProxyType(context))), before)


def unbind(*names: str) -> None:
    """Forget these names (`client` is one of them); without names, forget everything bound."""
    if not names:
        _bound.set(_NOTHING)
        return
    client, context = _bound.get()
    rest = {name: value for name, value in context.items() if name not in names}
    _bound.set((None if "client" in names else client, MappingProxyType(rest)))


def current() -> Bound:
    """(client, context) as bound in this thread or task.

    While an exception is handled where nothing has been bound since it left its `with bind(...)`: what was
    bound there.
    """
    bound = _bound.get()
    error = sys.exception()
    return bound if error is None else _left_by(error, bound)


def client_id(given: object) -> str | None:
    """The client that a record itself names; None for what is no id."""
    if type(given) is str:
        return given or None
    return str(given) if type(given) is int or type(given) is uuid.UUID else values.exact(given)


def running_task() -> object | None:
    """The asyncio task that runs in this thread. Costs 0.05 µs where asyncio was never imported. Never raises."""
    asyncio = _modules.get("asyncio")
    try:
        if asyncio is None or (loop := asyncio._get_running_loop()) is None:
            return None
        found: object = asyncio.current_task(loop)
    except Exception:  # asyncio is just being imported.
        return None
    return found


def _take_along(error: BaseException, left: Bound, outside: Bound) -> None:
    attributes = _attributes_of(error)
    known = dict.get(attributes, _LEFT)
    if type(known) is not _Left:
        bound: Bound | None = left
    elif known.outside is left or known.bound == left:
        bound = known.bound
    else:
        # One exception raised in several bindings belongs to none of them: better no client than a wrong one.
        bound = None
    dict.__setitem__(attributes, _LEFT, _Left(bound, outside))


def _left_by(error: BaseException, outside: Bound) -> Bound:
    at: BaseException | None = error
    for _ in range(_CHAIN):
        if at is None:
            break
        left = dict.get(_attributes_of(at), _LEFT)
        if type(left) is _Left and left.outside is outside and left.bound is not None:
            return left.bound
        at = _context_of(at)
    return outside
