"""Which storefront the current request came through: it is the client of whatever is logged meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from tocsin.handler import bind

_current: ContextVar[str | None] = ContextVar("storefront", default=None)


class AddStorefront(logging.Filter):
    """Writes the storefront on every record."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.storefront = _current.get()
        return True


@contextmanager
def serving(name: str | None) -> Iterator[None]:
    """For the time of one request."""
    if not name:
        yield
        return
    token = _current.set(name)
    try:
        with bind(client=name):
            yield
    finally:
        _current.reset(token)
