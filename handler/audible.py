"""Which loggers' records still reach a handler: looked at when it may have changed, never while a record is handled.

`logging.disable`, a disabled logger, raised levels, a handler that was removed: an application that can log nothing
is silent whatever happens. Of filters only what our own handler's reject is known.
"""

from __future__ import annotations

import logging

from tocsin.handler import exception_hooks


def reaches(handler: logging.Handler, name: str, level: int, *, behind: bool = False) -> bool:
    """Whether a record of this logger and level would come to the handler. Never raises.

    `behind`: its records come from a queue's listener or another library; then only what stops them at the logger is
    looked at.
    """
    try:
        return _reaches(handler, name, level, behind=behind)
    except Exception:  # An application's own logger classes may do anything.
        return True


def _reaches(handler: logging.Handler, name: str, level: int, *, behind: bool) -> bool:
    if level < handler.level:
        return False
    if name == exception_hooks.LOGGER:
        return True  # Our own hooks hand these over themselves.
    manager = logging.Logger.manager
    if manager.disable >= level:
        return False
    logger: logging.Logger | None = _nearest(name, manager)
    if logger is None:
        return True
    if logger.name == name and logger.disabled:
        return False
    if logger.getEffectiveLevel() > level:
        return False
    if behind:
        return True
    while logger is not None:
        if handler in logger.handlers:
            return True
        logger = logger.parent if logger.propagate else None
    return False


def _nearest(name: str, manager: logging.Manager) -> logging.Logger | None:
    """The logger of this name, else the one above it that a new one would hang on."""
    while name:
        found = manager.loggerDict.get(name)
        if isinstance(found, logging.Logger):
            return found
        name = name.rpartition(".")[0]
    return manager.root
