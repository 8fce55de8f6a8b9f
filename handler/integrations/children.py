"""Children of multiprocessing and of a Celery pool end without exit handlers: here they say goodbye all the
same. No sockets.

Imported for its effect. Multiprocessing is not imported here, only found.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from types import ModuleType

from tocsin.handler.emit import TocsinHandler
from tocsin.handler.integrations import celery


def finish() -> None:
    """Ships the rest, says goodbye, for the handlers on any logger, in at most their `flush_timeout`."""
    known = logging.Logger.manager.loggerDict
    loggers = [found for found in list(known.values()) if isinstance(found, logging.Logger)]
    for logger in (logging.getLogger(), *loggers):
        for handler in logger.handlers:
            if isinstance(handler, TocsinHandler):
                handler.destination.finish(handler.settings.flush_timeout)


def _arrange() -> None:
    with contextlib.suppress(Exception):
        if util := sys.modules.get("multiprocessing.util"):
            _finalize(util)
            # A child begins by forgetting all finalizers, then calls these.
            util.register_after_fork(finish, lambda _: _finalize(util))


def _finalize(util: ModuleType) -> None:
    util.Finalize(None, finish, exitpriority=0)


def _is_child() -> bool:
    """One that was started afresh (spawn, forkserver) and imports us now."""
    process = sys.modules.get("multiprocessing.process")
    return process is not None and process.parent_process() is not None


celery.watch(finish)
os.register_at_fork(after_in_child=_arrange)
if _is_child():
    _arrange()
