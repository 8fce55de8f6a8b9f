"""Feeds systemd's watchdog while every thread comes round; else says which does not, and where it is."""

from __future__ import annotations

import sys
import threading
import traceback

import structlog

from tocsin.daemon.runtime.liveness import ThreadLiveness
from tocsin.daemon.runtime.notify import notify

log = structlog.get_logger()


class Watchdog:
    """`interval`: WatchdogSec= of the unit, in seconds; a thread silent for as long is stuck.

    From then on nothing is fed, so that systemd restarts the daemon one more interval later.
    """

    def __init__(self, pulses: ThreadLiveness, interval: float) -> None:
        self._pulses = pulses
        self._interval = interval
        self._said: list[str] = []

    def feed(self, _now: float = 0.0) -> bool:
        """Feeds, or logs who is silent (once per change). Returns whether all is well."""
        silent = self._pulses.silent(self._interval)
        if silent and silent != self._said:
            log.critical("thread_stuck", threads=silent, where={name: _stack(name) for name in silent})
        self._said = silent
        if not silent:
            notify("WATCHDOG=1")
        return not silent


def _stack(name: str) -> str:
    """Where the thread of that name is now; a dead one is nowhere."""
    frames = sys._current_frames()
    for thread in threading.enumerate():
        if thread.name == name and thread.ident in frames:
            return "".join(traceback.format_stack(frames[thread.ident]))
    return "ended"
