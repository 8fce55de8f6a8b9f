"""What a Celery worker does to logging, undone: it takes every handler off the root logger, keeps its tasks'
logger from it, and ends its pool's processes without exit handlers. Celery is not imported here, only found.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable
from typing import Any

from tocsin.handler.emit import TocsinHandler
from tocsin.handler.exception_hooks import attached

_ours: list[TocsinHandler] = []
"""Those on the root logger when the worker began: nothing else keeps them."""


def watch(finish: Callable[[], None]) -> None:
    """Hears Celery's signals, where Celery has been imported. `finish`: what a process of its pool does last.

    Where the application configures logging itself (`setup_logging`), Celery leaves it alone, and so do we.
    """
    signals = sys.modules.get("celery.signals")
    if signals is None:
        return

    def ending(**signal: Any) -> None:
        finish()

    with contextlib.suppress(Exception):
        signals.celeryd_init.connect(_remember, weak=False, dispatch_uid="tocsin")
        signals.after_setup_logger.connect(_restore, weak=False, dispatch_uid="tocsin")
        signals.after_setup_task_logger.connect(_restore, weak=False, dispatch_uid="tocsin")
        signals.worker_process_shutdown.connect(ending, weak=False, dispatch_uid="tocsin")


def _remember(**signal: Any) -> None:
    _ours[:] = attached(TocsinHandler)


def _restore(logger: logging.Logger, **signal: Any) -> None:
    for handler in _ours:
        logger.addHandler(handler)
