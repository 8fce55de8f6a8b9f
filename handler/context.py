"""What the application says about the work at hand: its client and what else is worth knowing. Context-local.

Each thread and each asyncio task sees its own; a task starts with a copy of its creator's.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar, Token
from types import MappingProxyType, TracebackType
from typing import Any

Bound = tuple[str | None, Mapping[str, Any]]

_NOTHING: Bound = (None, MappingProxyType({}))
_bound: ContextVar[Bound] = ContextVar("tocsin", default=_NOTHING)


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
        self.restore()

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


def unbind(*names: str) -> None:
    """Forget these names (`client` is one of them); without names, forget everything bound."""
    if not names:
        _bound.set(_NOTHING)
        return
    client, context = _bound.get()
    rest = {name: value for name, value in context.items() if name not in names}
    _bound.set((None if "client" in names else client, MappingProxyType(rest)))


def current() -> Bound:
    """(client, context) as bound in this thread or task."""
    return _bound.get()
