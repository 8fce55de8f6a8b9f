"""`tocsin.handler`: a logging handler that loses nothing, and words about the work at hand.

Opens nothing on import. What is named here is loaded when it is first asked for: the daemon's commands read modules
beside it, and start without the handler.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tocsin.handler.capture.context import bind, unbind
    from tocsin.handler.emit import TocsinHandler

__all__ = ["TocsinHandler", "bind", "unbind"]
_MODULES = {"TocsinHandler": "emit", "bind": "capture.context", "unbind": "capture.context"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import_module(f"{__name__}.integrations.children")  # for its effect: children of this process say goodbye
    globals().update({one: getattr(import_module(f"{__name__}.{_MODULES[one]}"), one) for one in _MODULES})
    return globals()[name]
