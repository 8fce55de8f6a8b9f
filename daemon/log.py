"""The log as modules use it; structlog is loaded with the first event, for a command mostly has none to tell."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any


class Log:
    """`log.warning("mail_not_sent", mail=7)`: what structlog's logger does."""

    def __init__(self) -> None:
        self._prepare: Callable[[], object] | None = None

    def prepare(self, configure: Callable[[], object]) -> None:
        """To be called once before the first event."""
        self._prepare = configure

    def __getattr__(self, level: str) -> Any:
        configure, self._prepare = self._prepare, None
        if configure is not None:
            configure()
        return getattr(import_module("structlog").get_logger(), level)


log = Log()
