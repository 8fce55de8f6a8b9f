"""When a program that logs nothing is seen alive: a moment after its start, by a thread that no fork meets.

What is made and thrown away at once (a command's help, a child that becomes another program) opens nothing.
"""

from __future__ import annotations

import _thread
import contextlib
import os
from collections.abc import Callable
from typing import Any

from tocsin.handler import process

SETTLED = 2.0
"""Seconds after its start at which a program has settled."""
_GONE = 0.2
"""Seconds that a fork waits for the thread to be gone."""


class Settling:
    """Calls what waits, once, when the program has settled; at a fork its thread is gone, and then goes on."""

    def __init__(self) -> None:
        self.pending: list[Callable[[], None]] = []
        """What is still to be called: looked at by whoever wants it done earlier."""
        self._due = 0.0
        self._stop: Any = None
        self._running = False
        self._thread = 0
        self._hooked = False

    def add(self, begin: Callable[[], None]) -> None:
        """Has it called when the program has settled. Called again, it waits no longer for that."""
        if begin not in self.pending:
            self.pending.append(begin)
        self._due = process.monotonic() + SETTLED
        self._start()

    def now(self) -> None:
        """A framework says that the program serves: nothing waits any longer."""
        self.cancel()
        while self.pending:
            with contextlib.suppress(Exception):
                self.pending.pop(0)()

    def drop(self, begin: Callable[[], None]) -> None:
        """It has been done; without anything left to do there is no thread either."""
        with contextlib.suppress(ValueError):
            self.pending.remove(begin)
        if not self.pending:
            self.cancel()

    def pause(self) -> None:
        """Before a fork: the thread ends, as far as the operating system counts threads too."""
        self.cancel()
        sleep = process.original("time", "sleep", process.sleep)
        for _ in range(int(_GONE / 0.0005)):
            if not self._running and not os.path.exists(f"/proc/self/task/{self._thread}"):
                break
            sleep(0.0005)

    def resume(self) -> None:
        """After a fork, in the parent."""
        if self.pending:
            self._start()

    def restart(self) -> None:
        """After a fork, in the child: it has a settling time of its own."""
        self._stop, self._running, self._thread = None, False, 0
        if self.pending:
            self._due = process.monotonic() + SETTLED
            self._start()

    def cancel(self) -> None:
        """The thread ends without calling anything."""
        stop, self._stop = self._stop, None
        if stop is not None:
            with contextlib.suppress(RuntimeError):
                stop.release()

    def _start(self) -> None:
        if process.uwsgi_master() and not self._hooked:
            self._hooked = True
            process.after_uwsgi_fork(self.restart)
        if self._stop is not None or not process.threads_run():
            return
        stop = process.original("_thread", "allocate_lock", _thread.allocate_lock)()
        stop.acquire()
        self._stop = stop
        self._running = True
        try:
            process.start_thread(lambda: self._wait(stop))
        except RuntimeError:
            self._stop, self._running = None, False

    def _wait(self, stop: Any) -> None:
        self._thread = _thread.get_native_id()
        try:
            while (left := self._due - process.monotonic()) > 0:
                if stop.acquire(timeout=left):
                    return
            if self._stop is stop:
                self._stop = None
                self.now()
        finally:
            self._running = False


settling = Settling()
